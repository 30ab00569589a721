#!/usr/bin/env python3
"""Holds a source tree to the rules that src/README.md and CONTRIBUTING.md state.

    lint.py [ROOT]      prints "path:line: what is wrong", status 1 when there is anything

The tables of who may include whom are read from src/README.md: the page is the rule. Only Python's standard library.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys

FILE_LINES = 600
FUNCTION_LINES = 100
README_LINES = 120
FILES_WITHOUT_README = 3

C_LIBRARY = set("""
    aio.h arpa/inet.h assert.h byteswap.h complex.h ctype.h dirent.h dlfcn.h endian.h errno.h fcntl.h fenv.h float.h ftw.h
    getopt.h glob.h inttypes.h iso646.h limits.h linux/perf_event.h locale.h malloc.h math.h net/if.h netdb.h netinet/in.h
    netinet/tcp.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h setjmp.h signal.h spawn.h stdalign.h stdarg.h
    stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h sys/eventfd.h sys/epoll.h
    sys/file.h sys/ioctl.h sys/mman.h sys/random.h sys/resource.h sys/signalfd.h sys/socket.h sys/stat.h sys/statvfs.h
    sys/syscall.h sys/sysinfo.h sys/time.h sys/types.h sys/uio.h sys/un.h sys/utsname.h sys/wait.h sysexits.h termios.h
    tgmath.h time.h uchar.h unistd.h wchar.h wctype.h
""".split())

HEADER_TAGS = set("""
    args units returns errors ownership lends gives takes thread collective blocks cost formula source shape shapes
    limits caveats example state
