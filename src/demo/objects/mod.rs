//! The things that scenes are about. A kind is a painter in units of ±100 around its center, y
//! down; known kinds are the ID classes, unknown ones the things that no tag names.

mod animals;
mod food;
mod household;
mod instruments;
pub(super) mod made_up;
mod outdoors;
mod unknown_living;
mod unknown_made;
mod vehicles;

use super::paint::{Ink, Painter, rgb};
use super::tags::Hue;

/// The choices that make one specimen differ from the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Main colour.
    pub main: Ink,
    /// A second colour that goes with it.
    pub accent: Ink,
    /// 0 to 3: which details it has.
    pub variant: usize,
}

pub(super) struct ObjectKind {
    /// Its name; for a known kind also its tag.
    pub name: &'static str,
    /// Main colours it comes in.
    pub hues: &'static [Hue],
    /// Draws one specimen.
    pub paint: fn(&mut Painter, &Look),
    /// Where it touches the ground, in its own units.
    pub foot: f32,
}

use Hue::{Blue, Brown, Green, Grey, Orange, Pink, Purple, Red, White, Yellow};

const VIVID: &[Hue] = &[Red, Orange, Yellow, Green, Blue, Purple, Pink];
const WIDE: &[Hue] = &[Red, Orange, Yellow, Green, Blue, Purple, Pink, White, Brown, Grey];

const fn kind(
    name: &'static str,
    hues: &'static [Hue],
    foot: f32,
    paint: fn(&mut Painter, &Look),
) -> ObjectKind {
    ObjectKind { name, hues, paint, foot }
}

/// The ID classes, in tag order.
pub(super) static KNOWN: [ObjectKind; 18] = [
    kind("apple", &[Red, Green, Yellow, Pink], 82.0, food::apple),
    kind("airplane", &[Red, Orange, Blue, Purple, Green, Grey], 60.0, vehicles::airplane),
    kind("bicycle", VIVID, 72.0, vehicles::bicycle),
    kind("butterfly", VIVID, 80.0, animals::butterfly),
    kind("cactus", &[Green], 94.0, outdoors::cactus),
    kind("car", VIVID, 58.0, vehicles::car),
    kind("cat", &[Orange, Grey, White, Brown, Yellow], 90.0, animals::cat),
    kind("clock", VIVID, 90.0, household::clock),
    kind("cup", WIDE, 78.0, household::cup),
    kind("duck", &[Yellow, White, Brown, Orange], 62.0, animals::duck),
    kind("fish", VIVID, 60.0, animals::fish),
    kind("guitar", &[Brown, Orange, Red, Blue, Yellow], 94.0, instruments::guitar),
    kind("house", WIDE, 84.0, outdoors::house),
    kind("key", &[Yellow, Grey, Brown, Orange], 36.0, household::key),
    kind("mushroom", &[Red, Brown, Orange, Purple, Pink], 88.0, food::mushroom),
    kind("sailboat", WIDE, 80.0, vehicles::sailboat),
    kind("teapot", WIDE, 62.0, household::teapot),
    kind("umbrella", VIVID, 92.0, household::umbrella),
];

/// Kinds that no tag names: the near out-of-distribution objects.
pub(super) static UNKNOWN: [ObjectKind; 12] = [
    kind("anchor", WIDE, 88.0, unknown_made::anchor),
    kind("balloon", VIVID, 94.0, unknown_made::balloon),
    kind("crab", &[Red, Orange, Pink, Purple, Blue], 60.0, unknown_living::crab),
    kind("drum", WIDE, 70.0, unknown_made::drum),
    kind("helmet", WIDE, 66.0, unknown_made::helmet),
    kind("icecream", WIDE, 94.0, unknown_living::icecream),
    kind("lighthouse", VIVID, 92.0, unknown_made::lighthouse),
    kind("penguin", &[Blue, Grey, Purple, Brown], 90.0, unknown_living::penguin),
    kind("robot", WIDE, 90.0, unknown_made::robot),
    kind("rocket", VIVID, 92.0, unknown_made::rocket),
    kind("snail", WIDE, 62.0, unknown_living::snail),
    kind("trophy", &[Yellow, Grey, Orange, Brown], 88.0, unknown_made::trophy),
];

/// Dark lines: eyes, wires, tyres.
const INK: Ink = rgb(48, 42, 66);
/// Paper white.
const PAPER: Ink = rgb(252, 247, 236);
/// Window glass.
const GLASS: Ink = rgb(176, 216, 232);
/// Leaves and stems.
const LEAF: Ink = rgb(98, 160, 88);
/// Bare wood.
const TIMBER: Ink = rgb(150, 102, 68);
/// Bright metal.
const STEEL: Ink = rgb(196, 202, 214);
/// A soft white sheen.
const SHEEN: Ink = rgb(255, 252, 240).alpha(110);
/// A soft shadow laid over a body.
const SHADOW: Ink = rgb(38, 28, 66).alpha(52);
