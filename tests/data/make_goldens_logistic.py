"""Writes golden/logistic.safetensors: rows, labels and what scikit-learn's LogisticRegression makes of them.

  pip install scikit-learn safetensors
  python tests/data/make_goldens_logistic.py

x [rows, columns] (float32), label [rows] (int32), and for each strength C of STRENGTHS: C.weight [labels, columns], C.bias [labels]
(without their common share, which the probabilities do not show) and C.probability [rows, labels]; float32, minimised in float64.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden" / "logistic.safetensors"
ROWS, COLUMNS, LABELS = 150, 12, 4
STRENGTHS = ["0.01", "1", "10"]

rng = np.random.default_rng(8)
centre = rng.standard_normal((LABELS, COLUMNS))
label = np.arange(ROWS, dtype=np.int32) % LABELS
x = (centre[label] + 1.5 * rng.standard_normal((ROWS, COLUMNS))).astype(np.float32)
out = {"x": x, "label": label}
for strength in STRENGTHS:
    model = LogisticRegression(C=float(strength), tol=1e-10, max_iter=10000).fit(x.astype(np.float64), label)
    out[strength + ".weight"] = model.coef_.astype(np.float32)
    out[strength + ".bias"] = (model.intercept_ - model.intercept_.mean()).astype(np.float32)
    out[strength + ".probability"] = model.predict_proba(x.astype(np.float64)).astype(np.float32)
save_file({name: np.ascontiguousarray(values) for name, values in out.items()}, GOLDEN)
