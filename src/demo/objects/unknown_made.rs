//! Anchor, balloon, drum, helmet, lighthouse, robot, rocket and trophy: made things outside the
//! vocabulary.

use super::{GLASS, INK, Look, PAPER, SHADOW, SHEEN, STEEL, TIMBER};
use crate::demo::paint::{
    Painter, across, arc, circle, down, glow, oval, poly, rect, rgb, round_rect, smooth, star,
};

/// A ship's anchor.
pub(super) fn anchor(p: &mut Painter, look: &Look) {
    let iron = across(-60.0, look.main.lighter(16), 60.0, look.main.darker(34));
    p.line(circle(0.0, -74.0, 15.0), 10.0, iron);
    p.line("M0-58L0 78", 15.0, iron);
    p.line("M-36-34L36-34", 13.0, iron);
    p.line("M-74 24C-66 66-30 80 0 84C30 80 66 66 74 24", 15.0, iron);
    p.fill("M-94 38L-74 2L-54 36C-68 28-80 30-94 38Z", look.main.darker(4));
    p.fill("M94 38L74 2L54 36C68 28 80 30 94 38Z", look.main.darker(34));
    p.line("M-3-50L-3 70", 3.0, SHEEN);
    if look.variant < 2 {
        p.line("M14-70C50-64 20-20-8-8C-40 6 30 20 6 46", 6.0, rgb(226, 196, 142));
    }
}

/// A hot-air balloon.
pub(super) fn balloon(p: &mut Painter, look: &Look) {
    p.line("M-34 30L-13 68M34 30L13 68M-12 36L-7 68M12 36L7 68", 2.0, INK.lighter(14));
    let envelope = "M0-96C52-96 74-58 70-26C66 4 40 24 24 42L-24 42\
                 C-40 24-66 4-70-26C-74-58-52-96 0-96Z";
    p.body(envelope, look.main, |p| {
        let gore = if look.variant.is_multiple_of(2) { look.accent } else { PAPER };
        p.fill("M-26-100C-60-50-48 10-16 50L-4 50C-22 0-24-50-6-100Z", gore);
        p.fill("M26-100C60-50 48 10 16 50L4 50C22 0 24-50 6-100Z", gore);
        p.fill(
            rect(-80.0, -100.0, 160.0, 150.0),
            glow(-26.0, -62.0, 120.0, PAPER.alpha(80), INK.alpha(120)),
        );
        p.fill("M-80 18L80 18L80 30L-80 30Z", look.main.darker(30));
    });
    p.body(
        round_rect(-19.0, 66.0, 38.0, 28.0, 6.0),
        across(-19.0, TIMBER.lighter(34), 19.0, TIMBER.darker(10)),
        |p| {
            p.line("M-30 76L30 76M-30 85L30 85M-8 60L-8 100M8 60L8 100", 2.0, TIMBER.darker(34));
        },
    );
    p.fill(round_rect(-22.0, 63.0, 44.0, 7.0, 3.0), TIMBER.darker(28));
}

/// A drum with two sticks.
pub(super) fn drum(p: &mut Painter, look: &Look) {
    p.body(
        "M-70-22L70-22L70 46C50 76-50 76-70 46Z",
        across(-70.0, look.main.lighter(18), 70.0, look.main.darker(32)),
        |p| {
            for i in 0..6 {
                let x = -80.0 + i as f32 * 28.0;
                p.line(poly(&[[x, -6.0], [x + 14.0, 64.0], [x + 28.0, -6.0]]), 3.6, PAPER);
            }
        },
    );
    p.line("M-70 44C-50 74 50 74 70 44", 11.0, look.accent.darker(6));
    p.line("M-70-18C-50 10 50 10 70-18", 11.0, look.accent);
    p.fill(oval(0.0, -22.0, 74.0, 25.0), look.accent.darker(24));
    p.fill(oval(0.0, -23.0, 66.0, 20.0), down(-44.0, PAPER.darker(14), 0.0, PAPER));
    p.line("M-84-84L14-26", 7.0, TIMBER.lighter(24));
    p.line("M84-78L-2-22", 7.0, TIMBER.lighter(8));
    p.fill(circle(15.0, -25.0, 8.0), TIMBER.lighter(40));
    p.fill(circle(-4.0, -21.0, 8.0), TIMBER.lighter(30));
}

