//! Apple and mushroom.

use super::{LEAF, Look, PAPER, SHADOW, SHEEN, TIMBER};
use crate::demo::paint::{Painter, down, glow, oval, smooth};

/// A round fruit with stem and leaf.
pub(super) fn apple(p: &mut Painter, look: &Look) {
    let body = smooth(&[
        [0.0, -42.0],
        [34.0, -56.0],
        [72.0, -38.0],
        [82.0, 8.0],
        [62.0, 62.0],
        [28.0, 84.0],
        [0.0, 76.0],
        [-28.0, 84.0],
        [-62.0, 62.0],
        [-82.0, 8.0],
        [-72.0, -38.0],
        [-34.0, -56.0],
    ]);
    let skin = glow(-28.0, -22.0, 120.0, look.main.lighter(22), look.main.darker(34));
    p.body(body, skin, |p| {
        p.fill("M60-70C105-20 90 70 20 100L110 100L110-70Z", SHADOW);
        p.fill(oval(0.0, -46.0, 26.0, 12.0), look.main.darker(48));
        p.fill(
            smooth(&[[-58.0, -30.0], [-38.0, -42.0], [-42.0, -16.0], [-56.0, 14.0], [-66.0, 0.0]]),
            SHEEN,
        );
        if look.variant.is_multiple_of(2) {
            for (x, y) in [(10.0, 10.0), (34.0, -14.0), (-12.0, 38.0), (30.0, 38.0), (-2.0, -16.0)]
            {
                p.fill(oval(x, y, 2.6, 3.4), look.main.lighter(60).alpha(170));
            }
        }
    });
    p.line("M0-46C-2-62 4-78 16-90", 9.0, TIMBER.darker(22));
    p.body(
        "M8-66C22-98 60-104 88-88C72-60 38-50 8-66Z",
        down(-100.0, LEAF.lighter(16), -55.0, LEAF.darker(16)),
        |p| {
            p.line("M8-66C34-72 60-82 88-88", 3.0, LEAF.darker(30));
        },
    );
}

/// A cap with dots on a stout stem.
pub(super) fn mushroom(p: &mut Painter, look: &Look) {
    let stem = "M-24-8C-20 30-34 60-36 78C-30 92 30 92 36 78\
                 C34 60 20 30 24-8Z";
    p.body(stem, down(0.0, PAPER.darker(14), 90.0, PAPER), |p| {
        p.fill("M8-10C6 30 14 60 10 100L60 100L40-10Z", SHADOW);
        p.fill("M-60 -20L60-20L60 8C30 22-30 22-60 8Z", SHADOW);
    });
    p.fill(
        "M-34 22C-20 34 20 34 34 22C32 36 20 44 0 44\
                 C-20 44-32 36-34 22Z",
        PAPER.darker(8),
    );
    p.fill("M-88 4C-60 26 60 26 88 4C70-12-70-12-88 4Z", PAPER.darker(24));
    let cap = "M-92 6C-96-50-50-90 0-90C50-90 96-50 92 6C60-8-60-8-92 6Z";
    p.body(cap, glow(-26.0, -56.0, 130.0, look.main.lighter(20), look.main.darker(34)), |p| {
        let spots: &[(f32, f32, f32)] = if look.variant < 2 {
            &[
                (-8.0, -54.0, 18.0),
                (40.0, -38.0, 13.0),
                (-52.0, -28.0, 14.0),
                (14.0, -16.0, 9.0),
                (76.0, -12.0, 11.0),
                (-22.0, -14.0, 8.0),
                (34.0, -74.0, 9.0),
                (-84.0, -6.0, 9.0),
            ]
        } else {
            &[
                (-30.0, -50.0, 20.0),
                (22.0, -60.0, 14.0),
                (58.0, -24.0, 16.0),
                (-66.0, -14.0, 12.0),
                (8.0, -22.0, 12.0),
            ]
        };
        for &(x, y, r) in spots {
            p.fill(oval(x, y, r, r * 0.86), PAPER);
        }
        p.fill("M40-100C90-60 80-20 60 10L110 10L110-100Z", SHADOW);
        p.fill(
            smooth(&[
                [-66.0, -44.0],
                [-40.0, -74.0],
                [-20.0, -80.0],
                [-44.0, -60.0],
                [-62.0, -36.0],
            ]),
            SHEEN,
        );
    });
}
