//! What stands around: the context tags, in units of ±100 like objects.

use super::objects::Look;
use super::paint::{
    Ink, Painter, across, circle, down, glow, oval, poly, rect, rgb, round_rect, smooth, star, turn,
};
use super::tags::tag_index;

/// Where a kind of clutter belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habitat {
    /// Stands on the ground.
    Ground,
    /// Floats in the air, or hangs on a wall.
    Air,
    /// Rises behind the horizon.
    Horizon,
}

/// One kind of clutter.
pub(super) struct Clutter {
    /// Its name, which is also its tag.
    pub name: &'static str,
    /// Where it belongs.
    pub habitat: Habitat,
    /// Draws one specimen.
    pub paint: fn(&mut Painter, &Look),
}

impl Clutter {
    /// The tag's index.
    pub(super) fn tag(&self) -> Option<usize> {
        tag_index(self.name)
    }
}

const fn kind(name: &'static str, habitat: Habitat, paint: fn(&mut Painter, &Look)) -> Clutter {
    Clutter { name, habitat, paint }
}

/// Every kind of clutter, in tag order.
pub(super) static CLUTTER: [Clutter; 11] = [
    kind("tree", Habitat::Ground, tree),
    kind("bush", Habitat::Ground, bush),
    kind("cloud", Habitat::Air, cloud),
    kind("rock", Habitat::Ground, rock),
    kind("fence", Habitat::Ground, fence),
    kind("lamp", Habitat::Ground, lamp),
    kind("flower", Habitat::Ground, flower),
    kind("star", Habitat::Air, five_points),
    kind("moon", Habitat::Air, moon),
    kind("sun", Habitat::Air, sun),
    kind("mountain", Habitat::Horizon, mountain),
];

const LEAVES: Ink = rgb(82, 146, 92);
const BARK: Ink = rgb(122, 84, 62);
const IRON: Ink = rgb(64, 66, 88);
const CREAM: Ink = rgb(252, 247, 236);

fn leaves(look: &Look) -> Ink {
    [LEAVES, rgb(112, 160, 74), rgb(58, 128, 108), rgb(206, 140, 66)][look.variant % 4]
}

fn tree(p: &mut Painter, look: &Look) {
    let green = leaves(look);
    if look.variant == 2 {
        p.fill(rect(-8.0, 50.0, 16.0, 48.0), across(-8.0, BARK, 8.0, BARK.darker(34)));
        for (i, (top, bottom, half)) in
            [(-98.0, -30.0, 36.0), (-66.0, 16.0, 50.0), (-28.0, 66.0, 62.0)]
                .into_iter()
                .enumerate()
                .rev()
        {
            let tint = green.lighter(i as i32 * -6 + 14);
            p.fill(
                poly(&[[0.0, top], [half, bottom], [-half, bottom]]),
                across(-half, tint, half, tint.darker(36)),
            );
        }
        return;
    }
    p.fill("M-8 10L8 10L13 98L-13 98Z", across(-12.0, BARK.lighter(8), 12.0, BARK.darker(34)));
    p.line("M2 40L26 16", 7.0, BARK.darker(20));
    let crown = smooth(&[
        [0.0, -97.0],
        [40.0, -86.0],
        [64.0, -48.0],
        [62.0, -6.0],
        [34.0, 24.0],
        [-6.0, 28.0],
        [-46.0, 20.0],
        [-66.0, -14.0],
        [-60.0, -58.0],
        [-36.0, -86.0],
    ]);
    p.body(crown, glow(-22.0, -56.0, 120.0, green.lighter(16), green.darker(32)), |p| {
        for (x, y, r) in [
            (-30.0, -58.0, 16.0),
            (8.0, -70.0, 13.0),
            (-8.0, -30.0, 15.0),
            (30.0, -34.0, 12.0),
            (-40.0, -14.0, 11.0),
        ] {
            p.fill(circle(x, y, r), green.lighter(22).alpha(80));
        }
    });
}

