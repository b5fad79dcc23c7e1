//! Where everything goes: a scene as a list of pieces, before a pixel is drawn.

use super::backgrounds::{BACKGROUNDS, Background, BackgroundLayout, BackgroundSetting};
use super::clutter::{CLUTTER, Clutter, Habitat};
use super::light::Light;
use super::objects::{KNOWN, Look, ObjectKind, UNKNOWN, made_up};
use super::paint::{Affine, Painter, turn};
use super::rng::SceneRng;
use super::tags::Hue;

/// What a piece shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceSubject {
    /// The ID class at this index.
    Known(usize),
    /// The unknown kind at this index.
    Unknown(usize),
    /// The clutter kind at this index.
    Clutter(usize),
    /// The thing with this number that exists nowhere.
    MadeUp(usize),
}

impl PieceSubject {
    /// The object kind; `None` for clutter and what is made up.
    pub(super) fn kind(self) -> Option<&'static ObjectKind> {
        match self {
            PieceSubject::Known(i) => KNOWN.get(i),
            PieceSubject::Unknown(i) => UNKNOWN.get(i),
            PieceSubject::Clutter(_) | PieceSubject::MadeUp(_) => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            PieceSubject::Clutter(i) => CLUTTER[i].name,
            PieceSubject::MadeUp(_) => "made up",
            PieceSubject::Known(i) => KNOWN[i].name,
            PieceSubject::Unknown(i) => UNKNOWN[i].name,
        }
    }

    /// Draws it.
    pub(super) fn paint(self, p: &mut Painter, look: &Look) {
        match self {
            PieceSubject::Known(i) => (KNOWN[i].paint)(p, look),
            PieceSubject::Unknown(i) => (UNKNOWN[i].paint)(p, look),
            PieceSubject::Clutter(i) => (CLUTTER[i].paint)(p, look),
            PieceSubject::MadeUp(i) => made_up::paint(i as u64, p, look),
        }
    }
}

/// One thing in its place; lengths in percent of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// What it is.
    pub subject: PieceSubject,
    /// How this specimen looks.
    pub look: Look,
    /// Its main colour's name.
    pub hue: Hue,
    /// Center from the left.
    pub x: f32,
    /// Center from the top.
    pub y: f32,
    /// Half its side.
    pub half: f32,
    /// Clockwise rotation in turns.
    pub tilt: f32,
    /// Mirrored left to right.
    pub flipped: bool,
    /// Whether it rests on the ground.
    pub grounded: bool,
}

impl Piece {
    /// Maps the piece's units (±100) to the frame.
    pub(super) fn frame_from_piece(&self) -> Affine {
        let [cos, sin] = turn(self.tilt);
        let scale = self.half / 100.0;
        let across = if self.flipped { -scale } else { scale };
        Affine {
            x: [across * cos, across * sin],
            y: [-scale * sin, scale * cos],
            origin: [self.x, self.y],
        }
    }

    /// The height of its foot in the frame.
    pub(super) fn foot(&self) -> f32 {
        self.y + self.half * self.subject.kind().map_or(92.0, |kind| kind.foot) / 100.0
    }

    /// The same place taken by something else, standing where this one stands.
    pub(super) fn replaced(&self, subject: PieceSubject) -> Piece {
        let mut piece = Piece { subject, ..*self };
        if self.grounded {
            piece.y += self.foot() - piece.foot();
        }
        piece
    }
}

/// A whole scene, to be drawn at any size.
#[derive(Clone, Debug)]
pub(super) struct Composition {
    /// Index of the background.
    pub background: usize,
    /// How the background is laid out.
    pub setting: BackgroundSetting,
    /// Clutter behind the objects, far to near.
    pub behind: Vec<Piece>,
    /// The objects, the main one last.
    pub objects: Vec<Piece>,
    /// Clutter before the objects.
    pub before: Vec<Piece>,
    /// The light on it all.
    pub light: Light,
}

/// Which objects a scene is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cast {
    /// One ID object and perhaps smaller ones, mostly of its class.
    Known,
    /// One ID object and perhaps smaller ones of any class.
    KnownMixed,
    /// Three to five ID objects of any class.
    KnownCrowd,
    /// One unknown object and perhaps smaller ones, mostly of its kind.
    Unknown,
    /// One ID object alone.
    KnownAlone,
    /// Things that exist nowhere.
    MadeUp,
    /// None.
    Nothing,
}

impl Cast {
    /// Draws lots for an object.
    fn subject(self, rng: &mut SceneRng) -> PieceSubject {
        match self {
            Cast::Unknown => PieceSubject::Unknown(rng.below(UNKNOWN.len())),
            Cast::MadeUp => PieceSubject::MadeUp(rng.below(1 << 30)),
            _ => PieceSubject::Known(rng.below(KNOWN.len())),
        }
    }
}

