//! Grounds, walls and airs, in percent of the frame.

use super::paint::{
    Ink, Painter, VectorShape, across, circle, down, glow, oval, poly, rect, rgb, smooth,
};
use super::rng::SceneRng;
use super::tags::Hue;

/// How a background is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackgroundLayout {
    /// Ground below a horizon, air above.
    Ground,
    /// A wall or table seen straight on.
    Wall,
    /// Air only.
    Air,
}

/// One kind of background.
pub(super) struct Background {
    /// Its name, which is also its first tag.
    pub name: &'static str,
    /// Every background tag that is visible in it.
    pub tags: &'static [&'static str],
    /// Main colours it comes in.
    pub hues: &'static [Hue],
    /// Where things can stand.
    pub layout: BackgroundLayout,
    paint: fn(&mut Painter, &mut SceneRng, &BackgroundSetting),
}

/// The choices that fix one background.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackgroundSetting {
    /// Main colour.
    pub hue: Hue,
    /// Height of the horizon, in percent from the top.
    pub horizon: f32,
    /// Which sky: 0 and 1 day, 2 dawn, 3 overcast.
    pub sky: usize,
}

impl Background {
    /// Paints the whole frame.
    pub(super) fn paint(&self, p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
        (self.paint)(p, rng, setting);
    }
}

const fn kind(
    name: &'static str,
    tags: &'static [&'static str],
    hues: &'static [Hue],
    layout: BackgroundLayout,
    paint: fn(&mut Painter, &mut SceneRng, &BackgroundSetting),
) -> Background {
    Background { name, tags, hues, layout, paint }
}

use Hue::{Blue, Brown, Green, Grey, Orange, Pink, Purple, Red, White, Yellow};

/// Every background, in tag order.
pub(super) static BACKGROUNDS: [Background; 10] = [
    kind("grass", &["grass", "sky"], &[Green], BackgroundLayout::Ground, grass),
    kind("sand", &["sand", "sky"], &[Yellow, Orange], BackgroundLayout::Ground, sand),
    kind("sea", &["sea", "sky"], &[Blue], BackgroundLayout::Ground, sea),
    kind("sky", &["sky"], &[Blue, Pink, Orange], BackgroundLayout::Air, sky),
    kind("brick", &["brick"], &[Red, Brown, Grey, White], BackgroundLayout::Wall, brick),
    kind("wood", &["wood"], &[Brown], BackgroundLayout::Wall, wood),
    kind("snow", &["snow", "sky"], &[White], BackgroundLayout::Ground, snow),
    kind("night", &["night"], &[Purple, Blue], BackgroundLayout::Ground, night),
    kind("road", &["road", "sky"], &[Grey], BackgroundLayout::Ground, road),
    kind(
        "room",
        &["room"],
        &[Yellow, Green, Blue, Pink, Purple, Orange],
        BackgroundLayout::Wall,
        room,
    ),
];

/// Zenith and haze of each sky.
fn sky_inks(sky: usize) -> (Ink, Ink) {
    match sky {
        0 => (rgb(92, 168, 226), rgb(222, 240, 246)),
        1 => (rgb(124, 194, 222), rgb(248, 244, 222)),
        2 => (rgb(142, 138, 206), rgb(254, 214, 178)),
        _ => (rgb(158, 180, 204), rgb(232, 234, 236)),
    }
}

fn air(p: &mut Painter, setting: &BackgroundSetting) {
    let (zenith, haze) = sky_inks(setting.sky);
    p.fill(rect(0.0, 0.0, 100.0, setting.horizon + 2.0), down(0.0, zenith, setting.horizon, haze));
}

/// A rolling line across the frame, closed below.
fn hills(rng: &mut SceneRng, base: f32, height: f32) -> VectorShape {
    let mut points = vec![[-20.0, base + height]];
    for i in 0..6 {
        points.push([-12.0 + i as f32 * 25.0, base - height * rng.unit()]);
    }
    points.extend([[124.0, base + height], [124.0, 130.0], [-20.0, 130.0]]);
    smooth(&points)
}