fn bush(p: &mut Painter, look: &Look) {
    let green = leaves(&Look { variant: look.variant % 3, ..*look });
    for (x, y, r, shade) in [(-52.0, 50.0, 40.0, 14), (54.0, 52.0, 38.0, 26), (0.0, 30.0, 54.0, 0)]
    {
        p.fill(
            circle(x, y, r),
            glow(
                x - r * 0.4,
                y - r * 0.5,
                r * 1.8,
                green.darker(shade).lighter(14),
                green.darker(shade + 26),
            ),
        );
    }
    p.fill(round_rect(-92.0, 62.0, 184.0, 30.0, 15.0), green.darker(30));
    if look.variant == 1 {
        for (x, y) in
            [(-50.0, 36.0), (-12.0, 4.0), (26.0, 26.0), (60.0, 50.0), (-26.0, 46.0), (2.0, 62.0)]
        {
            p.fill(circle(x, y, 7.0), rgb(214, 74, 84));
        }
    }
}

fn cloud(p: &mut Painter, look: &Look) {
    let tint = CREAM.mix(look.main, 4);
    let puffs = circle(-44.0, 6.0, 32.0)
        .and(circle(-4.0, -14.0, 42.0))
        .and(circle(42.0, 2.0, 34.0))
        .and(round_rect(-84.0, 4.0, 168.0, 36.0, 18.0));
    p.fill(puffs, down(-50.0, tint, 42.0, tint.mix(rgb(168, 188, 216), 60)));
}

fn rock(p: &mut Painter, look: &Look) {
    let stone = [rgb(140, 144, 156), rgb(164, 148, 132), rgb(116, 120, 140), rgb(150, 150, 150)]
        [look.variant % 4];
    let outline: [[f32; 2]; 8] = [
        [-84.0, 80.0],
        [-78.0, 30.0],
        [-44.0, -14.0],
        [2.0, -30.0],
        [44.0, -12.0],
        [76.0, 26.0],
        [88.0, 80.0],
        [0.0, 90.0],
    ];
    p.body(poly(&outline), down(-30.0, stone.lighter(22), 90.0, stone.darker(26)), |p| {
        p.fill(
            poly(&[
                [2.0, -30.0],
                [14.0, 26.0],
                [-10.0, 90.0],
                [100.0, 90.0],
                [90.0, 10.0],
                [40.0, -20.0],
            ]),
            stone.darker(40).alpha(110),
        );
        p.fill(
            poly(&[[-44.0, -14.0], [2.0, -30.0], [14.0, 26.0], [-36.0, 22.0]]),
            stone.lighter(44).alpha(120),
        );
    });
}

fn fence(p: &mut Painter, look: &Look) {
    let paint = if look.variant < 2 { CREAM } else { rgb(176, 124, 82) };
    for y in [0.0, 48.0] {
        p.fill(rect(-98.0, y, 196.0, 14.0), down(y, paint.darker(10), y + 14.0, paint.darker(28)));
    }
    for i in 0..5 {
        let x = -92.0 + i as f32 * 40.0;
        p.fill(
            poly(&[[x, -30.0], [x + 12.0, -50.0], [x + 24.0, -30.0], [x + 24.0, 92.0], [x, 92.0]]),
            across(x, paint, x + 24.0, paint.darker(20)),
        );
    }
}

fn lamp(p: &mut Painter, _look: &Look) {
    p.unowned(|p| {
        p.fill(
            circle(0.0, -64.0, 60.0),
            glow(0.0, -64.0, 60.0, rgb(255, 226, 140).alpha(120), rgb(255, 226, 140).alpha(0)),
        )
    });
    p.fill(rect(-4.0, -44.0, 8.0, 136.0), across(-4.0, IRON.lighter(18), 4.0, IRON));
    p.fill(round_rect(-18.0, 86.0, 36.0, 11.0, 4.0), IRON);
    p.fill(round_rect(-9.0, 50.0, 18.0, 8.0, 3.0), IRON);
    p.fill(
        poly(&[[-22.0, -84.0], [22.0, -84.0], [15.0, -44.0], [-15.0, -44.0]]),
        glow(0.0, -62.0, 34.0, rgb(255, 247, 200), rgb(248, 190, 84)),
    );
    p.line(poly(&[[-22.0, -84.0], [22.0, -84.0], [15.0, -44.0], [-15.0, -44.0]]), 4.0, IRON);
    p.fill("M-28-84L28-84L0-98Z", IRON);
}

