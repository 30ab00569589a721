#!/usr/bin/env python3
"""Proves that the lint sees what it is for: a good tree passes, and each fault put into it is named."""

import os
import subprocess
import sys
import tempfile
import unittest

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint.py")

README = """# map

| folder | may include |
|---|---|
| base | nothing |
| io | base |
| text | base io/scan.h |
| kernels | base |
| main.c | base |

| foreign header | only in |
|---|---|
| hdf5.h | io |
"""

HEADER = """#ifndef DN_BASE_RING_H
#define DN_BASE_RING_H
/** A ring.
 *  thread  any */
int dn_ring_push(int item);

#endif
"""

GOOD = {
    "src/README.md": README,
    "src/base/ring.h": HEADER,
    "src/base/ring.c": '#include "base/ring.h"\n\n#include <stdio.h>\n\nint dn_ring_push(int item) {\n    return item;\n}\n',
    "src/io/scan.h": "#ifndef DN_IO_SCAN_H\n#define DN_IO_SCAN_H\n/** Scans. */\n#endif\n",
    "src/io/h5.c": '#include "base/ring.h"\n#include "io/scan.h"\n#include <hdf5.h>\n',
    "src/text/clean.c": '#include "io/scan.h"\n',
    "src/main.c": '#include "base/ring.h"\n',
    "kernels/cpu/tile.h": "#ifndef DN_CPU_TILE_H\n#define DN_CPU_TILE_H\n/** Tiles. */\n#endif\n",
}


def function_of(n_lines):
    return "static void long_one(int a,\n                     int b) {\n" + "    a += b;\n" * (n_lines - 3) + "}\n"


def lint(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        run = subprocess.run([sys.executable, LINT, root], capture_output=True, text=True)
        return run.returncode, run.stdout


class LintTest(unittest.TestCase):
    def expect(self, want, changes):
        status, output = lint({**GOOD, **changes})
        self.assertEqual(status, 1, output)
        self.assertIn(want, output)

    def expect_good(self, changes):
        status, output = lint({**GOOD, **changes})
        self.assertEqual(status, 0, output)

    def test_a_good_tree_passes(self):
        self.expect_good({})

    def test_layers(self):
        self.expect("src/base/ring.c:1: base may not include \"io/scan.h\"", {"src/base/ring.c": '#include "io/scan.h"\n'})
        self.expect("src/main.c:1: main.c may not include", {"src/main.c": '#include "io/scan.h"\n'})
        self.expect("kernels/ref/x.c:1: kernels may not include", {"kernels/ref/x.c": '#include "io/scan.h"\n'})

    def test_a_single_allowed_header_opens_no_folder(self):
        files = {"src/io/yaml.h": GOOD["src/io/scan.h"].replace("SCAN", "YAML"),
                 "src/text/clean.c": '#include "io/yaml.h"\n'}
        self.expect("text may not include \"io/yaml.h\"", files)

    def test_a_folder_without_a_row(self):
        self.expect("folder extra has no row", {"src/extra/x.c": "int x;\n"})

    def test_includes_name_their_folder_and_exist(self):
        self.expect("must be written with its folder", {"src/base/ring.c": '#include "ring.h"\n'})
        self.expect("\"base/ringg.h\" does not exist", {"src/base/ring.c": '#include "base/ringg.h"\n'})

    def test_a_header_that_cmake_makes(self):
        self.expect_good({"src/base/ring.c": '#include "made.h"\n',
                          "src/base/CMakeLists.txt": "configure_file(x.in ${CMAKE_BINARY_DIR}/made.h)\n"})

    def test_foreign_headers(self):
        self.expect("<hdf5.h> belongs in io only, this is base", {"src/base/ring.c": "#include <hdf5.h>\n"})
        self.expect("<cblas.h> is neither", {"src/io/h5.c": "#include <cblas.h>\n"})

    def test_lengths(self):
        self.expect_good({"src/io/long.c": "int x;\n" * 600})
        self.expect("601 lines", {"src/io/long.c": "int x;\n" * 601})
        self.expect_good({"src/io/long.c": function_of(100)})
        self.expect("src/io/long.c:1: a function of 101 lines", {"src/io/long.c": function_of(101)})
        self.expect_good({"src/io/table.c": "static const int table[] = {\n" + "    1,\n" * 200 + "};\n"})

    def test_headers(self):
        self.expect("guard should be DN_BASE_RING_H", {"src/base/ring.h": HEADER.replace("BASE_RING", "RING")})
        self.expect("begins with a /** comment", {"src/base/ring.h": HEADER.replace("/**", "/*")})
        self.expect("ring_push: public names begin with dn_", {"src/base/ring.h": HEADER.replace("dn_ring_push", "ring_push")})
        self.expect("no header tag is called tread", {"src/base/ring.h": HEADER.replace(" thread ", " tread ")})

    def test_readmes(self):
        files = {f"src/io/part{i}.c": "int x;\n" for i in range(4)}
        self.expect("src/io:1: 6 sources and no README.md", files)
        self.expect_good({**files, "src/io/README.md": "# io\n"})
        self.expect("README.md:120: 200 lines", {"src/io/README.md": "word\n" * 200})

    def test_words(self):
        for word in ("TODO", "FIXME", "XXX", "HACK", "Placeholder", "not implemented"):
            self.expect(f'"{word}": finish it', {"src/io/h5.c": f"/* {word} */\n"})
        self.expect_good({"src/io/h5.c": '/* mktemp x.XXXXXX, a life hack */\n'})
        self.expect("a path of somebody's machine", {"docs.md": "see /root/data\n"})
        self.expect_good({"docs.md": "see ../work/data and $HOME/root/x\n"})
        self.expect("commented-out code", {"src/io/h5.c": "    // x = 1;\n"})

    def test_an_empty_table_is_a_fault(self):
        self.expect("has no table", {"src/README.md": "# nothing\n"})


if __name__ == "__main__":
    unittest.main()
