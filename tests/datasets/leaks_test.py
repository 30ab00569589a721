"""datasets/leaks.py: a leak is found in every disguise, and what only looks like one is not. The texts are our own."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "datasets" / "leaks.py"
sys.path.insert(0, str(PROGRAM.parent))
import leaks  # noqa: E402

HELD = "@ann The 7 o'clock train is late again & nobody says why… http://example.org/x"
DISGUISES = {
    "as it is": HELD,
    "another user": HELD.replace("@ann", "@somebody_else"),
    "no user": HELD.replace("@ann ", ""),
    "a masked user": HELD.replace("@ann", "@user"),
    "another link": HELD.replace("http://example.org/x", "https://t.example/abc?d=1"),
    "a masked link": HELD.replace("http://example.org/x", "http"),
    "a link without space": HELD.replace("\u2026 http", "http"),
    "a link behind a word, in capitals": HELD.replace("\u2026 http", "http").upper(),
    "case": HELD.upper(),
    "punctuation": HELD.replace("'", "\u2019").replace("\u2026", "!!!"),
    "HTML": HELD.replace("&", "&amp;"),
    "HTML twice": HELD.replace("&", "&amp;amp;"),
    "escapes": HELD.replace("\u2026", "\\u2026"),
    "quoted whole": f'"{HELD}"',
    "doubled quotes": HELD.replace("late", '""late""'),
    "a retweet": f"RT @bob: {HELD}",
    "an emoji": HELD + " \U0001f686\ufe0f",
    "wide letters": HELD.replace("late", "\uff4c\uff41\uff54\uff45"),
    "space": HELD.replace(" ", "\t\u00a0"),
}
OTHERS = {
    "a word more": HELD.replace("late", "very late"),
    "another number": HELD.replace("7", "8"),
    "the first half": HELD[:30],
    "only a user": "@ann",
    "nothing but emoji": "\U0001f686",
}


class Fold(unittest.TestCase):
    def test_disguises_are_found(self):
        for name, text in DISGUISES.items():
            with self.subTest(name):
                self.assertEqual(leaks.find(["something else", text], [HELD])[0], [(1, 0)])

    def test_others_are_not(self):
        for name, text in OTHERS.items():
            with self.subTest(name):
                self.assertEqual(leaks.find([text], [HELD, "@bob", "\U0001f600"])[0], [])

    def test_vowel_signs_count(self):
        self.assertNotEqual(leaks.fold("\u0915\u093f\u0924\u093e\u092c"), leaks.fold("\u0915\u0924\u092c"))

    def test_near_versions_are_told_apart(self):
        text = "the river rose by two metres over night, says the mayor"
        exact, near = leaks.find([text + " again", text[:20]], [text])
        self.assertEqual((exact, near), ([], [(0, 0)]))


class Program(unittest.TestCase):
    def run_on(self, train, validation, name="train.jsonl"):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / name, pathlib.Path(folder) / "held.txt"]
            for path, data in zip(paths, (train, validation)):
                path.write_bytes(data)
            return subprocess.run([sys.executable, PROGRAM, paths[0], "--validation", paths[1]], capture_output=True, text=True)

    def test_a_planted_leak_fails(self):
        clean = b'{"task": "t", "text": "one"}\n{"task": "t", "text": "two"}\n'
        self.assertEqual(self.run_on(clean, b"three\nfour\n").returncode, 0)
        found = self.run_on(clean + b'{"task": "t", "text": "RT @x: FOUR!"}\n', b"three\nfour\n")
        self.assertEqual(found.returncode, 1)
        self.assertRegex(found.stdout, r"^leak\t.*train\.jsonl:3\t.*held\.txt:2\t'four'")

    def test_bad_files_are_named(self):
        for train, status, words in ((b'{"text": "cut\n', 65, "train.jsonl:1: is not JSON"), (b"\n", 65, "has no text"),
                                     (b'{"text": "\xff"}\n', 65, "train.jsonl:1: is not UTF-8 at byte 11")):
            done = self.run_on(train, b"x\n")
            self.assertEqual(done.returncode, status)
            self.assertIn(words, done.stderr)
        done = subprocess.run([sys.executable, PROGRAM, "nowhere", "--validation", "nowhere"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 66)


if __name__ == "__main__":
    unittest.main()
