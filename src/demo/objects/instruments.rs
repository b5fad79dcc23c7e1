//! Guitar.

use super::{INK, Look, PAPER, SHADOW, SHEEN, STEEL, TIMBER};
use crate::demo::paint::{Painter, circle, glow, rect, round_rect, smooth};

/// An acoustic guitar, upright.
pub(super) fn guitar(p: &mut Painter, look: &Look) {
    p.fill("M-12-96L12-96L9-70L-9-70Z", TIMBER.darker(30));
    for y in [-92.0, -84.0, -76.0] {
        p.fill(circle(-15.0, y, 3.6), STEEL);
        p.fill(circle(15.0, y, 3.6), STEEL);
    }
    let body = smooth(&[
        [0.0, -14.0],
        [26.0, -16.0],
        [42.0, 2.0],
        [36.0, 26.0],
        [46.0, 44.0],
        [54.0, 68.0],
        [38.0, 92.0],
        [0.0, 97.0],
        [-38.0, 92.0],
        [-54.0, 68.0],
        [-46.0, 44.0],
        [-36.0, 26.0],
        [-42.0, 2.0],
        [-26.0, -16.0],
    ]);
    p.fill(body.clone(), look.main.darker(48));
    let shrink = crate::demo::paint::Affine { x: [0.93, 0.0], y: [0.0, 0.94], origin: [0.0, 2.5] };
    p.placed(&shrink, |p| {
        p.body(body, glow(-14.0, 40.0, 86.0, look.main.lighter(30), look.main.darker(14)), |p| {
            p.fill("M14-30C50 10 20 40 60 100L90 100L90-30Z", SHADOW);
            p.fill(smooth(&[[-30.0, 2.0], [-18.0, -8.0], [-22.0, 14.0], [-32.0, 18.0]]), SHEEN);
        });
    });
    p.fill(circle(0.0, 26.0, 18.0), look.main.lighter(55));
    p.fill(circle(0.0, 26.0, 14.0), INK);
    p.fill(round_rect(-7.0, -76.0, 14.0, 92.0, 3.0), TIMBER.darker(50));
    for i in 0..7 {
        p.fill(rect(-7.0, -68.0 + i as f32 * 11.0, 14.0, 1.8), STEEL);
    }
    p.fill(round_rect(-22.0, 64.0, 44.0, 9.0, 4.0), TIMBER.darker(44));
    p.line("M-4-86L-5 68M0-86L0 68M4-86L5 68", 1.3, PAPER.alpha(220));
}