fn grass(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let h = setting.horizon;
    air(p, setting);
    let green = [rgb(124, 182, 92), rgb(106, 170, 98), rgb(148, 184, 88)][rng.below(3)];
    let haze = sky_inks(setting.sky).1;
    p.fill(hills(rng, h, 9.0), green.mix(haze, 42));
    p.fill(hills(rng, h + 3.0, 6.0), green.mix(haze, 20));
    p.fill(rect(0.0, h + 4.0, 100.0, 100.0), down(h, green.lighter(10), 104.0, green.darker(30)));
    p.fill(hills(rng, h + 22.0, 5.0), down(h + 18.0, green.lighter(5), 110.0, green.darker(34)));
    for _ in 0..26 {
        let depth = rng.unit();
        let (x, y) = (rng.range(0.0, 100.0), h + 8.0 + (92.0 - h) * depth);
        let s = 0.7 + depth * 1.5;
        let tuft = [
            [x - 2.0 * s, y],
            [x - 2.4 * s, y - 2.2 * s],
            [x - 0.6 * s, y - 0.8 * s],
            [x + 0.3 * s, y - 3.4 * s],
            [x + 0.9 * s, y - 0.8 * s],
            [x + 2.6 * s, y - 2.4 * s],
            [x + 2.0 * s, y],
        ];
        p.fill(poly(&tuft), green.darker(16 + (depth * 24.0) as i32));
    }
}

fn sand(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let h = setting.horizon;
    air(p, setting);
    let sand = if setting.hue == Orange { rgb(232, 164, 96) } else { rgb(242, 212, 142) };
    let haze = sky_inks(setting.sky).1;
    p.fill(hills(rng, h, 10.0), down(h - 10.0, sand.mix(haze, 40), h + 10.0, sand.darker(14)));
    p.fill(rect(0.0, h + 3.0, 100.0, 100.0), down(h, sand.lighter(14), 100.0, sand.darker(18)));
    for i in 0..5 {
        let y = h + 8.0 + i as f32 * (90.0 - h) / 5.0;
        p.fill(
            hills(rng, y, 4.5),
            down(y - 4.0, sand.lighter(22 - i * 5), y + 22.0, sand.darker(6 + i * 4)),
        );
    }
    for _ in 0..40 {
        let (x, y) = (rng.range(0.0, 100.0), rng.range(h + 8.0, 100.0));
        p.fill(oval(x, y, 0.5, 0.3), sand.darker(34));
    }
}

fn sea(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let h = setting.horizon;
    air(p, setting);
    let water = [rgb(44, 130, 176), rgb(40, 110, 178), rgb(58, 146, 182)][rng.below(3)];
    let haze = sky_inks(setting.sky).1;
    p.fill(rect(0.0, h, 100.0, 100.0), down(h, water.mix(haze, 46), 100.0, water.darker(34)));
    for i in 0..6 {
        let t = i as f32 / 5.0;
        let y = h + 3.0 + (94.0 - h) * t * (0.35 + 0.65 * t);
        let crest = wave(rng, y, 1.0 + 2.4 * t, 8.0 + 8.0 * t);
        p.fill(crest, down(y - 2.0, water.mix(haze, 34 - i * 5), y + 14.0, water.darker(i * 6)));
    }
    for _ in 0..22 {
        let depth = rng.unit();
        let (x, y) = (rng.range(0.0, 100.0), h + 2.0 + (96.0 - h) * depth);
        p.fill(oval(x, y, 1.5 + 3.5 * depth, 0.25 + 0.3 * depth), haze.alpha(120));
    }
}

/// A line of rounded waves, closed below.
fn wave(rng: &mut SceneRng, y: f32, height: f32, length: f32) -> VectorShape {
    let start = -length * (1.0 + rng.unit());
    let mut d = format!("M{start} 130L{start} {y}");
    let mut x = start;
    while x < 104.0 {
        let (mid, end) = (x + length * 0.5, x + length);
        d.push_str(&format!("Q{mid} {} {end} {y}", y + height));
        x = end;
    }
    d.push_str(&format!("L{x} 130Z"));
    VectorShape::from(d.as_str())
}

fn sky(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let (top, bottom) = match setting.hue {
        Pink => (rgb(222, 130, 178), rgb(255, 222, 206)),
        Orange => (rgb(240, 140, 96), rgb(255, 226, 170)),
        _ => (rgb(72, 148, 216), rgb(206, 232, 244)),
    };
    p.fill(rect(0.0, 0.0, 100.0, 100.0), down(0.0, top, 100.0, bottom));
    for i in 0..4 {
        let y = 18.0 + i as f32 * 24.0 + rng.range(-6.0, 6.0);
        let x = rng.range(-10.0, 80.0);
        let w = rng.range(24.0, 60.0);
        let veil = rgb(255, 252, 244).alpha(46);
        p.fill(oval(x + w * 0.5, y, w * 0.5, 2.6), veil);
        p.fill(oval(x + w * 0.66, y + 3.0, w * 0.36, 2.0), veil);
    }
}

