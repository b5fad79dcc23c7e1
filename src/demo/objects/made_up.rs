//! Things that exist nowhere: random bodies with random parts, drawn as the others are. The tagger
//! sees them in training as things without a name, so that "an object" alone is no reason to name
//! one. A tagger of the real world learns this from the thousands of tags outside any vocabulary.

use super::{INK, Look, PAPER, SHADOW, SHEEN};
use crate::demo::paint::{
    Ink, Painter, VectorShape, across, down, oval, poly, rect, round_rect, smooth, star, turn,
};
use crate::demo::rng::SceneRng;

/// The domain of their draws, apart from the scenes'.
const DOMAIN: u64 = 32;

/// Draws the thing with this number.
pub(crate) fn paint(number: u64, p: &mut Painter, look: &Look) {
    let mut rng = SceneRng::new(DOMAIN, number, 0);
    let rng = &mut rng;
    for _ in 0..rng.below(4) {
        limb(rng, p, look);
    }
    let body = outline(rng, 84.0);
    let ink = ink(rng, look);
    let shaded = match rng.chance(50) {
        true => across(-80.0, ink.lighter(16), 80.0, ink.darker(26)),
        false => down(-80.0, ink.lighter(14), 80.0, ink.darker(22)),
    };
    p.body(body, shaded, |p| {
        for _ in 0..1 + rng.below(3) {
            detail(rng, p, look);
        }
        if rng.chance(50) {
            p.fill(rect(20.0, -100.0, 80.0, 200.0), SHADOW);
        }
    });
    if rng.chance(60) {
        let radius = rng.range(20.0, 44.0);
        let part = outline(rng, radius).shifted(rng.range(-46.0, 46.0), rng.range(-50.0, 46.0));
        let ink = self::ink(rng, look);
        p.body(part, ink, |p| detail(rng, p, look));
    }
    if rng.chance(40) {
        p.fill(oval(rng.range(-40.0, 0.0), rng.range(-60.0, -20.0), 14.0, 22.0), SHEEN);
    }
}

fn ink(rng: &mut SceneRng, look: &Look) -> Ink {
    match rng.below(6) {
        0..3 => look.main,
        3 => look.accent,
        4 => PAPER.mix(look.main, 20),
        _ => INK.lighter(12),
    }
}

/// A closed outline of about this radius, around the middle.
fn outline(rng: &mut SceneRng, radius: f32) -> VectorShape {
    let [wide, high] = [0, 1].map(|_| radius * rng.range(0.55, 1.0));
    match rng.below(6) {
        0 => oval(0.0, 0.0, wide, high),
        1 => round_rect(-wide, -high, 2.0 * wide, 2.0 * high, rng.range(2.0, 0.6 * radius)),
        2 => star(0.0, 0.0, 3 + rng.below(6), radius, radius * rng.range(0.4, 0.9)),
        3 => poly(&around(rng, 3..7, [wide, high], 0.75)),
        _ => smooth(&around(rng, 4..10, [wide, high], 0.45)),
    }
}

/// Points around the middle, on radii from `inner` of the full one on.
fn around(
    rng: &mut SceneRng,
    counts: std::ops::Range<usize>,
    [wide, high]: [f32; 2],
    inner: f32,
) -> Vec<[f32; 2]> {
    let count = counts.start + rng.below(counts.len());
    let start = rng.unit();
    let point = |index: usize| {
        let [cos, sin] = turn(start + (index as f32 + rng.range(-0.25, 0.25)) / count as f32);
        let reach = rng.range(inner, 1.0);
        [wide * cos * reach, high * sin * reach]
    };
    (0..count).map(point).collect()
}

/// Something that sticks out of the body.
fn limb(rng: &mut SceneRng, p: &mut Painter, look: &Look) {
    let [cos, sin] = turn(rng.unit());
    let reach = rng.range(70.0, 98.0);
    let (tip, ink) = ([reach * cos, reach * sin], ink(rng, look).darker(10));
    p.line(poly(&[[0.0, 0.0], tip]), rng.range(5.0, 20.0), ink);
    if rng.chance(50) {
        let size = rng.range(8.0, 22.0);
        p.fill(outline(rng, size).shifted(tip[0], tip[1]), look.accent);
    }
}

/// A pattern or mark on a body.
fn detail(rng: &mut SceneRng, p: &mut Painter, look: &Look) {
    let ink = [look.accent, PAPER, INK.lighter(10), look.main.darker(30), look.main.lighter(30)]
        [rng.below(5)];
    let [x, y] = [0, 1].map(|_| rng.range(-60.0, 60.0));
    match rng.below(5) {
        0 => {
            let (step, width) = (rng.range(16.0, 44.0), rng.range(4.0, 14.0));
            let lean = rng.range(-40.0, 40.0);
            for stripe in -4..5 {
                let at = stripe as f32 * step;
                p.line(poly(&[[at - lean, -100.0], [at + lean, 100.0]]), width, ink);
            }
        }
        1 => {
            for _ in 0..3 + rng.below(6) {
                let [x, y] = [0, 1].map(|_| rng.range(-70.0, 70.0));
                let radius = rng.range(5.0, 15.0);
                p.fill(oval(x, y, radius, radius), ink);
            }
        }
        2 => p.fill(rect(-100.0, y, 200.0, rng.range(10.0, 40.0)), ink),
        3 => {
            let size = rng.range(14.0, 36.0);
            p.fill(outline(rng, size).shifted(x, y), ink);
        }
        _ => {
            let radius = rng.range(16.0, 50.0);
            p.line(oval(x, y, radius, radius), rng.range(4.0, 10.0), ink);
        }
    }
}
