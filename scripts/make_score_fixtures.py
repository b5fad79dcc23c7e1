#!/usr/bin/env python3
"""Expected scores of every detector, computed with NumPy, SciPy and torch's autograd in float64.

    python scripts/make_score_fixtures.py tests/fixtures/score [--reference FOLDER]

Written from the papers' formulas and not from the Rust code: covariances through scipy.linalg.pinvh, the
principal space through eigh, GradNorm through a real backward pass. With --reference, the class scores
are also compared with `class_scores` and `ood_scores` of the ram_reference.py in that folder.

Two worlds: "plain", with features that vary in every direction, and "layernorm", whose features went
through a LayerNorm and therefore lie in a hyperplane (singular covariance). In both, class 10 has one
training sample and class 11 none. The last ten test samples are edge cases.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from scipy.linalg import pinvh
from scipy.special import log_softmax, logsumexp, rel_entr, softmax

N, C, D, G, W, E, TEST = 200, 12, 24, 4, 20, 16, 40
LARGEST = float(np.finfo(np.float32).max)


def world(kind: str) -> dict[str, np.ndarray]:
    """Random but class-like inputs, rounded to float32."""
    rng = np.random.default_rng({"plain": 11, "layernorm": 12}[kind])
    labels = np.concatenate([np.arange(N - 1) % (C - 2), [C - 2]])
    means = {name: rng.normal(size=(C, width)) for name, width in (("f", D), ("o", W), ("e", E))}

    def layer_norm(x):
        if kind == "plain":
            return x
        return (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-6)

    def draw(name, at, spread):
        return means[name][at] + spread * rng.normal(size=(len(at), means[name].shape[1]))

    near = rng.integers(0, C, TEST - 20)
    features = layer_norm(draw("f", labels, 0.9))
    test = np.concatenate([layer_norm(draw("f", near, 0.9)), layer_norm(2 * rng.normal(size=(20, D)))])
    centers = layer_norm(means["f"] + 0.1 * rng.normal(size=(C, D)))
    weight, bias = 0.4 * means["f"] + 0.1 * rng.normal(size=(C, D)), 0.3 * rng.normal(size=C)

    test[-10] = 0.0  # no feature at all
    test[-9] = -np.abs(test[-9])  # nothing positive
    test[-8] = 1.0  # every channel ties
    test[-7] = np.repeat([2.0, -1.0], D // 2)  # the largest channels tie
    test[-6] = 1000 * test[0]  # very long
    test[-5] = 1e-3 * test[1]  # very short
    test[-4] = features[3]  # a training feature
    test[-3] = centers[5]  # a center
    test[-2] = np.eye(D)[2]  # one channel
    test[-1, : D // G] = 0.0  # one pattern is zero

    out = {
        "train.features": features,
        "train.object_tokens": draw("o", labels, 1.0),
        "train.ce_features": draw("e", labels, 1.0),
        "test.features": test,
        "test.tag_scores": np.concatenate([rng.uniform(size=TEST - 2), [0.0, 1.0]]),
        "test.object_tokens": np.concatenate([draw("o", near, 1.0), rng.normal(size=(20, W))]),
        "test.ce_features": np.concatenate([draw("e", near, 1.0), rng.normal(size=(20, E))]),
        "test.odin_logits": 5 * rng.normal(size=(TEST, C)),
        "weight": weight,
        "bias": bias,
        "centers": centers.reshape(C, G, D // G),
    }
    out["test.object_tokens"][-10] = 0.0
    out = {name: value.astype(np.float32) for name, value in out.items()}
    for part in ("train", "test"):
        logits = out[f"{part}.features"].astype(float) @ out["weight"].T.astype(float) + out["bias"]
        out[f"{part}.class_logits"] = logits.astype(np.float32)
    out["train.labels"] = labels.astype(np.int32)
    return out


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of every row of a with every row of b."""
    la, lb = (np.maximum(np.linalg.norm(x, axis=-1), 1e-8) for x in (a, b))
    return a @ b.T / la[:, None] / lb


def unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.divide(x, length, out=np.zeros_like(x), where=length > 0)


def class_means(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.stack([x[labels == k].mean(0) for k in range(C) if (labels == k).any()])


def expected(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    labels = w["train.labels"]
    w = {name: value.astype(float) for name, value in w.items()}
    weight, bias, centers = w["weight"], w["bias"], w["centers"].reshape(C, D)
    train, f = w["train.features"], w["test.features"]
    logits, train_logits = w["test.class_logits"], w["train.class_logits"]
    p, train_p = softmax(logits, -1), softmax(train_logits, -1)
    energy = logsumexp(logits, -1)
    out = {}

    # distances to the centers
    out["tagood-cosine"] = cosines(f, centers).max(-1)
    groups = [slice(g * D // G, (g + 1) * D // G) for g in range(G)]
    pattern = np.mean([cosines(f[:, g], centers[:, g]) for g in groups], 0).max(-1)
    out["tagood-released"] = pattern * w["test.tag_scores"]
    euclidean = np.linalg.norm(f[:, None] - centers, axis=-1)
    log_q, log_p = log_softmax(f, -1), log_softmax(centers, -1)
    kl = (np.exp(log_p) * (log_p - log_q[:, None])).mean(-1)
    with np.errstate(divide="ignore"):
        out["tagood-euclidean"] = 1 / euclidean.min(-1)
        out["tagood-kl"] = 1 / np.abs(kl).min(-1)
    out["tag-score"] = w["test.tag_scores"]
    out["class-mean-cosine"] = cosines(
        w["test.object_tokens"], class_means(w["train.object_tokens"], labels)
    ).max(-1)
    out["ce-cosine"] = cosines(
        w["test.ce_features"], class_means(w["train.ce_features"], labels)
    ).max(-1)

    # logits
    out["msp"], out["max-logit"], out["energy"] = p.max(-1), logits.max(-1), energy
    out["odin"] = softmax(w["test.odin_logits"] / 1000, -1).max(-1)
    top = np.sort(p, -1)[:, -100:]
    out["gen"] = -(top**0.1 * (1 - top) ** 0.1).sum(-1)
    out["gradnorm"] = gradnorm(f, weight, bias)
    predicted = train_logits.argmax(-1)
    templates = np.stack([train_p[predicted == k].mean(0) for k in np.unique(predicted)])
    out["klm"] = -rel_entr(p[:, None], templates).sum(-1).min(-1)

    # changed features
    def shaped(x, matrix=weight):
        return logsumexp(x @ matrix.T + bias, -1)

    out["react"] = shaped(np.minimum(f, np.percentile(train, 90)))
    out["ash-s"] = np.array([shaped(ash_s(x, 90)) for x in f])
    out["scale"] = np.array([shaped(x * np.exp(ratio(x, 85)[0])) for x in f])
    low, high = np.percentile(train, [10, 95])
    y = np.maximum(f, low)
    damped = y / np.sqrt(1 + (y / high) ** 4) + low
    out["lhact"] = shaped(np.where(y < high, y, damped))
    contribution = weight * train.mean(0)
    out["dice"] = shaped(f, weight * (contribution > np.percentile(contribution, 90)))
    out["feature-norm"] = np.linalg.norm(np.maximum(f, 0), axis=-1)

    # surroundings of the feature
    z, bank = unit(f), unit(train)
    distances = np.sort(np.linalg.norm(z[:, None] - bank, axis=-1), -1)
    out["knn"] = -distances[:, N // 20 - 1]
    guides = np.sort(cosines(f, train) * logsumexp(train_logits, -1), -1)[:, -10:]
    out["nnguide"] = energy * guides.mean(-1)
    out["mds"], out["rmds"] = mahalanobis(train, labels, f)
    out["mds++"], out["rmds++"] = mahalanobis(bank, labels, z)
    out["vim"] = vim(train, train_logits, f, energy, weight, bias)
    correct = predicted == labels
    patterns = np.zeros((C, D))
    for k in range(C):
        members = labels == k
        if members.any():
            patterns[k] = train[members & correct if (members & correct).any() else members].mean(0)
    out["she"] = (f * patterns[logits.argmax(-1)]).sum(-1)
    return out


def gradnorm(f: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    scores = []
    for x in torch.from_numpy(f):
        matrix = torch.from_numpy(weight).clone().requires_grad_()
        log_p = torch.log_softmax(matrix @ x + torch.from_numpy(bias), -1)
        uniform = torch.full((C,), 1 / C, dtype=torch.float64)
        (uniform * (uniform.log() - log_p)).sum().backward()
        scores.append(matrix.grad.abs().sum().item())
    return np.array(scores)


def ratio(x: np.ndarray, percent: float) -> tuple[float, np.ndarray]:
    """Exponent of the sharpening, kept within 20, and the indices of the largest channels."""
    kept = np.argsort(-x, kind="stable")[: len(x) - int(np.round(len(x) * percent / 100))]
    if x.sum() == 0 and x[kept].sum() == 0:
        return 1.0, kept
    with np.errstate(divide="ignore"):
        return float(np.clip(np.divide(x.sum(), x[kept].sum()), -20, 20)), kept


def ash_s(x: np.ndarray, percent: float) -> np.ndarray:
    exponent, kept = ratio(x, percent)
    out = np.zeros_like(x)
    out[kept] = x[kept] * np.exp(exponent)
    return out


def mahalanobis(train: np.ndarray, labels: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MDS and RMDS."""
    means = np.stack([train[labels == k].mean(0) for k in range(C - 1)])
    inside, whole = train - means[labels], train - train.mean(0)
    precision, background = (pinvh(x.T @ x / N, rtol=1e-9) for x in (inside, whole))

    def squared(x, matrix):
        return np.einsum("...i,ij,...j->...", x, matrix, x)

    nearest = squared(f[:, None] - means, precision).min(-1)
    return -nearest, squared(f - train.mean(0), background) - nearest


def vim(train, train_logits, f, energy, weight, bias):
    origin = -np.linalg.pinv(weight) @ bias
    centered = train - origin
    _, axes = np.linalg.eigh(centered.T @ centered / N)  # ascending
    residual = axes[:, : D - D // 2]
    lengths = np.linalg.norm(centered @ residual, axis=-1)
    alpha = train_logits.max(-1).sum() / lengths.sum()
    return energy - alpha * np.linalg.norm((f - origin) @ residual, axis=-1)


def compare_with_reference(folder: str, w: dict[str, np.ndarray], scores: dict[str, np.ndarray]) -> None:
    sys.path.insert(0, folder)
    import ram_reference

    centers = torch.from_numpy(w["centers"].astype(float))
    names = {
        "tagood-cosine": "paper_cosine",
        "tagood-released": "released",
        "tagood-euclidean": "inverse_euclidean",
        "tagood-kl": "inverse_kl",
    }
    for i in range(TEST - 10):
        feature = torch.from_numpy(w["test.features"][i].astype(float))
        reference = ram_reference.ood_scores(feature, centers, float(w["test.tag_scores"][i]))
        for ours, theirs in names.items():
            np.testing.assert_allclose(scores[ours][i], reference[theirs].item(), rtol=1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--reference")
    args = parser.parse_args()
    for kind in ("plain", "layernorm"):
        w = world(kind)
        scores = expected(w)
        if args.reference:
            compare_with_reference(args.reference, w, scores)
        for name, values in scores.items():
            assert not np.isnan(values).any(), name
            w[f"expected.{name}"] = np.clip(values, -LARGEST, LARGEST).astype(np.float32)
        save_file(w, args.out / f"{kind}.safetensors")
        print(kind, len(scores), "detectors")


if __name__ == "__main__":
    main()
