#!/usr/bin/env python3
"""Quality and time of openTSNE's maps, and of ours beside them.

    pip install openTSNE==1.0.4 scikit-learn
    python scripts/tsne_reference.py                               # numbers for the test
    python scripts/tsne_reference.py --lens target/debug/tagood-lens digits clusters:2000

Without arguments: the points of the test in src/eval/tsne/tests.rs, as openTSNE maps them. With
--lens: each set is mapped by both programs, one after the other, ours before and after. The
divergence is computed here, for both maps in the same way, from affinities of all pairs (up to 5,000
points) or of the exact 3 x 30 nearest neighbours; the normaliser is a sum over all pairs.
"""

import argparse
import pathlib
import subprocess
import tempfile
import time

import numpy as np

PERPLEXITY, ITERATIONS, EXAGGERATED, THREADS = 30, 1000, 250, 2


def test_points(n=1000, d=20, clusters=10):
    """The test's points, by the same generator."""
    state, mask = 1, (1 << 64) - 1

    def uniform():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & mask
        return (state >> 11) / (1 << 53)

    def bell():
        return uniform() + uniform() + uniform() + uniform() - 2.0

    centers = [2.0 * bell() for _ in range(clusters * d)]
    rows = [[centers[i % clusters * d + j] + bell() for j in range(d)] for i in range(n)]
    return np.array(rows, dtype=np.float32)


def points(name):
    if name == "test":
        return test_points()
    if name == "digits":
        from sklearn.datasets import load_digits

        return load_digits().data.astype(np.float32)
    # clusters:N are 50 normal clusters in 512 dimensions. In `uneven:N` their widths differ so much
    # that points of wide clusters lie nearer to narrow clusters than to each other.
    kind, n = name.split(":")
    n, rng = int(n), np.random.default_rng(7)
    centers, label = rng.normal(size=(50, 512)) * 0.35, rng.integers(0, 50, n)
    width = rng.uniform(0.3, 1.0, (50, 1)) if kind == "uneven" else np.full((50, 1), 0.7)
    return (centers[label] + rng.normal(size=(n, 512)) * width[label]).astype(np.float32)


def affinities(x):
    """Joint probabilities as (row, column, value)."""
    from sklearn.neighbors import NearestNeighbors

    n = len(x)
    k = n - 1 if n <= 5000 else 3 * PERPLEXITY
    x = x.astype(np.float64)
    far, near = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors()
    p, target = np.empty((n, k)), np.log(PERPLEXITY)
    for i in range(n):
        d = far[i] ** 2 - far[i, 0] ** 2
        low, high, beta = 0.0, np.inf, 1.0 / d.mean()
        for _ in range(200):
            w = np.exp(-beta * d)
            entropy = np.log(w.sum()) + beta * (w * d).sum() / w.sum()
            if abs(entropy - target) < 1e-9:
                break
            low, high = (beta, high) if entropy > target else (low, beta)
            beta = 2.0 * beta if np.isinf(high) else 0.5 * (low + high)
        p[i] = w / w.sum()
    from scipy.sparse import csr_matrix

    p = csr_matrix((p.ravel(), near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    p = ((p + p.T) / (2 * n)).tocoo()
    keep = p.data > 0
    return p.row[keep], p.col[keep], p.data[keep]


def divergence(joint, y):
    row, column, p = joint
    y = y.astype(np.float64)
    z = -float(len(y))
    for start in range(0, len(y), 500):
        block = y[start : start + 500]
        d = ((block[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)
        z += (1.0 / (1.0 + d)).sum()
    w = 1.0 / (1.0 + ((y[row] - y[column]) ** 2).sum(axis=1))
    return float((p * np.log(p * z / w)).sum())


def trust(x, y):
    """Trustworthiness@12, of 5,000 points drawn at random where there are more."""
    from sklearn.manifold import trustworthiness

    if len(x) > 5000:
        some = np.random.default_rng(1).choice(len(x), 5000, replace=False)
        x, y = x[some], y[some]
    return trustworthiness(x, y, n_neighbors=12)


def by_opentsne(x, neighbors):
    import openTSNE

    start = time.perf_counter()
    y = openTSNE.TSNE(
        perplexity=PERPLEXITY,
        early_exaggeration_iter=EXAGGERATED,
        n_iter=ITERATIONS - EXAGGERATED,
        initialization="pca",
        neighbors=neighbors,
        n_jobs=THREADS,
        random_state=7,
    ).fit(x)
    return np.asarray(y), time.perf_counter() - start


def by_lens(program, x):
    with tempfile.TemporaryDirectory() as folder:
        features, out = pathlib.Path(folder, "x.npy"), pathlib.Path(folder, "y.csv")
        np.save(features, x)
        start = time.perf_counter()
        subprocess.run(
            [program, "tsne", "--features", features, "--out", out, "--quiet"],
            env={"RAYON_NUM_THREADS": str(THREADS)},
            check=True,
        )
        taken = time.perf_counter() - start
        return np.loadtxt(out, delimiter=",", skiprows=1)[:, 1:], taken


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("sets", nargs="*", default=["test"], help="test, digits, clusters:N, uneven:N")
    arguments.add_argument("--lens", help="our program, to compare with")
    arguments.add_argument(
        "--exact", action="store_true", help="also openTSNE with exact neighbours, not its default"
    )
    arguments = arguments.parse_args()
    for name in arguments.sets:
        x = points(name)
        maps = []
        if arguments.lens:
            maps.append(("ours", *by_lens(arguments.lens, x)))
        maps.append(("openTSNE", *by_opentsne(x, "auto")))
        if arguments.exact:
            maps.append(("openTSNE, exact neighbours", *by_opentsne(x, "exact")))
        if arguments.lens:
            maps.append(("ours again", *by_lens(arguments.lens, x)))
        joint = affinities(x)
        for who, y, seconds in maps:
            print(
                f"{name}: {who}: KL {divergence(joint, y):.4f}, "
                f"trustworthiness@12 {trust(x, y):.4f}, {seconds:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
