//! Butterfly, cat, duck and fish.

use super::{INK, Look, PAPER, SHADOW, SHEEN};
use crate::demo::paint::{Affine, Painter, arc, circle, down, glow, oval, poly, rgb, smooth};

/// Four patterned wings around a slim body.
pub(super) fn butterfly(p: &mut Painter, look: &Look) {
    let mirrored = Affine { x: [-1.0, 0.0], y: [0.0, 1.0], origin: [0.0, 0.0] };
    wings(p, look);
    p.placed(&mirrored, |p| wings(p, look));
    p.line("M-2-44C-8-70-20-84-34-88M2-44C8-70 20-84 34-88", 4.0, INK);
    p.fill(circle(-35.0, -88.0, 5.0), INK);
    p.fill(circle(35.0, -88.0, 5.0), INK);
    p.fill(oval(0.0, 12.0, 8.0, 54.0), down(-40.0, INK.lighter(14), 66.0, INK));
    p.fill(circle(0.0, -44.0, 10.0), INK);
}

fn wings(p: &mut Painter, look: &Look) {
    let lower =
        smooth(&[[4.0, 6.0], [44.0, 8.0], [70.0, 34.0], [62.0, 74.0], [36.0, 84.0], [14.0, 52.0]]);
    p.body(lower, glow(10.0, 14.0, 84.0, look.accent.lighter(10), look.accent.darker(24)), |p| {
        p.fill(circle(46.0, 52.0, 15.0), look.main.darker(10));
        p.fill(circle(46.0, 52.0, 7.0), PAPER);
    });
    let upper = smooth(&[
        [4.0, -6.0],
        [18.0, -46.0],
        [58.0, -80.0],
        [94.0, -72.0],
        [92.0, -30.0],
        [66.0, 4.0],
        [30.0, 10.0],
    ]);
    p.body(upper, glow(6.0, -10.0, 110.0, look.main.lighter(24), look.main.darker(22)), |p| {
        p.line("M104-96C108-40 92-2 56 16", 26.0, look.main.darker(58));
        for (x, y) in [(90.0, -52.0), (84.0, -28.0), (70.0, -8.0)] {
            p.fill(circle(x, y, 4.6), PAPER);
        }
        p.fill(circle(54.0, -40.0, 14.0), look.accent.lighter(30));
        p.fill(circle(54.0, -40.0, 6.0), look.main.darker(40));
    });
}

/// A sitting cat, seen from the front.
pub(super) fn cat(p: &mut Painter, look: &Look) {
    let fur = look.main;
    let dark = fur.darker(34);
    p.line("M38 76C84 84 92 40 74 14", 18.0, down(10.0, dark, 80.0, fur.darker(14)));
    let body = smooth(&[
        [-30.0, 0.0],
        [30.0, 0.0],
        [52.0, 52.0],
        [46.0, 88.0],
        [-46.0, 88.0],
        [-52.0, 52.0],
    ]);
    p.body(body, down(0.0, fur.darker(16), 90.0, fur), |p| {
        p.fill(oval(0.0, 52.0, 22.0, 36.0), fur.lighter(58));
        p.fill("M-60-20L60-20L60 10C30 26-30 26-60 10Z", SHADOW);
    });
    for x in [-20.0, 20.0] {
        p.fill(oval(x, 84.0, 18.0, 10.0), fur.lighter(34));
        p.line(arc(x, 84.0, 5.0, 7.0, -0.02, 0.2), 2.4, dark);
    }
    for side in [-1.0, 1.0] {
        p.fill(
            poly(&[[side * 56.0, -22.0], [side * 52.0, -94.0], [side * 8.0, -64.0]]),
            fur.darker(8),
        );
        p.fill(
            poly(&[[side * 48.0, -40.0], [side * 46.0, -78.0], [side * 20.0, -60.0]]),
            rgb(240, 166, 164),
        );
    }
    let head = smooth(&[
        [0.0, -70.0],
        [38.0, -64.0],
        [62.0, -30.0],
        [46.0, 6.0],
        [0.0, 16.0],
        [-46.0, 6.0],
        [-62.0, -30.0],
        [-38.0, -64.0],
    ]);
    p.body(head, glow(-16.0, -44.0, 96.0, fur.lighter(14), fur.darker(16)), |p| {
        if look.variant < 3 {
            for x in [-16.0, 0.0, 16.0] {
                p.line(poly(&[[x, -74.0], [x * 0.6, -50.0]]), 7.0, dark);
            }
        }
        p.fill(oval(0.0, 2.0, 30.0, 18.0), fur.lighter(62));
    });
    for x in [-26.0, 26.0] {
        p.fill(
            oval(x, -26.0, 11.0, 12.0),
            if look.variant.is_multiple_of(2) { rgb(150, 196, 92) } else { rgb(244, 196, 80) },
        );
        p.fill(oval(x, -26.0, 4.6, 10.5), INK);
        p.fill(circle(x + 3.0, -31.0, 3.0), PAPER);
    }
    p.fill("M-8-10L8-10L0 0Z", rgb(226, 112, 120));
    p.line("M0 0C0 8-10 10-13 5M0 0C0 8 10 10 13 5", 2.6, INK);
    p.line("M-36-2L-74-8M-36 4L-72 10M36-2L74-8M36 4L72 10", 2.0, INK.alpha(190));
}

