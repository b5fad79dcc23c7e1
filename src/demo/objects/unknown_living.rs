//! Crab, ice cream, penguin and snail: living (or edible) things outside the vocabulary.

use super::{INK, Look, PAPER, SHADOW, SHEEN};
use crate::demo::paint::{
    Affine, Painter, across, arc, circle, down, glow, oval, poly, rgb, smooth, turn,
};

/// A crab with raised claws.
pub(super) fn crab(p: &mut Painter, look: &Look) {
    let mirrored = Affine { x: [-1.0, 0.0], y: [0.0, 1.0], origin: [0.0, 0.0] };
    crab_side(p, look);
    p.placed(&mirrored, |p| crab_side(p, look));
    let shell = smooth(&[
        [0.0, -26.0],
        [40.0, -20.0],
        [62.0, 6.0],
        [44.0, 36.0],
        [0.0, 46.0],
        [-44.0, 36.0],
        [-62.0, 6.0],
        [-40.0, -20.0],
    ]);
    p.body(shell, glow(-18.0, -12.0, 92.0, look.main.lighter(20), look.main.darker(30)), |p| {
        p.fill(oval(0.0, 44.0, 60.0, 20.0), look.main.lighter(46));
        for (x, y, r) in
            [(-34.0, 2.0, 6.0), (36.0, 0.0, 5.0), (-18.0, -12.0, 4.0), (22.0, -14.0, 4.0)]
        {
            p.fill(circle(x, y, r), look.main.darker(36));
        }
        p.line(arc(0.0, 8.0, 16.0, 12.0, 0.06, 0.44), 3.6, look.main.darker(56));
    });
    for x in [-17.0, 17.0] {
        p.line(poly(&[[x, -22.0], [x, -44.0]]), 6.0, look.main.darker(12));
        p.fill(circle(x, -46.0, 11.0), PAPER);
        p.fill(circle(x * 0.86, -46.0, 5.4), INK);
    }
}

fn crab_side(p: &mut Painter, look: &Look) {
    for (y, reach) in [(22.0, 88.0), (32.0, 78.0), (40.0, 60.0)] {
        let d = format!("M40 {y}L{} {}L{reach} {}", reach - 8.0, y - 4.0, y + 26.0);
        p.line(d.as_str(), 8.0, look.main.darker(28));
    }
    p.line("M48-4L76-18L72-40", 11.0, look.main.darker(14));
    p.fill(
        "M66-42C40-60 46-96 74-92C66-80 68-72 72-66\
                 C78-72 84-82 84-92C104-84 104-50 82-40Z",
        down(-92.0, look.main.lighter(14), -40.0, look.main.darker(16)),
    );
}

/// Scoops in a cone.
pub(super) fn icecream(p: &mut Painter, look: &Look) {
    p.body("M-40-2L40-2L0 97Z", across(-40.0, rgb(238, 188, 116), 40.0, rgb(196, 132, 74)), |p| {
        for i in -5..8 {
            let x = i as f32 * 18.0;
            p.line(poly(&[[x - 40.0, -10.0], [x + 20.0, 100.0]]), 2.4, rgb(168, 106, 62));
            p.line(poly(&[[x + 40.0, -10.0], [x - 20.0, 100.0]]), 2.4, rgb(168, 106, 62));
        }
        p.fill("M-50-10L50-10L50 8C20 20-20 20-50 8Z", SHADOW);
    });
    scoop(p, 0.0, -18.0, 45.0, look.accent);
    scoop(p, 0.0, -56.0, 37.0, look.main);
    for (i, ink) in
        [rgb(236, 92, 104), rgb(88, 158, 214), rgb(250, 206, 88), PAPER].into_iter().enumerate()
    {
        let [u, v] = turn(0.55 + i as f32 * 0.11);
        p.line(
            poly(&[[u * 24.0 - 3.0, -56.0 + v * 22.0], [u * 24.0 + 4.0, -53.0 + v * 22.0]]),
            4.0,
            ink,
        );
    }
    p.line("M4-92C8-100 16-102 22-100", 3.0, rgb(96, 130, 70));
    p.fill(circle(2.0, -88.0, 10.0), glow(-2.0, -91.0, 14.0, rgb(244, 106, 110), rgb(176, 40, 62)));
}