/// A racing helmet facing left.
pub(super) fn helmet(p: &mut Painter, look: &Look) {
    let shell = "M-84 10C-86-50-46-80 6-78C60-76 92-36 90 14\
                 C88 44 80 62 64 66L-20 66C-30 66-34 58-36 50L-72 48\
            C-80 46-84 34-84 10Z";
    p.body(shell, glow(-10.0, -46.0, 130.0, look.main.lighter(24), look.main.darker(38)), |p| {
        p.fill("M-30-90C40-80 70-30 100-20L100 8C60-10 30-50-50-64Z", look.accent);
        p.fill("M60-90C90-20 80 40 40 80L110 80L110-90Z", SHADOW);
        p.fill("M-100 30C-60 34-20 40 10 70L-100 80Z", look.main.darker(26));
    });
    p.body(
        "M-88 14C-90-20-70-36-44-38C-10-38 16-24 22-4\
                 C24 12 14 24 0 26L-80 28C-86 26-88 20-88 14Z",
        down(-38.0, INK.lighter(18), 28.0, INK),
        |p| {
            p.fill("M-80-40L-50-40L-70 30L-100 30Z", GLASS.alpha(150));
            p.fill("M-36-40L-26-40L-46 30L-56 30Z", GLASS.alpha(120));
        },
    );
    p.fill(circle(14.0, 0.0, 9.0), STEEL);
    p.fill(circle(14.0, 0.0, 4.0), STEEL.darker(50));
    p.fill(round_rect(-24.0, 60.0, 92.0, 9.0, 4.0), look.main.darker(56));
    p.fill(
        smooth(&[[-40.0, -58.0], [-6.0, -70.0], [22.0, -68.0], [-10.0, -62.0], [-36.0, -48.0]]),
        SHEEN,
    );
}

/// A striped lighthouse on a rock.
pub(super) fn lighthouse(p: &mut Painter, look: &Look) {
    p.fill(
        smooth(&[
            [-60.0, 94.0],
            [-54.0, 74.0],
            [-20.0, 66.0],
            [30.0, 64.0],
            [58.0, 78.0],
            [62.0, 94.0],
            [0.0, 97.0],
        ]),
        down(64.0, STEEL.darker(34), 96.0, STEEL.darker(58)),
    );
    p.body("M-22-44L22-44L34 78L-34 78Z", PAPER, |p| {
        for i in 0..3 {
            let y = -30.0 + i as f32 * 40.0;
            p.fill(rect(-50.0, y, 100.0, 20.0), look.main);
        }
        p.fill(
            rect(-50.0, -50.0, 100.0, 140.0),
            across(-34.0, PAPER.alpha(40), 34.0, INK.alpha(100)),
        );
        p.fill(round_rect(-6.0, -8.0, 12.0, 16.0, 6.0), INK.lighter(20));
        p.fill("M-9 80L-9 58C-9 46 9 46 9 58L9 80Z", TIMBER.darker(30));
    });
    p.fill(
        rect(-16.0, -70.0, 32.0, 24.0),
        glow(0.0, -58.0, 22.0, rgb(255, 246, 190), rgb(248, 198, 88)),
    );
    p.line("M-16-70L-16-46M0-70L0-46M16-70L16-46", 3.0, INK);
    p.fill(round_rect(-30.0, -48.0, 60.0, 8.0, 3.0), INK.lighter(14));
    p.fill("M-22-68C-18-88 18-88 22-68Z", look.main.darker(16));
    p.line("M0-84L0-95", 4.0, INK);
}

/// A friendly robot.
pub(super) fn robot(p: &mut Painter, look: &Look) {
    let metal = |y0: f32, y1: f32| down(y0, look.main.lighter(22), y1, look.main.darker(22));
    p.line("M0-72L0-88", 4.0, STEEL.darker(30));
    p.fill(circle(0.0, -90.0, 7.0), look.accent);
    for side in [-1.0, 1.0] {
        p.line(
            poly(&[[side * 42.0, 0.0], [side * 68.0, 14.0], [side * 70.0, 40.0]]),
            10.0,
            STEEL.darker(24),
        );
        p.line(arc(side * 70.0, 52.0, 11.0, 11.0, 0.9 - 0.0, 1.6), 7.0, look.accent.darker(14));
        p.fill(rect(side * 22.0 - 9.0, 54.0, 18.0, 28.0), STEEL.darker(34));
        p.fill(round_rect(side * 24.0 - 19.0, 76.0, 38.0, 16.0, 7.0), look.accent.darker(20));
        p.fill(round_rect(side * 48.0 - 6.0, -52.0, 12.0, 22.0, 4.0), look.accent.darker(8));
    }
    p.fill(rect(-10.0, -22.0, 20.0, 12.0), STEEL.darker(40));
    p.body(round_rect(-44.0, -12.0, 88.0, 72.0, 12.0), metal(-12.0, 60.0), |p| {
        p.fill(round_rect(-28.0, 4.0, 56.0, 34.0, 6.0), INK.lighter(8));
        p.line("M-22 22L-10 22L-4 10L4 32L10 22L22 22", 3.0, rgb(128, 226, 170));
        for x in [-18.0, 0.0, 18.0] {
            p.fill(circle(x, 48.0, 5.0), look.accent);
        }
    });
    p.body(round_rect(-46.0, -74.0, 92.0, 56.0, 16.0), metal(-74.0, -18.0), |p| {
        p.fill(rect(-50.0, -74.0, 100.0, 8.0), SHEEN)
    });
    p.fill(round_rect(-36.0, -62.0, 72.0, 32.0, 14.0), INK);
    for x in [-17.0, 17.0] {
        p.fill(circle(x, -46.0, 9.0), rgb(120, 222, 232));
        p.fill(circle(x, -46.0, 4.0), PAPER);
    }
    p.line("M-12-25L12-25", 3.4, INK);
}

