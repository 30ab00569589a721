"""datasets/topics.py and crises.py on corpora of our own making: what becomes a label, what is left out, what is kept apart."""
import collections
import lzma
import pathlib
import subprocess
import sys
import tempfile
import unittest

from suites_test import pack

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "datasets"))

import archives  # noqa: E402
import crises  # noqa: E402
import leaks  # noqa: E402
import topics  # noqa: E402

LONG = "a sentence that is long enough"


def corpus(folder, rows):
    """The large corpus with these rows: (date, author, content, language)."""
    lines = ["publish_date,author_id,content,language"] + [",".join(row) for row in rows]
    (folder / topics.CORPUS).write_bytes(lzma.compress("\n".join(lines).encode()))


def author(late):
    """One of those whose late, or early, tweets are kept."""
    return next(str(n) for n in range(100) if (topics.number(str(n)) % topics.SILVER_AUTHORS == 0) == late)


class Topics(unittest.TestCase):
    def test_the_table_is_sound(self):
        lines = (ROOT / "datasets" / "topics.tsv").read_text().splitlines()
        self.assertEqual(len(lines), 19)
        for line in lines:
            topic, tags = line.split("\t")
            tags = tags.split()
            self.assertEqual(tags, sorted(set(tags)), topic)
            self.assertFalse([tag for tag in tags if tag != tag.lower() or not topics.HASHTAG.fullmatch("#" + tag)], topic)

    def test_hashtags_become_labels_and_go(self):
        self.assertEqual(topics.label("We won! #NFL #ourtown  #nowplaying"), ("We won! #ourtown", {"sports", "music"}))
        self.assertEqual(topics.label("no sign #of it"), ("no sign #of it", set()))

    def test_a_text_is_kept_once_with_all_its_labels(self):
        found = list(topics.rows([("train", "1", f"{LONG} #nfl"), ("train", "2", f"RT @x: {LONG.upper()}! #music"), ("silver", "3", f"{LONG} #food"),
                                  ("train", "1", "short #nfl"), ("train", "1", "this one is a validation text #nfl")],
                                 {leaks.fold("This one is a validation text")}))
        self.assertEqual([(row["text"], row["labels"], row["part"]) for row in found], [(LONG, ["music", "sports"], "train")])

    def test_an_author_has_a_share(self):
        texts = [("train", who, f"{LONG} number {n} by {who} #nfl") for n in range(100) for who in ("1", "2")]
        self.assertEqual(len(list(topics.rows(texts))), 2 * topics.MOST_PER_AUTHOR)
        self.assertEqual(len(list(topics.rows((part, None, text) for part, _, text in texts))), 200)

    def test_parts_share_neither_authors_nor_times(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            corpus(folder, [(date, author(late), f"{LONG} {date} {late} #nfl", "English")
                            for date in ("2016-01-01 00:00:00", "2017-08-01 00:00:00") for late in (False, True)]
                   + [("2016-01-01 00:00:00", author(False), f"{LONG} indeed #nfl", "Russian")])
            found = topics.load(folder)
            self.assertEqual(sorted((row["part"], row["text"][len(LONG) + 1:]) for row in found),
                             [("silver", "2017-08-01 00:00:00 True"), ("train", "2016-01-01 00:00:00 False")])

    def test_what_is_wrong_with_the_corpus_is_named(self):
        def status(folder):
            return subprocess.run([sys.executable, ROOT / "datasets" / "topics.py", "--data", folder], capture_output=True, text=True)

        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(status(folder).returncode, 66)
            path = pathlib.Path(folder) / topics.CORPUS
            corpus(path.parent, [])
            path.write_bytes(path.read_bytes()[:-8])
            done = status(folder)
            self.assertEqual(done.returncode, 65)
            self.assertIn("cannot be read", done.stderr)


class Crises(unittest.TestCase):
    def load(self, folder):
        def t6(label):
            return ("tweet id, tweet, label\n" + "".join(f"'{n}',\"text, {n}\",{label}\n" for n in range(10))).encode()

        def t26(*labels):
            return ("Tweet ID, Tweet Text, Information Source, Information Type, Informativeness\n"
                    + "".join(f'"{n}","other {n}",Media,Advice,{label}\n' for n, label in enumerate(labels))).encode()

        pack(folder, "crisislex", {
            "crisislex/CrisisLexT6/2013_Alberta_Floods/2013_Alberta_Floods-ontopic_offtopic.csv": t6("off-topic"),
            "crisislex/CrisisLexT6/2012_Sandy_Hurricane/2012_Sandy_Hurricane-ontopic_offtopic.csv": t6("on-topic"),
            "crisislex/CrisisLexT26/2013_Alberta_floods/x-labeled.csv": t26("Related and informative", "Not applicable", "Not related"),
            "crisislex/CrisisLexT26/2013_Sardinia_floods/x-labeled.csv": t26("Related and informative")})
        return crises.load(folder)

    def test_whole_crises_are_apart(self):
        with tempfile.TemporaryDirectory() as folder:
            rows = self.load(pathlib.Path(folder))
        train, validation = crises.split(rows)
        self.assertEqual(collections.Counter((row["crisis"], row["label"]) for row in train), {("2012_sandy_hurricane", "on-topic"): 10})
        self.assertEqual(collections.Counter((row["set"], row["label"]) for row in validation),
                         {("T6", "off-topic"): 2, ("T26", "on-topic"): 1, ("T26", "off-topic"): 1})
        self.assertEqual(rows[0]["text"], "text, 0")

    def test_folds_have_each_crisis_once(self):
        rows = [{"crisis": f"{kind}{n}", "set": kind} for kind, most in (("T6", 5), ("T26", 8)) for n in range(most)]
        self.assertEqual(sorted(crisis for fold in crises.folds(rows) for crisis in fold), sorted(row["crisis"] for row in rows))

    def test_a_missing_archive_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertRaises(FileNotFoundError, crises.load, pathlib.Path(folder))
            (pathlib.Path(folder) / "crisislex.tar.xz").write_bytes(b"no archive")
            self.assertRaises(archives.Bad, crises.load, pathlib.Path(folder))


if __name__ == "__main__":
    unittest.main()
