//! Cactus and house.

use super::{GLASS, INK, Look, PAPER, SHADOW, SHEEN, TIMBER};
use crate::demo::paint::{
    Painter, VectorShape, across, circle, down, poly, rect, rgb, round_rect, turn,
};

/// A saguaro with two arms in a clay pot.
pub(super) fn cactus(p: &mut Painter, look: &Look) {
    let green = look.main;
    let arm = |p: &mut Painter, path: &str, shade: i32| {
        p.line(path, 27.0, green.darker(shade));
        p.line(path, 10.0, green.darker(shade).lighter(14));
    };
    arm(p, "M-10 24L-40 24C-54 24-58 14-58 4L-58-22", 14);
    arm(p, "M10 6L38 6C52 6 58-4 58-14L58-46", 22);
    p.body(
        round_rect(-27.0, -92.0, 54.0, 160.0, 27.0),
        across(-27.0, green.lighter(16), 28.0, green.darker(30)),
        |p| {
            p.line("M-13-84L-13 60M0-90L0 60M13-84L13 60", 3.0, green.darker(34));
        },
    );
    for (x, y) in [
        (-20.0, -52.0),
        (6.0, -66.0),
        (-6.0, -28.0),
        (20.0, -40.0),
        (-20.0, 0.0),
        (6.0, 12.0),
        (20.0, -6.0),
        (-64.0, -6.0),
        (64.0, -30.0),
        (-52.0, -20.0),
        (52.0, -10.0),
    ] {
        p.line(poly(&[[x - 3.0, y - 3.0], [x + 3.0, y + 3.0]]), 1.8, PAPER);
        p.line(poly(&[[x + 3.0, y - 3.0], [x - 3.0, y + 3.0]]), 1.8, PAPER);
    }
    if look.variant < 3 {
        for i in 0..6 {
            let [u, v] = turn(i as f32 / 6.0);
            p.fill(circle(u * 10.0, -90.0 + v * 6.0, 6.6), rgb(236, 106, 146));
        }
        p.fill(circle(0.0, -90.0, 5.4), rgb(250, 210, 96));
    }
    let clay = look.accent.mix(rgb(210, 112, 72), 84);
    p.body(
        "M-44 52L44 52L34 96L-34 96Z",
        across(-44.0, clay.lighter(14), 44.0, clay.darker(26)),
        |p| {
            p.fill(rect(-60.0, 50.0, 120.0, 14.0), SHADOW);
        },
    );
    p.fill(
        round_rect(-50.0, 42.0, 100.0, 16.0, 5.0),
        across(-50.0, clay.lighter(22), 50.0, clay.darker(16)),
    );
}

/// A cottage with door, windows and chimney.
pub(super) fn house(p: &mut Painter, look: &Look) {
    let wall = look.main.lighter(14);
    let roof = look.accent.darker(14);
    p.fill(rect(34.0, -84.0, 20.0, 44.0), down(-84.0, roof.darker(20), -40.0, roof.darker(36)));
    p.fill(rect(30.0, -88.0, 28.0, 9.0), roof.darker(46));
    p.body(
        poly(&[[-70.0, -16.0], [0.0, -70.0], [70.0, -16.0], [70.0, 86.0], [-70.0, 86.0]]),
        across(-70.0, wall.lighter(16), 70.0, wall.darker(14)),
        |p| {
            p.fill(
                poly(&[
                    [-100.0, 16.0],
                    [0.0, -60.0],
                    [100.0, 16.0],
                    [100.0, -10.0],
                    [0.0, -90.0],
                    [-100.0, -10.0],
                ]),
                SHADOW,
            );
            p.fill(rect(-80.0, 76.0, 160.0, 12.0), wall.darker(38));
        },
    );
    p.line(poly(&[[-84.0, -8.0], [0.0, -76.0], [84.0, -8.0], [0.0, -76.0]]), 15.0, roof);
    p.line(
        poly(&[[-86.0, -12.0], [0.0, -81.0], [86.0, -12.0], [0.0, -81.0]]),
        4.0,
        roof.lighter(30),
    );
    p.fill(circle(0.0, -26.0, 14.0), PAPER);
    p.fill(circle(0.0, -26.0, 10.4), GLASS.darker(14));
    p.line("M-10-26L10-26M0-36L0-16", 2.6, PAPER);
    let door = if look.variant.is_multiple_of(2) { -1.0 } else { 1.0 };
    let x = door * 30.0;
    p.body(
        VectorShape::from("M-17 86L-17 32C-17 8 17 8 17 32L17 86Z").shifted(x, 0.0),
        down(14.0, TIMBER.lighter(6), 86.0, TIMBER.darker(26)),
        |p| {
            p.line(poly(&[[x, 0.0], [x, 90.0]]), 2.0, TIMBER.darker(44));
        },
    );
    p.fill(circle(x + 9.0, 56.0, 3.4), rgb(248, 208, 92));
    let glass = if look.variant < 2 { GLASS } else { rgb(252, 216, 118) };
    let w = -x - 21.0;
    p.fill(round_rect(w - 4.0, 12.0, 50.0, 46.0, 4.0), PAPER);
    p.body(rect(w, 16.0, 42.0, 38.0), glass, |p| {
        p.fill(poly(&[[w, 54.0], [w + 26.0, 10.0], [w + 38.0, 10.0], [w + 12.0, 54.0]]), SHEEN)
    });
    p.line(poly(&[[w + 21.0, 16.0], [w + 21.0, 54.0]]), 3.0, PAPER);
    p.line(poly(&[[w, 35.0], [w + 42.0, 35.0]]), 3.0, PAPER);
    p.fill(round_rect(w - 6.0, 58.0, 54.0, 10.0, 3.0), TIMBER.darker(10));
    for i in 0..5 {
        p.fill(
            circle(w + 1.0 + i as f32 * 10.0, 57.0, 5.4),
            if i % 2 == 0 { rgb(222, 92, 102) } else { rgb(104, 158, 84) },
        );
    }
    p.fill(rect(-86.0, 84.0, 172.0, 4.0), INK.alpha(60));
}
