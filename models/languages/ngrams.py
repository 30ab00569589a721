"""Texts as the program sees them for its linear models: src/text/ngrams.h, rule 2, as a sparse matrix.

A matrix has a row a text and a column a bucket; values are those of dn_ngrams_of. `train.py` compares what it trained with what the
program scores, so that a difference between the two would be found.
"""
import unicodedata

import numpy as np
import scipy.sparse as sp

RULE, BITS = 2, 18
BUCKETS, HALF = 1 << BITS, 1 << BITS - 1
LONGEST = 5
STEP, PAIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
SHIFT = np.uint64(65 - BITS)
BLANK = ord(" ")


class Characters(dict):
    """What becomes of each character: in lower case, nothing, a blank, or with a blank on both sides."""

    def __missing__(self, c):
        kind = unicodedata.category(c)
        if c in "\t\n\r" or kind[0] == "Z":
            made = " "
        elif kind[0] == "C" or c == "\ufffd":
            made = ""
        elif kind[0] == "P" or (c.isascii() and not c.isalnum()):
            made = f" {c} "
        else:
            made = c.lower()
        self[c] = made
        return made


CHARACTERS = Characters()


def prepared(text):
    return " " + "".join(w + " " for w in "".join(CHARACTERS[c] for c in text).split(" ") if w)


def word_hashes(code, begin, length):
    """Of the words that begin at `begin`: characters one by one, all words side by side."""
    order = np.argsort(-length, kind="stable")
    begin, length, found = begin[order], length[order], np.full(len(begin), STEP)
    for i in range(length[0] if len(length) else 0):
        n = np.searchsorted(-length, -i, side="left")
        found[:n] = (found[:n] + code[begin[:n] + i]) * STEP
    out = np.empty_like(found)
    out[order] = found
    return out


def met(texts):
    """(row, bucket) of every n-gram of every text."""
    texts = [prepared(t) for t in texts]
    code = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32).astype(np.uint64)
    row = np.repeat(np.arange(len(texts)), [len(t) for t in texts])
    blank = np.flatnonzero(code == BLANK)
    at = np.arange(len(code))
    following = np.append(blank, len(code))[np.searchsorted(blank, at, side="right")]  # the next blank
    inside = np.zeros(len(code), bool)
    inside[:-1] = row[1:] == row[:-1]  # all but a text's last blank begin runs
    rows, buckets = [], []
    padded, run = np.append(code, np.zeros(LONGEST, np.uint64)), (STEP + code) * STEP
    for k in range(1, LONGEST):
        run = (run + padded[k:k + len(code)]) * STEP
        valid = inside & (at + k <= following)
        rows.append(row[valid])
        buckets.append(HALF + (run[valid] >> SHIFT).astype(np.int64))
    begin = blank[:-1][row[blank[1:]] == row[blank[:-1]]] + 1
    words = word_hashes(code, begin, following[begin - 1] - begin)
    pairs = np.flatnonzero(row[begin[1:]] == row[begin[:-1]])
    rows += [row[begin], row[begin[pairs]]]
    buckets += [(words >> SHIFT).astype(np.int64), ((words[pairs] * PAIR + words[pairs + 1]) * STEP >> SHIFT).astype(np.int64)]
    return np.concatenate(rows), np.concatenate(buckets)


def matrix(texts):
    """[len(texts)][BUCKETS] of float32."""
    rows, buckets = met(texts)
    keys, often = np.unique(rows * BUCKETS + buckets, return_counts=True)
    row, bucket = keys // BUCKETS, keys % BUCKETS
    value = 1 + np.log(np.minimum(often, 255))
    group = 2 * row + (bucket >= HALF)
    squares = np.bincount(group, value * value, 2 * len(texts))
    value = (value / np.sqrt(squares[group])).astype(np.float32)
    return sp.csr_matrix((value, (row, bucket)), shape=(len(texts), BUCKETS))