""".split())

FORBIDDEN = re.compile(
    r"\bTODO\b|\bFIXME\b|\bXXX\b|\bHACK\b|(?i:\bplaceholders?\b|not implemented)")
MACHINE_PATH = re.compile(r"(?<![\w.$}~/-])/(?:work|root|home/\w+)/")
COMMENTED_CODE = re.compile(r"^\s*//.*[;{}]\s*$")
SOURCES = (".c", ".h", ".def", ".cu", ".cuh", ".py", ".sh")
TEXT_FILES = SOURCES + (".md", "CMakeLists.txt", "requirements.txt", ".cmake", ".yaml", ".yml", ".json", "/run")


class Lint:
    def __init__(self, root):
        self.root = root
        self.found = []
        self.files = list_files(root)
        self.may_include, self.foreign_home = read_tables(self)
        self.made_by_cmake = set(re.findall(r"/(\w+\.h)\b", "\n".join(
            line for p in self.files if p.endswith((".cmake", "CMakeLists.txt")) for line in self.lines(p))))

    def say(self, path, line, text):
        self.found.append((path, line, text))

    def lines(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read().split("\n")

    def c_files(self, *folders):
        wanted = tuple(folder + "/" for folder in folders)
        return [p for p in self.files if p.startswith(wanted) and p.endswith((".c", ".h"))]


def list_files(root):
    """What git knows or would add; in an unpacked archive everything but build products."""
    try:
        names = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                               capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = []
    if not any(names):
        for folder, folders, files in os.walk(root):
            folders[:] = [d for d in folders if d not in (".git", "build", "out")]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(n for n in set(names) if n and os.path.isfile(os.path.join(root, n)))


def read_tables(lint):
    """{folder: set of folders and headers}, {foreign header: folder} from the two tables of src/README.md."""
    tables = {"folder": {}, "foreign header": {}}
    current = None
    for number, line in enumerate(lint.lines("src/README.md"), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            current = None
        elif current is None:
            current = tables.get(cells[0])
        elif current is not None and not set(cells[0]) <= set("-: "):
            if len(cells) != 2:
                lint.say("src/README.md", number, "a row of this table has two cells")
            else:
                current[cells[0]] = set(cells[1].split()) - {"nothing"}
    for name, table in tables.items():
        if not table:
            lint.say("src/README.md", 1, f"has no table whose first column is \"{name}\"")
    return tables["folder"], {header: " ".join(home) for header, home in tables["foreign header"].items()}


def folder_of(path):
    """src/io/h5.c -> io, kernels/cpu/x.c -> kernels, src/main.c -> main.c"""
    parts = path.split("/")
    return parts[0] if parts[0] == "kernels" else parts[1]


def check_own_include(lint, path, number, folder, header):
    target = header.split("/")[0]
    allowed = lint.may_include[folder] | {folder}
    if header in lint.made_by_cmake:
        return
    if "/" not in header:
        lint.say(path, number, f"\"{header}\" must be written with its folder")
    elif target not in allowed and header not in allowed:
        lint.say(path, number, f"{folder} may not include \"{header}\" (table in src/README.md)")
    elif not any(base + header in lint.files for base in ("src/", "")):
        lint.say(path, number, f"\"{header}\" does not exist")


def check_foreign_include(lint, path, number, folder, header):
    if header in C_LIBRARY:
        return
    home = lint.foreign_home.get(header)
    if home is None:
        lint.say(path, number, f"<{header}> is neither the C library nor in the table of src/README.md")
    elif home != folder:
        lint.say(path, number, f"<{header}> belongs in {home} only, this is {folder}")


def check_includes(lint):
    pattern = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
    for path in lint.c_files("src", "kernels"):
        folder = folder_of(path)
        if folder not in lint.may_include:
            lint.say(path, 1, f"folder {folder} has no row in the table of src/README.md")
            continue
        for number, line in enumerate(lint.lines(path), 1):
            match = pattern.match(line)
            if match and match.group(1):
                check_own_include(lint, path, number, folder, match.group(1))
            elif match:
                check_foreign_include(lint, path, number, folder, match.group(2))


def is_generated(lines):
    return any("generated" in line.lower() for line in lines[:5])


def check_lengths(lint):
    for path in lint.files:
        if not path.endswith(SOURCES):
            continue
        lines = lint.lines(path)
        if is_generated(lines):
            continue
        if len(lines) - 1 > FILE_LINES:
            lint.say(path, FILE_LINES, f"{len(lines) - 1} lines, the limit is {FILE_LINES}: one noun per file")
        if path.endswith(".c"):
            check_functions(lint, path, lines)


def check_functions(lint, path, lines):
    """Functions begin with a line that ends in `{` and end with `}` in column 0: .clang-format sees to it."""
    begin = None
    for number, line in enumerate(lines, 1):
        if begin is None and line and line[-1] == "{" and (line[0].isalpha() or line[0] in "_ "):
            begin = head_of_function(lines, number)
        elif begin is not None and line == "}":
            if number - begin + 1 > FUNCTION_LINES:
                lint.say(path, begin, f"a function of {number - begin + 1} lines, the limit is {FUNCTION_LINES}")
            begin = None


def head_of_function(lines, number):
    """The line where the function begins whose `{` ends this line; None when it is something else."""
    if not lines[number - 1].rstrip("{ ").endswith(")"):
        return None
    while number > 1 and lines[number - 1].startswith(" "):
        number -= 1
    return number if re.match(r"[A-Za-z_][\w \*]*\(", lines[number - 1]) else None


def check_header_shape(lint, path, lines):
    guard = "DN_" + re.sub(r"\W", "_", path.split("/", 1)[1]).upper()
    word = (lines[0].split() + ["", ""])[1]
    # Alternatives of one vocabulary (kernels/cpu/simd_*.h) share a guard, so that no file includes two of them.
    fits = re.fullmatch(r"DN_\w+_H", word) if path.startswith("kernels/") else word == guard
    if not fits:
        lint.say(path, 1, f"the include guard should be {guard}")
    if not any(line.startswith("/**") for line in lines[2:4]):
        lint.say(path, 3, "a header begins with a /** comment: what it is for")


def check_header_names(lint, path, lines):
    prototype = re.compile(r"^(?!static|typedef|return|#|\s|/|\*|\}|extern)[\w \*]*?\b(\w+)\(")
    tag = re.compile(r"^ \*  ([a-z]+)  +\S")
    in_macro = False
    for number, line in enumerate(lines, 1):
        match = prototype.match(line) if not in_macro else None
        in_macro = line.endswith("\\")
        if match and not match.group(1).startswith(("dn_", "DN_", "__")):
            lint.say(path, number, f"{match.group(1)}: public names begin with dn_")
        match = tag.match(line)
        near = difflib.get_close_matches(match.group(1), HEADER_TAGS, cutoff=0.85) if match else []
        if near and match.group(1) not in HEADER_TAGS:
            lint.say(path, number, f"no header tag is called {match.group(1)}: {near[0]}?")


def check_headers(lint):
    for path in lint.c_files("src", "kernels"):
        if path.endswith(".h"):
            lines = lint.lines(path)
            check_header_shape(lint, path, lines)
            check_header_names(lint, path, lines)


def check_readmes(lint):
    sources = {}
    for path in lint.files:
        folder, name = os.path.split(path)
        sources.setdefault(folder, [])
        if name.endswith(SOURCES):
            sources[folder].append(name)
    for folder, names in sources.items():
        if len(names) > FILES_WITHOUT_README and f"{folder}/README.md".lstrip("/") not in lint.files:
            lint.say(folder, 1, f"{len(names)} sources and no README.md: what belongs here, how to add something")
    for path in lint.files:
        if os.path.basename(path) == "README.md" and path.count("/") > 0:
            n = len(lint.lines(path)) - 1
            if n > README_LINES:
                lint.say(path, README_LINES, f"{n} lines, the limit of a folder's README is {README_LINES}")


def check_words(lint):
    for path in lint.files:
        if path.startswith("tests/lint/") or not (path.endswith(TEXT_FILES) or path.startswith("scripts/")):
            continue
        for number, line in enumerate(lint.lines(path), 1):
            word = FORBIDDEN.search(line)
            if word:
                lint.say(path, number, f"\"{word.group(0)}\": finish it, or open an issue")
            if MACHINE_PATH.search(line):
                lint.say(path, number, "a path of somebody's machine")
            if path.endswith((".c", ".h")) and COMMENTED_CODE.match(line):
                lint.say(path, number, "commented-out code")


def is_shell(lint, path):
    if path.endswith(".sh"):
        return True
    first = lint.lines(path)[0] if "." not in os.path.basename(path) else ""
    return re.match(r"#!.*\b(ba)?sh\b", first) is not None


def check_shell(lint):
    scripts = [p for p in lint.files if is_shell(lint, p)]
    if not scripts or not shutil.which("shellcheck"):
        return
    run = subprocess.run(["shellcheck", "-x", "-f", "gcc", *scripts], cwd=lint.root, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        match = re.match(r"(.+?):(\d+):\d+: (.*)", line)
        if match:
            lint.say(match.group(1), int(match.group(2)), match.group(3))


CHECKS = (check_includes, check_lengths, check_headers, check_readmes, check_words, check_shell)


def main():
    lint = Lint(sys.argv[1] if len(sys.argv) > 1 else ".")
    for check in CHECKS:
        check(lint)
    for path, line, text in sorted(lint.found):
        print(f"{path}:{line}: {text}")
    print(f"{len(lint.files)} files, {len(lint.found)} faults")
    return 1 if lint.found else 0


if __name__ == "__main__":
    sys.exit(main())
