#!/usr/bin/env python3
"""How the class colours of src/ui/class_colors.rs were chosen.

Needs numpy. Prints 18 sRGB colours for dark and for light ground: of random palettes within a range of
lightness, improved colour by colour, the one whose least distance between two colours is the largest,
where a distance is the least of those seen with protan and deutan vision (G. M. Machado et al., "A
physiologically-based model for simulation of color vision deficiency", 2009, severity 1) and of half of
that seen with normal vision, in Oklab.
The order puts colours that are far apart first, so that few classes are told apart best.
"""

import numpy as np

COUNT, STARTS, ROUNDS = 18, 6, 180
VISIONS = [
    np.eye(3),
    np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
]
LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(srgb):
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    return np.cbrt(np.clip(rgb, 0, 1) @ LMS.T) @ LAB.T


def seen(srgb):
    """`[n, 3]` to `[visions, n, 3]`."""
    return np.stack([oklab(linear(srgb) @ vision.T) for vision in VISIONS])


def distances(one, many):
    return (np.linalg.norm(many - one[:, None], axis=2) * [[0.5], [1.0], [1.0]]).min(axis=0)


def candidates(rng, low, high):
    srgb = rng.uniform(0, 1, (9000, 3))
    lab = oklab(linear(srgb))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    return srgb[(lab[:, 0] >= low) & (lab[:, 0] <= high) & (chroma >= 0.07)]


def choose(seed, low, high):
    best, best_gap = None, 0.0
    for start in range(STARTS):
        rng = np.random.default_rng(seed + start)
        pool = candidates(rng, low, high)
        views = seen(pool)
        palette = list(rng.choice(len(pool), COUNT, replace=False))
        for round in range(ROUNDS):
            place = round % COUNT
            others = [color for at, color in enumerate(palette) if at != place]
            gaps = np.min([distances(views[:, color], views) for color in others], axis=0)
            palette[place] = int(gaps.argmax())
        gap = min(
            distances(views[:, a], views[:, [b]])[0] for i, a in enumerate(palette) for b in palette[:i]
        )
        if gap > best_gap:
            best, best_gap = pool[palette], gap
    return best, best_gap


def ordered(srgb):
    views = seen(srgb)
    gaps = np.array([distances(views[:, i], views) for i in range(len(srgb))])
    order = [int(gaps.sum(axis=0).argmax())]
    while len(order) < len(srgb):
        nearest = gaps[order].min(axis=0)
        nearest[order] = -1
        order.append(int(nearest.argmax()))
    return srgb[order]


def main():
    for name, low, high in [("DARK", 0.56, 0.94), ("LIGHT", 0.36, 0.76)]:
        colors, gap = choose(7, low, high)
        print(f"{name}: least distance {gap:.3f}")
        for color in ordered(colors):
            print("    rgb({}, {}, {}),".format(*np.round(color * 255).astype(int)))


if __name__ == "__main__":
    main()
