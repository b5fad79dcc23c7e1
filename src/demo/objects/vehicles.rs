//! Airplane, bicycle, car and sailboat.

use super::{GLASS, INK, Look, PAPER, SHADOW, SHEEN, STEEL, TIMBER};
use crate::demo::paint::{Affine, Painter, across, circle, down, oval, rect, round_rect, turn};

/// An airliner from above, nose up.
pub(super) fn airplane(p: &mut Painter, look: &Look) {
    let mirrored = Affine { x: [-1.0, 0.0], y: [0.0, 1.0], origin: [0.0, 0.0] };
    wing(p, look);
    p.placed(&mirrored, |p| wing(p, look));
    let hull = "M0-96C12-90 16-70 16-50L14 50C12 76 6 92 0 98\
                 C-6 92-12 76-14 50L-16-50C-16-70-12-90 0-96Z";
    p.body(hull, across(-16.0, PAPER, 18.0, PAPER.darker(26)), |p| {
        p.fill("M-20-74C-8-82 8-82 20-74L20-64C8-70-8-70-20-64Z", INK.lighter(12));
        for i in 0..8 {
            let y = -42.0 + i as f32 * 11.0;
            p.fill(circle(-8.5, y, 2.2), look.main.darker(30));
            p.fill(circle(8.5, y, 2.2), look.main.darker(30));
        }
    });
    p.fill("M-3 44L3 44L5 92L-5 92Z", look.main.darker(12));
}

fn wing(p: &mut Painter, look: &Look) {
    for x in [34.0, 60.0] {
        let y = -18.0 + x * 0.42;
        p.fill(
            round_rect(x - 6.0, y, 12.0, 24.0, 5.0),
            down(y, STEEL.lighter(20), y + 24.0, STEEL.darker(44)),
        );
    }
    p.body(
        "M10-24L94 32C98 36 98 44 96 46L88 46L10 24Z",
        down(-24.0, look.main.lighter(18), 46.0, look.main.darker(22)),
        |p| {
            p.fill("M80 20L100 34L100 50L80 46Z", look.accent);
            p.line("M14 16L90 40", 2.0, look.main.darker(44));
        },
    );
    p.fill("M8 62L44 86L44 94L8 84Z", down(62.0, look.main.lighter(8), 94.0, look.main.darker(28)));
}

/// A bicycle from the side.
pub(super) fn bicycle(p: &mut Painter, look: &Look) {
    for x in [-56.0, 56.0] {
        for i in 0..6 {
            let [cos, sin] = turn(i as f32 / 12.0 + 0.02);
            let [u, v] = [cos * 36.0, sin * 36.0];
            p.line(
                crate::demo::paint::poly(&[[x - u, 34.0 - v], [x + u, 34.0 + v]]),
                1.6,
                STEEL.darker(10),
            );
        }
        p.line(circle(x, 34.0, 37.0), 8.0, INK);
        p.line(circle(x, 34.0, 32.0), 2.4, STEEL);
        p.fill(circle(x, 34.0, 6.0), STEEL.darker(30));
    }
    p.line("M-56 34L-8 36L-22-26Z", 6.4, look.main.darker(14));
    p.line("M-8 36L36-26L-20-22", 7.4, look.main);
    p.line("M56 34L34-44", 7.4, look.main.darker(6));
    p.line("M-22-26L-26-42", 6.0, STEEL.darker(26));
    p.line("M34-44C30-58 40-62 52-58", 6.0, STEEL.darker(30));
    p.line("M50-58L58-54", 9.0, INK);
    p.fill(
        "M-50-50C-34-52-20-50-6-46C-8-38-20-38-30-38\
                 C-40-38-50-42-50-50Z",
        INK.lighter(6),
    );
    p.line(circle(-8.0, 36.0, 11.0), 4.4, STEEL.darker(34));
    p.line("M-8 36L2 52M-4 53L8 51", 4.4, INK);
    if look.variant < 2 {
        p.body(
            round_rect(26.0, -34.0, 40.0, 26.0, 5.0),
            down(-34.0, TIMBER.lighter(34), -8.0, TIMBER),
            |p| {
                p.line(
                    "M26-26L66-26M26-17L66-17M36-34L36-8M46-34L46-8M56-34\
                 L56-8",
                    1.8,
                    TIMBER.darker(26),
                );
            },
        );
    }
}