/// A rocket pointing up, with flame.
pub(super) fn rocket(p: &mut Painter, look: &Look) {
    p.fill(
        "M-18 62C-24 84-6 88 0 99C6 88 24 84 18 62Z",
        down(62.0, rgb(252, 206, 92), 98.0, rgb(232, 92, 58)),
    );
    p.fill("M-9 62C-10 74-2 78 0 86C2 78 10 74 9 62Z", PAPER);
    p.fill(
        "M-26 10C-54 24-62 50-58 76C-46 62-34 56-20 56Z",
        down(10.0, look.accent.lighter(6), 76.0, look.accent.darker(24)),
    );
    p.fill(
        "M26 10C54 24 62 50 58 76C46 62 34 56 20 56Z",
        down(10.0, look.accent.darker(10), 76.0, look.accent.darker(40)),
    );
    p.body(
        "M0-98C30-74 40-30 34 10C30 40 24 56 18 64L-18 64\
                 C-24 56-30 40-34 10C-40-30-30-74 0-98Z",
        across(-36.0, PAPER, 38.0, PAPER.darker(30)),
        |p| {
            p.fill("M-50-100L50-100L50-54C20-46-20-46-50-54Z", look.main);
            p.fill(rect(-50.0, 44.0, 100.0, 9.0), look.main);
            p.fill("M14-100C34-40 24 30 6 70L60 70L60-100Z", SHADOW);
        },
    );
    p.fill(circle(0.0, -18.0, 18.0), look.main.darker(26));
    p.fill(circle(0.0, -18.0, 12.6), glow(-4.0, -22.0, 18.0, GLASS.lighter(50), GLASS.darker(26)));
    p.fill("M-4 24L4 24L4 70L-4 70Z", look.accent.darker(16));
}

/// A winner's cup with two handles.
pub(super) fn trophy(p: &mut Painter, look: &Look) {
    let gold = across(-50.0, look.main.lighter(34), 50.0, look.main.darker(30));
    for side in [-1.0, 1.0] {
        let handle = smooth(&[
            [side * 44.0, -66.0],
            [side * 84.0, -68.0],
            [side * 80.0, -28.0],
            [side * 36.0, -2.0],
            [side * 66.0, -30.0],
            [side * 68.0, -54.0],
            [side * 44.0, -54.0],
        ]);
        p.fill(handle, look.main.darker(18));
    }
    p.fill("M-8 14L8 14L14 56L-14 56Z", gold);
    p.fill(oval(0.0, 28.0, 16.0, 7.0), gold);
    p.body("M-54-84L54-84C54-30 40 20 0 22C-40 20-54-30-54-84Z", gold, |p| {
        p.fill(rect(-60.0, -88.0, 120.0, 12.0), look.main.lighter(30));
        p.fill("M20-90C30-30 20 10 0 30L70 30L70-90Z", SHADOW);
        p.fill(star(0.0, -36.0, 5, 25.0, 10.5), PAPER.mix(look.accent, 20));
        p.fill(round_rect(-44.0, -70.0, 8.0, 46.0, 4.0), SHEEN);
    });
    p.fill(round_rect(-30.0, 50.0, 60.0, 12.0, 4.0), look.main.darker(24));
    p.body(
        rect(-42.0, 60.0, 84.0, 30.0),
        across(-42.0, TIMBER.darker(20), 42.0, TIMBER.darker(56)),
        |p| {
            p.fill(round_rect(-20.0, 68.0, 40.0, 14.0, 3.0), look.main.lighter(20));
        },
    );
}