fn scoop(p: &mut Painter, x: f32, y: f32, r: f32, ink: crate::demo::paint::Ink) {
    let outline = smooth(&[
        [x, y - r],
        [x + r * 0.72, y - r * 0.7],
        [x + r, y],
        [x + r * 1.02, y + r * 0.5],
        [x + r * 0.7, y + r * 0.42],
        [x + r * 0.36, y + r * 0.7],
        [x, y + r * 0.46],
        [x - r * 0.36, y + r * 0.66],
        [x - r * 0.7, y + r * 0.4],
        [x - r * 1.02, y + r * 0.52],
        [x - r, y],
        [x - r * 0.72, y - r * 0.7],
    ]);
    p.body(
        outline,
        glow(x - r * 0.35, y - r * 0.4, r * 1.6, ink.lighter(26), ink.darker(24)),
        |p| {
            p.fill(oval(x - r * 0.4, y - r * 0.45, r * 0.2, r * 0.14), SHEEN);
        },
    );
}

/// A penguin, seen from the front.
pub(super) fn penguin(p: &mut Painter, look: &Look) {
    let coat = look.main.darker(46);
    for side in [-1.0, 1.0] {
        p.fill(oval(side * 24.0, 86.0, 24.0, 10.0), rgb(240, 150, 58));
        let flipper = smooth(&[
            [side * 40.0, -22.0],
            [side * 66.0, 10.0],
            [side * 76.0, 46.0],
            [side * 56.0, 38.0],
            [side * 40.0, 20.0],
        ]);
        p.fill(flipper, coat.darker(16));
    }
    let body = smooth(&[
        [0.0, -94.0],
        [32.0, -82.0],
        [40.0, -50.0],
        [50.0, 0.0],
        [52.0, 50.0],
        [36.0, 84.0],
        [0.0, 90.0],
        [-36.0, 84.0],
        [-52.0, 50.0],
        [-50.0, 0.0],
        [-40.0, -50.0],
        [-32.0, -82.0],
    ]);
    p.body(body, across(-50.0, coat.lighter(14), 50.0, coat.darker(20)), |p| {
        p.fill(
            smooth(&[
                [0.0, -30.0],
                [30.0, -14.0],
                [36.0, 40.0],
                [22.0, 78.0],
                [0.0, 84.0],
                [-22.0, 78.0],
                [-36.0, 40.0],
                [-30.0, -14.0],
            ]),
            PAPER,
        );
        p.fill(oval(-15.0, -58.0, 17.0, 20.0), PAPER);
        p.fill(oval(15.0, -58.0, 17.0, 20.0), PAPER);
        p.fill("M20-30C50 0 30 60 10 100L90 100L90-30Z", SHADOW);
    });
    for x in [-13.0, 13.0] {
        p.fill(circle(x, -60.0, 6.0), INK);
        p.fill(circle(x + 2.0, -62.0, 2.0), PAPER);
    }
    p.fill("M-12-50C-6-56 6-56 12-50C8-40 2-36 0-34C-2-36-8-40-12-50Z", rgb(240, 150, 58));
    p.line("M-38-24C-16-12 16-12 38-24", 10.0, look.accent);
    p.fill("M16-20L32-18L34 18L18 20Z", look.accent.darker(8));
}

/// A snail under its spiral shell, facing left.
pub(super) fn snail(p: &mut Painter, look: &Look) {
    let flesh = look.accent.mix(rgb(236, 196, 142), 88);
    p.line("M-62-14L-78-54M-52-16L-50-58", 5.0, flesh.darker(16));
    p.fill(circle(-79.0, -57.0, 7.0), INK);
    p.fill(circle(-50.0, -61.0, 7.0), INK);
    let body = smooth(&[
        [-80.0, 0.0],
        [-66.0, -24.0],
        [-44.0, -16.0],
        [-34.0, 26.0],
        [20.0, 40.0],
        [70.0, 46.0],
        [98.0, 62.0],
        [20.0, 64.0],
        [-50.0, 64.0],
        [-76.0, 44.0],
    ]);
    p.body(body, down(-24.0, flesh.lighter(16), 64.0, flesh.darker(26)), |p| {
        p.fill("M-100 54L100 54L100 70L-100 70Z", SHADOW)
    });
    p.line("M-74 10C-70 16-62 16-58 12", 3.0, INK);
    p.body(
        circle(20.0, 0.0, 54.0),
        glow(2.0, -22.0, 92.0, look.main.lighter(22), look.main.darker(34)),
        |p| {
            let mut spiral = Vec::with_capacity(60);
            for i in 0..60 {
                let t = i as f32 / 59.0;
                let [u, v] = turn(0.15 + t * 2.4);
                let r = 5.0 + 50.0 * t;
                spiral.push([22.0 + u * r, 2.0 + v * r]);
            }
            for pair in spiral.windows(2) {
                p.line(poly(pair), 6.0, look.main.darker(50));
            }
            p.fill(oval(-4.0, -30.0, 12.0, 8.0), SHEEN);
        },
    );
}