/// A small car facing left.
pub(super) fn car(p: &mut Painter, look: &Look) {
    let paint = down(-50.0, look.main.lighter(16), 44.0, look.main.darker(22));
    p.fill("M-52-6C-44-34-32-52-16-54L26-54C44-54 58-34 68-8Z", paint);
    p.body("M-42-8C-36-28-28-42-16-44L0-44L0-8Z", GLASS, |p| {
        p.fill("M-30-8L-8-50L4-50L-18-8Z", SHEEN)
    });
    p.body("M7-44L24-44C38-44 46-28 54-8L7-8Z", GLASS, |p| {
        p.fill("M22-8L40-50L50-50L32-8Z", SHEEN)
    });
    let hull = "M-96 32C-98 8-90-4-70-8L-40-12L66-12C88-8 97 6 96 32\
                 C96 38 92 42 86 42L-86 42C-92 42-96 38-96 32Z";
    p.body(hull, paint, |p| {
        p.fill(rect(-100.0, 22.0, 200.0, 30.0), SHADOW);
        p.fill(rect(-100.0, -14.0, 200.0, 5.0), SHEEN);
        p.line("M3-12L3 40", 2.4, look.main.darker(44));
        p.line("M-42-10C-50 10-46 30-40 40", 2.4, look.main.darker(44));
        if look.variant.is_multiple_of(2) {
            p.fill(rect(-100.0, 6.0, 200.0, 8.0), look.accent);
        }
        p.fill(oval(-90.0, 6.0, 10.0, 9.0), PAPER.mix(look.accent, 10));
        p.fill(oval(92.0, 6.0, 7.0, 10.0), crate::demo::paint::rgb(206, 62, 60));
        p.fill(circle(-54.0, 42.0, 27.0), look.main.darker(66));
        p.fill(circle(54.0, 42.0, 27.0), look.main.darker(66));
    });
    p.fill(round_rect(11.0, 0.0, 13.0, 4.6, 2.2), STEEL);
    p.fill(round_rect(-101.0, 28.0, 22.0, 9.0, 4.0), STEEL);
    p.fill(round_rect(79.0, 28.0, 22.0, 9.0, 4.0), STEEL);
    for x in [-54.0, 54.0] {
        p.fill(circle(x, 40.0, 22.0), INK);
        p.fill(circle(x, 40.0, 12.5), down(28.0, PAPER, 54.0, STEEL.darker(12)));
        p.fill(circle(x, 40.0, 4.6), STEEL.darker(50));
    }
}

/// A boat under two sails.
pub(super) fn sailboat(p: &mut Painter, look: &Look) {
    p.line("M-4-92L-4 44", 5.6, TIMBER.darker(12));
    p.body(
        "M4-86C40-56 66-10 72 32C50 38 26 38 4 34Z",
        across(0.0, PAPER.darker(16), 74.0, PAPER),
        |p| {
            let band = if look.variant < 2 {
                "M0-34L100-34L100-14L0-14Z"
            } else {
                "M0 4L100 0L100 50L0 50Z"
            };
            p.fill(band, look.accent);
            p.fill("M0-100L22-60C30-20 30 10 26 50L0 50Z", SHADOW);
        },
    );
    p.body(
        "M-12-74C-40-48-60-10-70 30C-50 36-30 36-12 32Z",
        across(-70.0, look.main.lighter(24), -10.0, look.main.darker(10)),
        |p| {
            p.line("M-12-20L-60 4M-12 10L-80 26", 2.0, look.main.darker(30));
        },
    );
    p.fill("M-4-96L24-88L-4-80Z", look.accent);
    p.body(
        "M-88 42C-50 48 50 48 92 38C86 66 66 82 50 84L-50 84\
                 C-72 80-84 62-88 42Z",
        down(42.0, look.main.lighter(4), 84.0, look.main.darker(36)),
        |p| {
            p.line("M-100 50C-50 58 50 58 100 46", 7.0, PAPER);
            for x in [-40.0, -10.0, 20.0] {
                p.fill(circle(x, 68.0, 6.0), PAPER);
                p.fill(circle(x, 68.0, 3.8), GLASS.darker(40));
            }
        },
    );
}
