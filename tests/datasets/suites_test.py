"""datasets/suites.py: archives of our own making that lie are refused with file and line; the real ones, where $DUNLIN_DATA
has them, give as many texts as their publishers say, and no leak that another program can find."""
import collections
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITES, LEAKS = ROOT / "datasets" / "suites.py", ROOT / "datasets" / "leaks.py"
sys.path.append(str(SUITES.parent))

import identity  # noqa: E402
import leaks  # noqa: E402

DATA = pathlib.Path(os.environ.get("DUNLIN_DATA", ROOT.parent / "shared" / "data"))
VALIDATION = {"emoji": 5000, "emotion": 374, "hate": 1000, "irony": 955, "offensive": 1324, "sentiment": 2000,
              "topic": 200, "topic-es": 200, "risk": 6506,
              "stance_abortion": 66, "stance_atheism": 52, "stance_climate": 40, "stance_feminist": 67, "stance_hillary": 69} | {code: 324 for code in "ar en fr de hi it pt es".split()}


def make(data, out, *names):
    return subprocess.run([sys.executable, SUITES, *names, "--data", data, "--out", out], capture_output=True, text=True)


def pack(folder, name, files):
    with tarfile.open(folder / f"{name}.tar.xz", "w:xz") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def rows_of(path):
    return [row for row in map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1]) if "text" in row]


class Lies(unittest.TestCase):
    def emoji(self, **changed):
        root = "tweeteval/datasets/emoji"
        files = {f"{root}/mapping.txt": b"0\ta\tred\n1\tb\tblue\n", f"{root}/train_text.txt": b"one\ntwo\n",
                 f"{root}/train_labels.txt": b"0\n1\n", f"{root}/val_text.txt": b"three\n", f"{root}/val_labels.txt": b"1\n"}
        return files | {f"{root}/{name}.txt": data for name, data in changed.items()}

    def refused(self, files, words, status=65):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            if files is not None:
                pack(folder, "tweeteval", files)
            done = make(folder, folder / "out", "tweets")
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertFalse((folder / "out" / "tweets.jsonl").exists())

    def test_lies_are_named(self):
        self.refused(self.emoji(train_labels=b"0\n"), "emoji: train_text.txt has 2 lines, train_labels.txt 1")
        self.refused(self.emoji(train_labels=b"0\n2\n"), "train_labels.txt:2: '2' is no number below 2")
        self.refused(self.emoji(val_text=b"\xff\n"), "val_text.txt: is not UTF-8 at byte 1")
        self.refused({}, "mapping.txt: is not in the archive")
        self.refused(None, "tweeteval.tar.xz: is missing", 66)

    def test_a_cut_archive_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            pack(folder, "tweeteval", self.emoji())
            path = folder / "tweeteval.tar.xz"
            path.write_bytes(path.read_bytes()[:-40])
            self.assertEqual(make(folder, folder / "out", "tweets").returncode, 65)


class Own(unittest.TestCase):
    def test_needs_no_archive(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            self.assertEqual(make(folder / "none", folder, "samples", "identity").returncode, 0)
            self.assertEqual(sum(r["task"] == "sentiment" for r in rows_of(folder / "samples.jsonl")), 200)
            groups = collections.Counter(r["slices"]["group"] for r in rows_of(folder / "identity.jsonl") if r["task"] == "hate-harmless")
            self.assertEqual(groups["nobody"], 80)

    def test_training_on_identity_words_is_no_training_on_the_test(self):
        train = identity.harmless() + identity.hateful()
        test = [row[0] for row in identity.test_rows()]
        self.assertEqual(leaks.find(train, test), ([], []))
        self.assertFalse([text for text in train for term in identity.UNSEEN if re.search(rf"(?i)\b{term}\b", text)])
        self.assertEqual(identity.swap("I saw WOMEN", lambda terms: terms[0]), "I saw girls")
        self.assertIsNone(identity.swap("Some womens' day", lambda terms: terms[0]))


@unittest.skipUnless((DATA / "tweeteval.tar.xz").exists(), "the archives are not in $DUNLIN_DATA")
class Real(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls.made.name)
        cls.done = make(DATA, cls.out, "tweets", "languages", "mail")

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    def test_counts_are_the_publishers(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertNotIn("measured on other rows", self.done.stderr)
        counts = collections.Counter(r["task"] for name in ("tweets", "languages") for r in rows_of(self.out / f"{name}.jsonl"))
        self.assertEqual({task: counts[task] for task in VALIDATION}, VALIDATION)

    def test_no_leak_and_a_planted_one(self):
        held = [self.out / "tweets.jsonl", self.out / "languages.jsonl", self.out / "mail.jsonl"]
        for name, validation in {"tweets": held, "mail": held, "languages": held[1:2]}.items():
            train = self.out / f"{name}.train.jsonl"
            done = subprocess.run([sys.executable, LEAKS, train, "--validation", *validation], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        leak = rows_of(self.out / "tweets.jsonl")[7000]
        planted = self.out / "planted.jsonl"
        planted.write_text(json.dumps({"task": "x", "text": "RT @zz: " + leak["text"].upper() + " http://x.example"}) + "\n")
        done = subprocess.run([sys.executable, LEAKS, planted, "--validation", held[0]], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
