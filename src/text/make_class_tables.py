"""Writes class_tables.inc: where the reference's letters, numbers and white space are not utf8proc's.

  pip install tokenizers && python src/text/make_class_tables.py

Each code point is asked for by how GPT-2's pre-tokeniser cuts it off a letter, a digit and a blank. Needs libutf8proc.so.2 to
compare with.
"""
import ctypes
import pathlib

import tokenizers
from tokenizers import pre_tokenizers

OUT = pathlib.Path(__file__).with_name("class_tables.inc")
WHITE = {*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
NAMES = ("DN_OTHER", "DN_LETTER", "DN_NUMBER", "DN_WHITE")

utf8proc = ctypes.CDLL("libutf8proc.so.2")
utf8proc.utf8proc_version.restype = ctypes.c_char_p
split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str


def reference(code):
    char = chr(code)
    if len(split("a" + char)) == 1:
        return 1
    if len(split("1" + char)) == 1:
        return 2
    if len(split("." + char)) == 1:
        return 0
    return 3


def ours(code):
    if code in WHITE:
        return 3
    category = utf8proc.utf8proc_category(code)
    return 1 if 1 <= category <= 5 else 2 if 9 <= category <= 11 else 0


def main():
    runs = []
    for code in range(1, 0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        want = reference(code)
        if want == ours(code):
            continue
        if runs and runs[-1][1] == code - 1 and runs[-1][2] == want:
            runs[-1][1] = code
        else:
            runs.append([code, code, want])
    with open(OUT, "w") as out:
        out.write(f"/* Made by make_class_tables.py from tokenizers {tokenizers.__version__} (ByteLevel) beside\n"
                  f" * utf8proc {utf8proc.utf8proc_version().decode()}; do not edit. */\n\n"
                  "static const class_range class_ranges[] = {\n")
        rows = [f"{{0x{a:05x}, 0x{b:05x}, {NAMES[k]}}}," for a, b, k in runs]
        for i in range(0, len(rows), 3):
            out.write("    " + " ".join(rows[i:i + 3]) + "\n")
        out.write("};\n")


if __name__ == "__main__":
    main()