/// A duck afloat, facing left.
pub(super) fn duck(p: &mut Painter, look: &Look) {
    let body = smooth(&[
        [-62.0, 4.0],
        [-30.0, 0.0],
        [10.0, -6.0],
        [52.0, -10.0],
        [94.0, -34.0],
        [84.0, 20.0],
        [52.0, 56.0],
        [-10.0, 64.0],
        [-56.0, 48.0],
        [-72.0, 22.0],
    ]);
    p.body(body, down(-30.0, look.main.lighter(14), 66.0, look.main.darker(26)), |p| {
        p.fill("M-100 40C-30 66 40 60 100 10L100 100L-100 100Z", SHADOW);
    });
    p.fill("M-100-36C-84-44-70-46-56-42L-54-24C-72-14-92-18-104-28Z", rgb(240, 142, 52));
    p.line("M-100-30C-86-28-72-30-60-32", 2.6, rgb(190, 98, 40));
    let head = smooth(&[
        [-64.0, -42.0],
        [-44.0, -78.0],
        [-8.0, -76.0],
        [6.0, -44.0],
        [-2.0, -10.0],
        [2.0, 20.0],
        [-40.0, 36.0],
        [-70.0, 20.0],
        [-56.0, -12.0],
    ]);
    let crown = if look.variant == 1 { rgb(58, 128, 92) } else { look.main };
    p.body(head, glow(-40.0, -56.0, 100.0, crown.lighter(18), crown.darker(18)), |p| {
        if look.variant == 1 {
            p.line("M-80-4C-50 8-20 8 20-4", 8.0, PAPER);
            p.fill("M-100 2C-50 14-20 14 30 2L30 60L-100 60Z", look.main);
        }
    });
    p.fill(circle(-38.0, -52.0, 8.0), PAPER);
    p.fill(circle(-40.0, -52.0, 5.0), INK);
    p.fill(circle(-42.0, -54.0, 1.8), PAPER);
    let wing = smooth(&[
        [-16.0, 8.0],
        [24.0, -2.0],
        [72.0, -8.0],
        [56.0, 24.0],
        [22.0, 40.0],
        [-10.0, 32.0],
    ]);
    p.body(wing, down(-8.0, look.main.darker(6), 40.0, look.main.darker(36)), |p| {
        p.line("M-4 24C24 26 46 16 70 0M6 36C30 34 50 26 64 10", 3.0, look.main.darker(48));
    });
}

/// A fish facing left, with fins and scales.
pub(super) fn fish(p: &mut Painter, look: &Look) {
    let fin = look.accent;
    p.body(
        "M46 0C64-26 82-48 98-52C92-26 90-14 86 0\
                 C90 14 92 26 98 52C82 48 64 26 46 0Z",
        glow(40.0, 0.0, 70.0, fin.darker(26), fin.lighter(12)),
        |p| {
            p.line("M60-6L92-40M62 0L88 0M60 6L92 40", 2.6, fin.darker(36));
        },
    );
    p.fill(
        "M-30-40C-10-76 30-74 44-66C34-52 34-42 30-30Z",
        down(-76.0, fin.lighter(12), -30.0, fin.darker(22)),
    );
    p.fill("M-8 40C4 66 26 70 38 62C30 52 28 44 26 30Z", down(34.0, fin.darker(22), 68.0, fin));
    let body = smooth(&[
        [-92.0, 4.0],
        [-62.0, -32.0],
        [-20.0, -48.0],
        [26.0, -36.0],
        [62.0, -6.0],
        [62.0, 6.0],
        [26.0, 36.0],
        [-20.0, 48.0],
        [-62.0, 36.0],
    ]);
    p.body(body, down(-48.0, look.main.darker(14), 50.0, look.main.lighter(40)), |p| {
        if look.variant < 2 {
            for row in 0..5 {
                for column in 0..4 {
                    let x = -18.0 + column as f32 * 20.0 + (row % 2) as f32 * 10.0;
                    p.line(
                        arc(x, -28.0 + row as f32 * 14.0, 9.0, 9.0, -0.22, 0.22),
                        2.6,
                        look.main.darker(34).alpha(150),
                    );
                }
            }
        } else {
            for x in [-22.0, 8.0, 38.0] {
                p.line(arc(x - 20.0, 0.0, 22.0, 52.0, -0.25, 0.25), 10.0, fin.lighter(20));
            }
        }
        p.line(arc(-74.0, 0.0, 36.0, 44.0, -0.18, 0.18), 4.0, look.main.darker(40));
        p.fill(smooth(&[[-60.0, -26.0], [-20.0, -42.0], [20.0, -34.0], [-20.0, -32.0]]), SHEEN);
    });
    p.fill("M-22 10C-4 0 14 8 20 20C4 32-14 28-22 10Z", fin.darker(8));
    p.fill(circle(-62.0, -8.0, 11.0), PAPER);
    p.fill(circle(-64.0, -8.0, 6.6), INK);
    p.fill(circle(-66.0, -11.0, 2.2), PAPER);
    p.line("M-88 14C-80 18-74 17-70 14", 3.0, look.main.darker(52));
}