fn brick(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let base = match setting.hue {
        Brown => rgb(158, 112, 84),
        Grey => rgb(142, 146, 156),
        White => rgb(236, 228, 216),
        _ => rgb(186, 88, 72),
    };
    p.fill(rect(0.0, 0.0, 100.0, 100.0), base.mix(rgb(226, 214, 200), 52));
    let rows = 8 + rng.below(5);
    let height = 100.0 / rows as f32;
    let width = height * 2.3;
    for row in 0..=rows {
        let mut x = if row % 2 == 0 { -width * 0.5 } else { 0.0 } - rng.range(0.0, 1.0);
        while x < 100.0 {
            let tone = rng.below(5) as i32;
            let ink = if tone < 3 { base.darker(tone * 7) } else { base.lighter(tone * 4 - 6) };
            let y = row as f32 * height;
            p.fill(rect(x, y, width - 1.0, height - 1.0), ink);
            p.fill(rect(x, y, width - 1.0, 0.6), ink.lighter(20));
            x += width;
        }
    }
    p.fill(
        rect(0.0, 0.0, 100.0, 100.0),
        down(0.0, rgb(255, 240, 210).alpha(40), 100.0, rgb(38, 28, 66).alpha(70)),
    );
}

fn wood(p: &mut Painter, rng: &mut SceneRng, _setting: &BackgroundSetting) {
    let base = [rgb(166, 112, 70), rgb(188, 138, 92), rgb(136, 92, 66)][rng.below(3)];
    let planks = 4 + rng.below(3);
    let height = 100.0 / planks as f32;
    for plank in 0..planks {
        let y = plank as f32 * height;
        let tone = base.mix(base.lighter(30), rng.below(60) as i32);
        p.body(
            rect(0.0, y, 100.0, height),
            down(y, tone.lighter(8), y + height, tone.darker(10)),
            |p| {
                for line in 0..5 {
                    let v = y + height * (0.12 + 0.19 * line as f32) + rng.range(-1.0, 1.0);
                    let bend = rng.range(-2.4, 2.4);
                    let d = format!("M-2 {v}C30 {} 66 {} 102 {v}", v + bend, v - bend);
                    p.line(d.as_str(), 0.5, tone.darker(20));
                }
                if rng.chance(60) {
                    let (x, v) = (rng.range(8.0, 92.0), y + height * rng.range(0.35, 0.65));
                    p.fill(oval(x, v, 3.4, 1.7), tone.darker(22));
                    p.fill(oval(x, v, 2.0, 0.9), tone.darker(38));
                }
            },
        );
        p.fill(rect(0.0, y, 100.0, 0.9), base.darker(52));
        let joint = rng.range(10.0, 90.0);
        p.fill(rect(joint, y, 0.7, height), base.darker(48));
    }
}

fn snow(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let h = setting.horizon;
    air(p, setting);
    let (bright, cool) = (rgb(252, 252, 250), rgb(202, 216, 234));
    p.fill(hills(rng, h, 10.0), down(h - 8.0, bright.mix(cool, 50), h + 14.0, cool));
    p.fill(hills(rng, h + 6.0, 6.0), down(h, bright, h + 30.0, cool));
    p.fill(hills(rng, h + 22.0, 7.0), down(h + 16.0, bright, 110.0, cool.mix(bright, 20)));
    for _ in 0..46 {
        let r = rng.range(0.35, 1.0);
        p.fill(circle(rng.range(0.0, 100.0), rng.range(0.0, 100.0), r), bright.alpha(210));
    }
}

fn night(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let h = setting.horizon;
    let (zenith, haze) = if setting.hue == Purple {
        (rgb(36, 26, 78), rgb(122, 88, 154))
    } else {
        (rgb(18, 32, 78), rgb(72, 108, 164))
    };
    p.fill(rect(0.0, 0.0, 100.0, 100.0), down(0.0, zenith, h + 8.0, haze));
    for _ in 0..40 {
        let r = rng.range(0.2, 0.6);
        p.fill(circle(rng.range(0.0, 100.0), rng.range(0.0, h), r), rgb(255, 248, 220).alpha(200));
    }
    p.fill(hills(rng, h, 11.0), down(h - 10.0, haze.mix(zenith, 50), h + 20.0, zenith.lighter(8)));
    p.fill(
        hills(rng, h + 12.0, 7.0),
        down(h + 4.0, zenith.mix(haze, 34), 100.0, zenith.darker(10)),
    );
}