fn flower(p: &mut Painter, look: &Look) {
    let petal = [rgb(236, 108, 128), rgb(250, 250, 244), rgb(154, 116, 204), rgb(246, 166, 70)]
        [look.variant % 4];
    p.line("M0-30C6 10-6 50 0 96", 8.0, LEAVES.darker(10));
    p.fill("M0 60C20 20 50 24 62 14C60 44 30 66 0 72Z", LEAVES.lighter(8));
    p.fill("M0 78C-20 40-46 44-58 36C-56 64-30 84 0 88Z", LEAVES.darker(12));
    for i in 0..8 {
        let [u, v] = turn(i as f32 / 8.0);
        p.fill(
            oval(u * 32.0, -42.0 + v * 32.0, 21.0, 21.0),
            petal.darker(if i % 2 == 0 { 0 } else { 10 }),
        );
    }
    p.fill(
        circle(0.0, -42.0, 21.0),
        glow(-6.0, -48.0, 30.0, rgb(252, 218, 108), rgb(222, 144, 52)),
    );
}

fn five_points(p: &mut Painter, _look: &Look) {
    let shape = star(0.0, 6.0, 5, 92.0, 40.0);
    p.line(shape.clone(), 12.0, rgb(250, 206, 92));
    p.fill(shape, glow(-20.0, -24.0, 130.0, rgb(255, 238, 160), rgb(240, 176, 66)));
}

fn moon(p: &mut Painter, _look: &Look) {
    p.unowned(|p| {
        p.fill(circle(0.0, 0.0, 100.0), glow(0.0, 0.0, 100.0, CREAM.alpha(46), CREAM.alpha(0)))
    });
    p.fill(
        "M20-76C-50-84-90-30-76 26C-62 78 6 96 56 56\
                 C0 60-40 20-30-28C-24-54-4-70 20-76Z",
        glow(-40.0, -10.0, 110.0, rgb(255, 246, 208), rgb(232, 206, 140)),
    );
}

fn sun(p: &mut Painter, look: &Look) {
    let core = if look.variant < 2 { rgb(252, 200, 78) } else { rgb(250, 152, 84) };
    p.unowned(|p| {
        p.fill(
            circle(0.0, 0.0, 100.0),
            glow(0.0, 0.0, 100.0, core.lighter(20).alpha(150), core.alpha(0)),
        )
    });
    p.fill(star(0.0, 0.0, 14, 90.0, 60.0), core.lighter(20).alpha(200));
    p.fill(circle(0.0, 0.0, 54.0), glow(-14.0, -16.0, 80.0, core.lighter(50), core));
}

fn mountain(p: &mut Painter, look: &Look) {
    let stone = rgb(110, 124, 160).mix(look.main, 14);
    p.body(
        poly(&[[-98.0, 98.0], [-40.0, -20.0], [-22.0, -2.0], [14.0, -70.0], [98.0, 98.0]]),
        down(-70.0, stone, 98.0, stone.lighter(30)),
        |p| {
            p.fill(
                poly(&[[14.0, -70.0], [4.0, -10.0], [24.0, 30.0], [4.0, 98.0], [120.0, 98.0]]),
                stone.darker(40).alpha(120),
            );
            p.fill(
                poly(&[
                    [-40.0, -20.0],
                    [-44.0, 20.0],
                    [-30.0, 50.0],
                    [-44.0, 98.0],
                    [0.0, 98.0],
                    [-10.0, -10.0],
                ]),
                stone.darker(40).alpha(70),
            );
            p.fill(
                poly(&[
                    [14.0, -80.0],
                    [50.0, -8.0],
                    [36.0, -20.0],
                    [24.0, -4.0],
                    [12.0, -22.0],
                    [-2.0, -8.0],
                    [-20.0, -10.0],
                ]),
                CREAM,
            );
        },
    );
}