/// Percent of the further objects of a scene that are of the main one's kind. A scene is filed under
/// one class; two objects of different classes would make that class a matter of taste.
const ALIKE: usize = 90;

impl Composition {
    /// Draws lots for a scene.
    pub(super) fn new(rng: &mut SceneRng, cast: Cast) -> Self {
        let background = rng.below(BACKGROUNDS.len());
        let ground = &BACKGROUNDS[background];
        let setting = BackgroundSetting {
            hue: ground.hues[rng.below(ground.hues.len())],
            horizon: rng.range(36.0, 60.0),
            sky: rng.below(4),
        };
        let mut scene = Composition {
            background,
            setting,
            behind: Vec::new(),
            objects: Vec::new(),
            before: Vec::new(),
            light: Light::new(rng),
        };
        scene.place_objects(rng, cast);
        scene.place_clutter(rng, cast);
        scene
    }

    /// The background's kind.
    pub(super) fn ground(&self) -> &'static Background {
        &BACKGROUNDS[self.background]
    }

    fn place_objects(&mut self, rng: &mut SceneRng, cast: Cast) {
        if cast == Cast::Nothing {
            return;
        }
        let half = match cast {
            Cast::KnownCrowd => rng.range(15.0, 24.0),
            _ => rng.range(17.0, 34.0),
        };
        let subject = cast.subject(rng);
        let main = self.object(rng, subject, half);
        self.objects.push(main);
        let more = match cast {
            Cast::KnownAlone => 0,
            Cast::KnownCrowd => 2 + rng.below(3),
            _ => [0, 0, 0, 0, 0, 1, 1, 1, 1, 2][rng.below(10)],
        };
        for _ in 0..more {
            let half = match cast {
                Cast::KnownCrowd => rng.range(13.0, 22.0),
                _ => (main.half * rng.range(0.5, 0.8)).max(12.5),
            };
            for _ in 0..12 {
                let mixed = matches!(cast, Cast::KnownMixed | Cast::KnownCrowd);
                let alike = !mixed && rng.chance(ALIKE);
                let subject = if alike { main.subject } else { cast.subject(rng) };
                let other = self.object(rng, subject, half);
                let clear = self.objects.iter().all(|o| {
                    let reach = (o.half + other.half) * 0.86;
                    let (dx, dy) = (o.x - other.x, o.y - other.y);
                    dx * dx + dy * dy > reach * reach
                });
                if clear {
                    self.objects.insert(0, other);
                    break;
                }
            }
        }
    }

    fn object(&self, rng: &mut SceneRng, subject: PieceSubject, half: f32) -> Piece {
        let hues = subject.kind().map_or(&Hue::ALL[..], |kind| kind.hues);
        let mut hue = hues[rng.below(hues.len())];
        if hue == self.setting.hue {
            hue = hues[rng.below(hues.len())];
        }
        let layout = self.ground().layout;
        let grounded = layout == BackgroundLayout::Ground && rng.chance(80);
        let sway = if grounded { 0.035 } else { 0.09 };
        let reach = half * 0.86;
        let mut piece = Piece {
            subject,
            look: look(rng, hue),
            hue,
            x: rng.range(reach, 100.0 - reach),
            y: rng.range(reach, 100.0 - reach),
            half,
            tilt: rng.range(-sway, sway),
            flipped: rng.chance(50),
            grounded,
        };
        if grounded {
            let nearest = (self.setting.horizon + 10.0).max(1.7 * half);
            let foot = rng.range(nearest.min(95.0), 96.0);
            piece.y += foot - piece.foot();
        }
        piece
    }

    fn place_clutter(&mut self, rng: &mut SceneRng, cast: Cast) {
        let layout = self.ground().layout;
        let crowd = if cast == Cast::Nothing { 3 + rng.below(4) } else { 1 + rng.below(4) };
        if layout == BackgroundLayout::Ground && self.ground().name != "night" && rng.chance(24) {
            self.behind.push(self.mountain(rng));
        }
        for _ in 0..crowd {
            let index = self.clutter_kind(rng);
            let piece = match (CLUTTER[index].habitat, layout) {
                (Habitat::Ground, _) => self.standing(rng, index),
                _ => self.hanging(rng, index),
            };
            self.behind.push(piece);
        }
        self.behind.sort_by(|a, b| depth(a).total_cmp(&depth(b)));
        if let Some(main) = self.objects.last().copied() {
            if rng.chance(40) {
                self.before.push(self.occluder(rng, &main));
            }
        } else if rng.chance(50) {
            let near = Piece { x: 50.0, y: 70.0, half: 24.0, ..self.hanging(rng, 0) };
            self.before.push(self.occluder(rng, &near));
        }
    }

    /// A kind of clutter that is at home here, or now and then any.
    fn clutter_kind(&self, rng: &mut SceneRng) -> usize {
        let names: &[&str] = match (self.ground().layout, self.ground().name) {
            (_, "night") => &["moon", "star", "star", "tree", "bush", "lamp", "rock", "fence"],
            (_, "sea") => &["cloud", "cloud", "sun", "rock", "rock", "moon"],
            (BackgroundLayout::Air, _) => &["cloud", "cloud", "cloud", "sun", "star", "moon"],
            (BackgroundLayout::Wall, _) => {
                &["star", "flower", "bush", "fence", "lamp", "moon", "cloud", "rock", "sun"]
            }
            _ => &[
                "tree", "tree", "bush", "rock", "fence", "lamp", "flower", "flower", "cloud",
                "cloud", "sun",
            ],
        };
        let wanted = names[rng.below(names.len())];
        let any = rng.below(CLUTTER.len() - 1);
        if rng.chance(8) {
            return any;
        }
        CLUTTER.iter().position(|clutter| clutter.name == wanted).unwrap_or(any)
    }

    fn clutter(&self, rng: &mut SceneRng, index: usize, half: f32) -> Piece {
        let hue = self.setting.hue;
        let subject = PieceSubject::Clutter(index);
        let look = look(rng, hue);
        let (x, flipped) = (rng.range(5.0, 95.0), rng.chance(50));
        Piece { subject, look, hue, x, y: 50.0, half, tilt: 0.0, flipped, grounded: false }
    }

    fn mountain(&self, rng: &mut SceneRng) -> Piece {
        let index = CLUTTER.len() - 1;
        let half = rng.range(16.0, 28.0);
        let y = self.setting.horizon + 1.0 - half * 0.98;
        Piece { y, ..self.clutter(rng, index, half) }
    }

    fn standing(&self, rng: &mut SceneRng, index: usize) -> Piece {
        let clutter: &Clutter = &CLUTTER[index];
        let base = match clutter.name {
            "tree" | "lamp" => 19.0,
            "fence" => 14.0,
            "bush" => 11.0,
            _ => 9.0,
        };
        let horizon = if self.ground().layout == BackgroundLayout::Ground {
            self.setting.horizon
        } else {
            80.0
        };
        let depth = rng.unit() * 0.7;
        let half = base * (0.6 + depth) * rng.range(0.85, 1.15);
        let mut piece = self.clutter(rng, index, half);
        piece.grounded = true;
        piece.y += horizon + 5.0 + (92.0 - horizon) * depth - piece.foot();
        piece
    }

    fn hanging(&self, rng: &mut SceneRng, index: usize) -> Piece {
        let half = rng.range(6.0, 13.0);
        let floor = if self.ground().layout == BackgroundLayout::Ground {
            self.setting.horizon - half
        } else {
            92.0
        };
        let mut piece = self.clutter(rng, index, half);
        piece.y = rng.range(8.0, floor.max(10.0));
        piece.tilt = rng.range(-0.03, 0.03);
        piece
    }

    /// Something small before one side of the main object, lower down than it.
    fn occluder(&self, rng: &mut SceneRng, main: &Piece) -> Piece {
        let names = match self.ground().layout {
            BackgroundLayout::Air => ["cloud", "cloud", "star", "cloud"],
            BackgroundLayout::Wall => ["flower", "star", "bush", "rock"],
            BackgroundLayout::Ground => ["bush", "flower", "rock", "fence"],
        };
        let wanted = rng.pick(names);
        let index = CLUTTER.iter().position(|clutter| clutter.name == wanted).unwrap_or(0);
        let half = (main.half * rng.range(0.38, 0.56)).max(7.0);
        let mut piece = self.clutter(rng, index, half);
        let side = if main.x > 50.0 { -1.0 } else { 1.0 };
        piece.x = main.x + side * main.half * rng.range(0.55, 0.95);
        piece.y = main.foot() + rng.range(2.0, 6.0) - half * 0.92;
        piece.grounded = self.ground().layout == BackgroundLayout::Ground;
        piece
    }
}

/// How near a piece of clutter stands: things in the air are farthest.
fn depth(piece: &Piece) -> f32 {
    if piece.grounded { piece.foot() } else { piece.y - 200.0 }
}

/// The detail choices of one specimen in `hue`.
fn look(rng: &mut SceneRng, hue: Hue) -> Look {
    let vary = rng.range(-14.0, 14.0) as i32;
    let main = if vary < 0 { hue.ink().darker(-vary) } else { hue.ink().lighter(vary) };
    let friends = [
        Hue::Red,
        Hue::Orange,
        Hue::Yellow,
        Hue::Green,
        Hue::Blue,
        Hue::Purple,
        Hue::Pink,
        Hue::White,
    ];
    let first = rng.pick(friends);
    let second = rng.pick(friends);
    let accent = if first == hue { second } else { first };
    let accent = if accent == hue { Hue::White } else { accent };
    let accent = if accent == hue { Hue::Blue } else { accent };
    Look { main, accent: accent.ink(), variant: rng.below(4) }
}
