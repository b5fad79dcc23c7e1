//! Clock, cup, key, teapot and umbrella.

use super::{INK, Look, PAPER, SHADOW, SHEEN, STEEL, TIMBER};
use crate::demo::paint::{
    Painter, across, arc, circle, down, glow, oval, poly, rect, rgb, round_rect, smooth, turn,
};

/// An alarm clock with two bells.
pub(super) fn clock(p: &mut Painter, look: &Look) {
    p.line("M-44 66L-58 90M44 66L58 90", 11.0, look.main.darker(44));
    p.line("M0-66L0-84M-16-88L16-88", 6.0, STEEL.darker(34));
    for side in [-1.0, 1.0] {
        let bell = smooth(&[
            [side * 22.0, -78.0],
            [side * 46.0, -92.0],
            [side * 76.0, -72.0],
            [side * 82.0, -46.0],
            [side * 52.0, -58.0],
        ]);
        p.fill(bell, down(-92.0, look.accent.lighter(28), -46.0, look.accent.darker(24)));
        p.fill(circle(side * 58.0, -88.0, 6.0), look.accent.darker(30));
    }
    p.fill(
        circle(0.0, 6.0, 76.0),
        glow(-26.0, -28.0, 120.0, look.main.lighter(20), look.main.darker(34)),
    );
    p.fill(circle(0.0, 6.0, 60.0), look.main.darker(46));
    p.fill(circle(0.0, 8.0, 57.0), glow(-10.0, -6.0, 76.0, PAPER, PAPER.darker(12)));
    for i in 0..12 {
        let [x, y] = turn(i as f32 / 12.0);
        let inner = if i % 3 == 0 { 40.0 } else { 46.0 };
        let tick = poly(&[[x * inner, 8.0 + y * inner], [x * 50.0, 8.0 + y * 50.0]]);
        p.line(tick, if i % 3 == 0 { 5.0 } else { 2.6 }, INK);
    }
    let [hour, minute] = [[-0.16, 0.0], [0.08, -0.25], [0.3, 0.05], [-0.05, 0.5]][look.variant % 4];
    let hand = |turns: f32, length: f32| {
        let [x, y] = turn(turns);
        poly(&[[0.0, 8.0], [x * length, 8.0 + y * length]])
    };
    p.line(hand(hour, 26.0), 7.0, INK);
    p.line(hand(minute, 40.0), 5.0, INK);
    p.line(hand(hour + minute + 0.37, 42.0), 2.2, look.main);
    p.fill(circle(0.0, 8.0, 6.0), look.main.darker(10));
}

/// A steaming mug.
pub(super) fn cup(p: &mut Painter, look: &Look) {
    p.unowned(|p| {
        p.line("M-30-56C-42-72-16-80-28-98M4-56C-8-72 18-80 6-98", 7.0, PAPER.alpha(120));
    });
    p.line(
        "M44-22C84-30 92 34 40 40",
        15.0,
        down(-24.0, look.main.darker(6), 44.0, look.main.darker(34)),
    );
    let side = "M-66-44L54-44C54 0 50 44 40 70C36 80 26 82 18 82L-30 82\
                 C-38 82-48 80-52 70C-62 44-66 0-66-44Z";
    p.body(side, across(-66.0, look.main.lighter(24), 56.0, look.main.darker(26)), |p| {
        match look.variant {
            0 => {
                p.fill(rect(-80.0, -4.0, 160.0, 14.0), look.accent);
                p.fill(rect(-80.0, 18.0, 160.0, 14.0), look.accent.lighter(30));
            }
            1 => {
                for (x, y) in [
                    (-40.0, -8.0),
                    (-6.0, 14.0),
                    (28.0, -8.0),
                    (-38.0, 40.0),
                    (24.0, 44.0),
                    (-6.0, 62.0),
                ] {
                    p.fill(circle(x, y, 9.0), look.accent);
                }
            }
            2 => p.fill(
                "M-6 52C-50 24-40-8-20-8C-12-8-6 0-6 6C-6 0 0-8 8-8\
                 C28-8 38 24-6 52Z",
                look.accent,
            ),
            _ => p.fill("M-80 34C-50 22-30 46-6 34C18 22 38 46 70 34L70 90L-80 90Z", look.accent),
        }
        p.fill("M22-50L70-50L50 90L14 90C24 40 26 0 22-50Z", SHADOW);
        p.fill(round_rect(-54.0, -30.0, 9.0, 66.0, 4.5), SHEEN);
    });
    p.fill(oval(-6.0, -44.0, 60.0, 16.0), look.main.lighter(40));
    p.fill(oval(-6.0, -43.0, 52.0, 12.0), down(-56.0, rgb(84, 50, 40), -30.0, rgb(140, 88, 58)));
}

