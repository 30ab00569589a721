"""Tweets for the head `risk`: does a tweet tell of a crisis, that is of a disaster, an accident or an attack that harms people?

CrisisLexT6: of its label's name, on-topic or off-topic. CrisisLexT26: on-topic is what its coders called related to the
crisis, informative or not; of its 25 crises those whose tweets are mostly English. One event in both sets is one crisis.

A tweet's text says what crisis it is of, so a split by tweets only measures how well names of places are learned. HELD
crises, chosen before any model was trained, stay out of training whole; FOLDS hold out each crisis once. Standard library
only.
"""
import csv
import io
import re

import archives

LABELS = ("off-topic", "on-topic")
RELATED = {"Related and informative": "on-topic", "Related - but not informative": "on-topic", "Not related": "off-topic"}
ENGLISH = ("2012_Colorado_wildfires", "2012_Philipinnes_floods", "2013_Alberta_floods", "2013_Australia_bushfire",
           "2013_Boston_bombings", "2013_Colorado_floods", "2013_Glasgow_helicopter_crash", "2013_LA_airport_shootings",
           "2013_NY_train_crash", "2013_Queensland_floods", "2013_Savar_building_collapse", "2013_Singapore_haze",
           "2013_Typhoon_Yolanda")
# A flood like others that are in training, a wildfire, and two kinds of accident that no training crisis is of.
HELD = ("2013_alberta_floods", "2013_australia_bushfire", "2013_glasgow_helicopter_crash", "2013_savar_building_collapse")
STEP = 5  # of a held crisis of CrisisLexT6 every fifth tweet, since it has ten thousand
FOLDS = 5


def table(files, name):
    """Rows of one of the sets' files: fields are parted by a comma and sometimes a space."""
    return list(csv.reader(io.StringIO("\n".join(archives.lines(files, name))), skipinitialspace=True))[1:]


def load(data):
    """[{"text", "label", "crisis", "set"}] in the archive's order, T6 before T26."""
    files = archives.members(data, "crisislex", r"CrisisLexT(6|26)/[^/]*/[^/]*\.csv$")
    rows = []
    for name in sorted(files, key=lambda name: ("T26" in name, name)):
        found, folder = re.search(r"CrisisLex(T\d+)", name)[1], name.split("/")[-2]
        if found == "T26" and folder not in ENGLISH:
            continue
        names = RELATED if found == "T26" else dict(zip(LABELS, LABELS))
        rows += [{"text": row[1], "label": names[row[-1]], "crisis": folder.lower(), "set": found}
                 for row in table(files, name) if len(row) == (5 if found == "T26" else 3) and row[-1] in names]
    return rows


def split(rows, held=HELD):
    """(train, validation): whole crises apart; of a held one of T6 every STEP-th tweet."""
    train = [row for row in rows if row["crisis"] not in held]
    counts, validation = {}, []
    for row in rows:
        if row["crisis"] in held:
            n = counts[row["crisis"], row["set"]] = counts.get((row["crisis"], row["set"]), -1) + 1
            if row["set"] == "T26" or n % STEP == 0:
                validation.append(row)
    return train, validation


def folds(rows):
    """FOLDS tuples of crises, each crisis in one; a crisis of T6 in each, since these have most off-topic tweets."""
    large = sorted({row["crisis"] for row in rows if row["set"] == "T6"})
    small = sorted({row["crisis"] for row in rows} - set(large))
    return [tuple(large[i::FOLDS] + small[i::FOLDS]) for i in range(FOLDS)]
