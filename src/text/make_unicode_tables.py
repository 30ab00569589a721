"""Writes unicode_tables.inc: what the reference BERT tokeniser does with each code point.

  pip install tokenizers && python src/text/make_unicode_tables.py

Every property is asked of the reference library code point by code point, since its tables are of several Unicode
versions at once (normalisation 9, categories 8, lower case as its compiler's). Canonical decompositions and simple
lower case come from utf8proc at run time: the first only where the table says so, the second but for the listed
exceptions, so that a newer utf8proc changes nothing. Needs libutf8proc.so.2 to compare with.
"""
import ctypes
import pathlib

import tokenizers
from tokenizers import normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).with_name("unicode_tables.inc")

clean = normalizers.BertNormalizer(True, False, False, False).normalize_str
cjk = normalizers.BertNormalizer(False, True, False, False).normalize_str
strip = normalizers.BertNormalizer(False, False, True, False).normalize_str
lower = normalizers.BertNormalizer(False, False, False, True).normalize_str
nfd = normalizers.NFD().normalize_str
pieces = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

utf8proc = ctypes.CDLL("libutf8proc.so.2")
utf8proc.utf8proc_version.restype = ctypes.c_char_p
DECOMPOSE = 1 << 4

# A mark of each combining class that the reference knows, to find another mark's class by what it is sorted behind.
PROBES = {1: 0x334, 7: 0x93c, 8: 0x3099, 9: 0x94d, 202: 0x321, 214: 0x1dce, 216: 0x31b, 220: 0x316, 222: 0x59a, 224: 0x302e,
          226: 0x1d16d, 228: 0x5ae, 230: 0x300, 232: 0x315, 233: 0x35c, 234: 0x35d, 240: 0x345}


def scalars():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def is_starter(code):
    """Sorting stops at a starter and passes through anything else."""
    return nfd(f"\u0345{chr(code)}\u0334") == f"\u0345{chr(code)}\u0334"


def combining_class(code):
    if is_starter(code):
        return 0
    char = chr(code)
    below = [k for k, probe in PROBES.items() if probe != code and nfd(char + chr(probe)) == chr(probe) + char]
    above = [k for k, probe in PROBES.items() if probe != code and nfd(chr(probe) + char) == char + chr(probe)]
    equal = [k for k in PROBES if k not in below and k not in above]
    assert len(equal) == 1, (hex(code), equal)
    return equal[0]


def canonical(code):
    """utf8proc's full canonical decomposition, as it is used at run time."""
    buffer, boundary = (ctypes.c_int32 * 8)(), ctypes.c_int(0)
    n = utf8proc.utf8proc_decompose_char(code, buffer, 8, DECOMPOSE, ctypes.byref(boundary))
    return "".join(map(chr, buffer[:n]))


def flags_of(code):
    char = chr(code)
    inside = clean(f"a{char}b")
    if inside == "ab":
        return ("REMOVE",), 0
    if inside == "a b":
        return ("BLANK",), 0
    flags = []
    if cjk(char) != char:
        flags.append("CJK")
    is_mark = strip(f"a{char}b") == "ab" and nfd(char) == char
    if is_mark:
        flags.append("MARK")
    if nfd(char) != char:
        assert nfd(char) == canonical(code), hex(code)
        flags.append("DECOMPOSES")
    if len(pieces(f"a{char}b")) == 3:
        flags.append("PUNCTUATION")
    order = 0 if "DECOMPOSES" in flags else int(not is_starter(code)) if is_mark else combining_class(code)
    return tuple(flags), order


def ranges_of(values):
    """(first, last, value) of each run of equal values that is not the default."""
    runs = []
    for code, value in values:
        if runs and runs[-1][1] == code - 1 and runs[-1][2] == value:
            runs[-1][1] = code
        else:
            runs.append([code, code, value])
    return [run for run in runs if run[2] not in (((), 0), None)]


def lower_exception(code):
    """(distance, following code point) where the reference differs from the simple mapping, else None."""
    want = [ord(c) for c in lower(chr(code))]
    if want == [utf8proc.utf8proc_tolower(code)]:
        return None
    return want[0] - code, want[1] if len(want) > 1 else 0


def rows(items, per_line):
    items = [f"{{{item}}}," for item in items]
    return "".join("    " + " ".join(items[i:i + per_line]) + "\n" for i in range(0, len(items), per_line))


def main():
    folds = ranges_of((c, flags_of(c)) for c in scalars())
    lowers = ranges_of((c, lower_exception(c)) for c in scalars())
    version = utf8proc.utf8proc_version().decode()
    with open(OUT, "w") as out:
        out.write(f"/* Made by make_unicode_tables.py from tokenizers {tokenizers.__version__} (BertNormalizer,\n"
                  f" * BertPreTokenizer) beside utf8proc {version}; do not edit. */\n\n")
        out.write("/* First and last code point, what happens to them, and for a mark that stays its combining class; for one that\n"
                  " * is stripped 1 when sorting passes through it. All others stay as they are. */\n"
                  "static const fold_range fold_ranges[] = {\n")
        out.write(rows((f"0x{a:05x}, 0x{b:05x}, {' | '.join(flags) or '0'}, {order}" for a, b, (flags, order) in folds), 2))
        out.write("};\n\n/* Where lower case differs from utf8proc's: distance to the first code point, and the second or 0. */\n"
                  "static const lower_range lower_ranges[] = {\n")
        out.write(rows((f"0x{a:05x}, 0x{b:05x}, {distance}, 0x{second:x}" for a, b, (distance, second) in lowers), 4))
        out.write("};\n")


if __name__ == "__main__":
    main()