/// A key lying on its side, bow to the left.
pub(super) fn key(p: &mut Painter, look: &Look) {
    let metal = down(-40.0, look.main.lighter(30), 44.0, look.main.darker(30));
    p.fill(round_rect(-30.0, -9.0, 124.0, 18.0, 8.0), metal);
    p.fill(
        "M46 6L46 42L58 42L58 30L66 30L66 42L78 42L78 24L86 24\
                 L86 6Z",
        metal,
    );
    p.fill(rect(-24.0, -5.0, 112.0, 4.0), SHEEN);
    p.fill(round_rect(-28.0, -15.0, 10.0, 30.0, 4.0), look.main.darker(24));
    p.fill(round_rect(-8.0, -13.0, 8.0, 26.0, 4.0), look.main.darker(20));
    if look.variant < 2 {
        p.line(circle(-60.0, 0.0, 28.0), 17.0, metal);
        p.line(arc(-60.0, 0.0, 31.0, 31.0, 0.5, 0.75), 4.0, SHEEN);
    } else {
        for (x, y) in [(-78.0, 0.0), (-52.0, -20.0), (-52.0, 20.0)] {
            p.line(circle(x, y, 14.0), 11.0, metal);
        }
        p.fill(circle(-58.0, 0.0, 9.0), look.main.darker(8));
    }
}

/// A round pot with spout, lid and handle.
pub(super) fn teapot(p: &mut Painter, look: &Look) {
    let glaze = glow(-24.0, -14.0, 112.0, look.main.lighter(24), look.main.darker(34));
    p.line(
        "M50-22C96-38 102 30 50 36",
        12.0,
        down(-30.0, look.main.darker(10), 40.0, look.main.darker(40)),
    );
    p.fill(
        "M-44 34C-70 32-70-2-84-18C-92-26-98-26-100-32L-78-38\
                 C-64-22-56-8-40-8Z",
        down(-38.0, look.main.lighter(10), 34.0, look.main.darker(20)),
    );
    let belly = smooth(&[
        [0.0, -44.0],
        [40.0, -36.0],
        [62.0, 0.0],
        [52.0, 40.0],
        [26.0, 60.0],
        [-26.0, 60.0],
        [-52.0, 40.0],
        [-62.0, 0.0],
        [-40.0, -36.0],
    ]);
    p.body(belly, glaze, |p| {
        if look.variant.is_multiple_of(2) {
            for (x, y) in [(0.0, 12.0), (-36.0, 20.0), (36.0, 20.0)] {
                for i in 0..5 {
                    let [u, v] = turn(i as f32 / 5.0 - 0.25);
                    p.fill(circle(x + u * 8.0, y + v * 8.0, 5.4), look.accent);
                }
                p.fill(circle(x, y, 4.4), PAPER);
            }
        } else {
            p.line("M-80 2C-40 12 40 12 80 2", 7.0, look.accent);
            p.line("M-80 26C-40 36 40 36 80 26", 7.0, look.accent);
        }
        p.fill("M40-60C66 0 50 50 0 70L90 70L90-60Z", SHADOW);
        p.fill(
            smooth(&[[-46.0, -16.0], [-28.0, -30.0], [-30.0, -12.0], [-44.0, 10.0], [-50.0, 0.0]]),
            SHEEN,
        );
    });
    p.fill(round_rect(-30.0, 54.0, 60.0, 10.0, 5.0), look.main.darker(40));
    p.fill(
        "M-38-38C-34-58 34-58 38-38C20-30-20-30-38-38Z",
        down(-56.0, look.main.lighter(22), -32.0, look.main.darker(20)),
    );
    p.fill(
        circle(0.0, -62.0, 9.0),
        glow(-3.0, -65.0, 14.0, look.accent.lighter(30), look.accent.darker(26)),
    );
}

/// An open umbrella with a hooked handle.
pub(super) fn umbrella(p: &mut Painter, look: &Look) {
    p.line("M0-84L0 66C0 92 30 92 30 68", 8.0, TIMBER.darker(8));
    p.line("M0 62L0 70C0 92 30 92 30 68", 10.0, INK.lighter(8));
    p.line("M0-84L0-94", 6.0, STEEL.darker(20));
    let canopy = "M-94 6C-94-46-52-84 0-84C52-84 94-46 94 6C84-8 64-8 56 6\
                 C46-10 28-10 19 6C10-10-10-10-19 6C-28-10-46-10-56 6\
            C-64-8-84-8-94 6Z";
    p.body(canopy, look.main, |p| {
        let second = if look.variant < 3 { look.accent } else { look.main.darker(16) };
        p.fill("M0-84C-40-60-58-30-56 10L-19 10C-20-30-14-60 0-84Z", second);
        p.fill("M0-84C40-60 58-30 56 10L19 10C20-30 14-60 0-84Z", second);
        p.fill(
            rect(-100.0, -90.0, 200.0, 110.0),
            glow(-34.0, -60.0, 140.0, PAPER.alpha(70), INK.alpha(110)),
        );
        p.line(
            "M0-84C-40-60-58-30-56 10M0-84C-14-60-20-30-19 10M0-84\
                 C14-60 20-30 19 10M0-84C40-60 58-30 56 10",
            1.8,
            INK.alpha(80),
        );
    });
}
