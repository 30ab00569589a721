#!/usr/bin/env python3
"""Writes charset_tables.inc: the upper halves of the character sets of one byte that mail comes in, as Python's codecs
have them; 0 where a byte means nothing. Run: python3 src/text/make_charset_tables.py > src/text/charset_tables.inc"""

# Names as charset.c compares them: lower case, letters and digits only. ISO 8859-1 is read as Windows-1252, as mail
# programs do: what differs are control characters that nobody means.
SETS = [
    ("cp1252", "windows1252 cp1252 iso88591 latin1 l1 ansi unknown8bit"),
    ("cp1250", "windows1250 cp1250"),
    ("cp1251", "windows1251 cp1251"),
    ("cp1253", "windows1253 cp1253"),
    ("cp1254", "windows1254 cp1254 iso88599 latin5"),
    ("cp1257", "windows1257 cp1257"),
    ("iso8859-2", "iso88592 latin2"),
    ("iso8859-5", "iso88595"),
    ("iso8859-7", "iso88597"),
    ("iso8859-15", "iso885915 latin9"),
    ("koi8-r", "koi8r"),
    ("koi8-u", "koi8u"),
]


def upper(codec):
    out = []
    for byte in range(0x80, 0x100):
        try:
            code = ord(bytes([byte]).decode(codec))
        except UnicodeDecodeError:
            code = 0
        out.append(code)
    return out


print("/* Made by make_charset_tables.py. */")
for codec, _ in SETS:
    print(f"static const uint16_t upper_{codec.replace('-', '_')}[128] = {{")
    codes = upper(codec)
    for i in range(0, 128, 12):
        print("    " + " ".join(f"0x{code:04x}," for code in codes[i : i + 12]))
    print("};")
print("static const dn_charset sets[] = {")
for codec, names in SETS:
    for name in names.split():
        print(f'    {{"{name}", upper_{codec.replace("-", "_")}}},')
print("};")