fn road(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let h = setting.horizon;
    air(p, setting);
    let (zenith, haze) = sky_inks(setting.sky);
    let wall = zenith.mix(rgb(120, 112, 140), 60);
    let mut x = -4.0;
    while x < 100.0 {
        let (w, top) = (rng.range(9.0, 18.0), h - rng.range(8.0, 26.0));
        let tone = wall.mix(haze, rng.below(50) as i32);
        p.fill(rect(x, top, w, h - top + 1.0), down(top, tone, h, tone.mix(haze, 30)));
        for column in 0..(w / 4.0) as usize {
            for row in 0..((h - top) / 5.0) as usize {
                if rng.chance(60) {
                    p.fill(
                        rect(x + 1.6 + column as f32 * 4.0, top + 2.0 + row as f32 * 5.0, 1.7, 2.4),
                        haze.mix(rgb(255, 230, 160), 60).alpha(190),
                    );
                }
            }
        }
        x += w;
    }
    let asphalt = rgb(112, 114, 128);
    p.fill(rect(0.0, h, 100.0, 6.0), down(h, rgb(214, 206, 200), h + 6.0, rgb(184, 178, 178)));
    p.fill(rect(0.0, h + 5.4, 100.0, 1.2), rgb(150, 146, 152));
    p.fill(
        rect(0.0, h + 6.4, 100.0, 100.0),
        down(h, asphalt.lighter(12), 100.0, asphalt.darker(22)),
    );
    let lane = h + 6.0 + (94.0 - h) * 0.46;
    let shift = rng.range(0.0, 24.0);
    for i in -1..5 {
        let x = i as f32 * 24.0 + shift;
        p.fill(
            poly(&[
                [x + 1.0, lane],
                [x + 14.0, lane],
                [x + 13.0, lane + 3.0],
                [x - 1.0, lane + 3.0],
            ]),
            rgb(246, 236, 206),
        );
    }
}

fn room(p: &mut Painter, rng: &mut SceneRng, setting: &BackgroundSetting) {
    let h = setting.horizon + 16.0;
    let wall = setting.hue.ink().lighter(44);
    p.fill(rect(0.0, 0.0, 100.0, h), across(0.0, wall.lighter(14), 100.0, wall.darker(8)));
    let motif = rng.below(3);
    if motif == 0 {
        for i in 0..9 {
            p.fill(rect(i as f32 * 12.0, 0.0, 6.0, h), wall.lighter(26).alpha(150));
        }
    } else if motif == 1 {
        for row in 0..8 {
            for column in 0..10 {
                let x = column as f32 * 11.0 + (row % 2) as f32 * 5.5;
                p.fill(circle(x, row as f32 * 9.0 + 3.0, 1.3), wall.darker(10));
            }
        }
    }
    let floor = [rgb(176, 128, 92), rgb(204, 166, 126), rgb(142, 108, 100)][rng.below(3)];
    p.fill(rect(0.0, h, 100.0, 100.0), down(h, floor.darker(14), 100.0, floor.lighter(14)));
    for i in -6..18 {
        let x = i as f32 * 9.0;
        p.fill(
            poly(&[
                [x, h],
                [x + 0.5, h],
                [50.0 + (x - 50.0) * 1.9 + 0.9, 101.0],
                [50.0 + (x - 50.0) * 1.9, 101.0],
            ]),
            floor.darker(26),
        );
    }
    p.fill(
        rect(0.0, h - 4.0, 100.0, 4.6),
        down(h - 4.0, rgb(252, 248, 238), h, rgb(222, 214, 206)),
    );
    p.fill(rect(0.0, h + 0.6, 100.0, 3.0), rgb(38, 28, 66).alpha(40));
    p.fill(
        rect(0.0, 0.0, 100.0, 100.0),
        glow(30.0, 20.0, 110.0, rgb(255, 246, 216).alpha(70), rgb(38, 28, 66).alpha(40)),
    );
}
