"""Write tests/fixtures/metrics/: scores, and what scikit-learn makes of them.

    python scripts/make_metric_fixtures.py

scores.csv has one set for each case, in the form that `tagood-lens metrics` reads (higher = more
ID, label 1 = ID); expected.json has each set's metrics. scikit-learn refuses infinite scores, so it
is given the ranks of those, which no metric here tells apart from the scores.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.metrics import (
    auc,
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

OUT = pathlib.Path(__file__).parent.parent / "tests" / "fixtures" / "metrics"
SEED = 20240717


def cases(rng):
    normal = rng.normal
    yield "random", normal(1.0, 1.0, 400), normal(0.0, 1.2, 300)
    yield "unbalanced", normal(0.5, 1.0, 37), normal(0.0, 1.0, 900)
    yield "single_precision", *(
        values.astype(np.float32).astype(np.float64)
        for values in (normal(0.3, 0.05, 250), normal(0.25, 0.07, 250))
    )
    yield "tied", rng.integers(2, 12, 500) / 4.0, rng.integers(0, 9, 350) / 4.0
    yield "tied_at_target", np.repeat([3.0, 2.0, 1.0], [90, 5, 5]), np.repeat([2.5, 2.0, 1.5, 0.5], 25)
    yield "constant", np.full(60, 0.25), np.full(40, 0.25)
    yield "saturated", (
        np.clip(normal(0.9, 0.2, 400), 0.0, 1.0)
    ), np.clip(normal(0.6, 0.4, 400), 0.0, 1.0)
    yield "sigmoid_saturated", (
        1.0 / (1.0 + np.exp(-normal(36.0, 3.0, 200)))
    ), 1.0 / (1.0 + np.exp(-normal(30.0, 6.0, 200)))
    yield "separated", normal(10.0, 0.5, 50), normal(-10.0, 0.5, 70)
    yield "reversed", normal(-10.0, 0.5, 50), normal(10.0, 0.5, 70)
    yield "one_each_right", np.array([1.0]), np.array([0.0])
    yield "one_each_wrong", np.array([0.0]), np.array([1.0])
    yield "one_each_tied", np.array([0.0]), np.array([-0.0])
    yield "tiny", np.array([0.9, 0.8, 0.4]), np.array([0.7, 0.4])
    yield "twenty", np.arange(20.0) + 0.5, np.arange(20.0) * 0.75
    yield "neighbouring_floats", (
        1.0 + np.arange(64) * np.finfo(float).eps
    ), 1.0 + np.arange(-32, 32) * np.finfo(float).eps
    yield "extreme_magnitudes", (
        np.array([1e308, 5e-324, 1.0, 1e-300, -1e308])
    ), np.array([-1e308, 0.0, 1e-310, -5e-324])
    yield "infinite", (
        np.concatenate([[np.inf, np.inf, -np.inf], normal(1.0, 1.0, 40)])
    ), np.concatenate([[np.inf, -np.inf, -np.inf], normal(0.0, 1.0, 30)])


def fpr95(positive, score):
    """At the first vertex with a true positive rate of 0.95, and interpolated at 0.95."""
    fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
    at = int(np.argmax(tpr >= 0.95))
    along = (0.95 - tpr[at - 1]) / (tpr[at] - tpr[at - 1])
    return fpr[at], fpr[at - 1] + along * (fpr[at] - fpr[at - 1])


def trapezoid(positive, score):
    precision, recall, _ = precision_recall_curve(positive, score)
    return auc(recall, precision)


def ranks(score):
    return np.unique(score, return_inverse=True)[1].astype(np.float64)


def expected(id_scores, ood_scores):
    score = np.concatenate([id_scores, ood_scores])
    if not np.isfinite(score).all():
        score = ranks(score)
    is_id = np.concatenate([np.ones(len(id_scores)), np.zeros(len(ood_scores))])
    is_ood = 1 - is_id
    vertex, interpolated = fpr95(is_id, score)
    vertex_ood, interpolated_ood = fpr95(is_ood, -score)
    fpr, _, _ = roc_curve(is_id, score, drop_intermediate=False)
    metrics = {
        "auroc": roc_auc_score(is_id, score),
        "fpr95": vertex,
        "fpr95_interpolated": interpolated,
        "fpr95_ood_positive": vertex_ood,
        "fpr95_ood_positive_interpolated": interpolated_ood,
        "average_precision_id": average_precision_score(is_id, score),
        "average_precision_ood": average_precision_score(is_ood, -score),
        "aupr_in": trapezoid(is_id, score),
        "aupr_out": trapezoid(is_ood, -score),
    }
    return {name: float(value) for name, value in metrics.items()}, len(fpr)


def main():
    rows, written = ["set,score,label"], []
    for name, id_scores, ood_scores in cases(np.random.default_rng(SEED)):
        metrics, vertices = expected(id_scores, ood_scores)
        written.append({"set": name, "roc_vertices": vertices, "metrics": metrics})
        rows += [f"{name},{float(score)!r},1" for score in id_scores]
        rows += [f"{name},{float(score)!r},0" for score in ood_scores]
    made_with = f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, seed {SEED}"
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "scores.csv").write_text("\n".join(rows) + "\n")
    expected_text = json.dumps({"made_with": made_with, "sets": written}, indent=1)
    (OUT / "expected.json").write_text(expected_text + "\n")


if __name__ == "__main__":
    main()
