//! How the points of a map are coloured, and the legend that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eframe::egui::{Color32, Theme};
use serde::{Deserialize, Serialize};

use crate::colormap::viridis_srgb;
use crate::render::{PointStyle, Shape};
use crate::score::verdict::Outcome;
use crate::session::embedding::MapRow;
use crate::session::{Session, entry::Entry};
use crate::ui::class_colors::class_color;
use crate::ui::theme::Palette;
use crate::worker::{ImageId, SPACES};

/// Entries of the palette; the last is for images that have no colour of their own.
const PALETTE: usize = 256;
const PLAIN: u8 = (PALETTE - 1) as u8;
/// Steps of a colour map.
const STEPS: usize = PALETTE - 1;

/// What colours mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorBy {
    /// The class; crosses have none.
    #[default]
    Class,
    /// The verdict.
    Verdict,
    /// The set.
    Set,
    /// The score.
    Score,
}

impl ColorBy {
    /// Every one, with the word for it.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Class, "Class"),
        (Self::Verdict, "Verdict"),
        (Self::Set, "Set"),
        (Self::Score, "Score"),
    ];
}

/// A line of the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// Its colour.
    pub color: Color32,
    /// Its shape.
    pub shape: Shape,
    /// What they mean.
    pub label: String,
    /// What a click selects.
    pub images: Vec<ImageId>,
}

/// All that follows from results, selection and colouring.
#[derive(Clone, Debug)]
pub struct MapStyle {
    made_for: Option<StyleKey>,
    /// For each space, in the order of its points.
    pub rows: [Vec<MapRow>; SPACES],
    /// How each of them is drawn.
    pub styles: [Arc<[PointStyle]>; SPACES],
    /// Points whose images are open no more.
    pub gone: [Vec<usize>; SPACES],
    /// The colours that styles name.
    pub palette: Arc<[Color32]>,
    /// What colours and shapes mean.
    pub legend: Vec<LegendEntry>,
    /// Lowest and highest score, where colours mean scores.
    pub scores: Option<(f32, f32)>,
    /// Grows with every change.
    pub version: u64,
    /// Images drawn as crosses.
    pub crosses: usize,
}

impl Default for MapStyle {
    fn default() -> Self {
        Self {
            made_for: None,
            rows: Default::default(),
            styles: [Arc::from([]), Arc::from([])],
            gone: Default::default(),
            palette: Arc::from([]),
            legend: Vec::new(),
            scores: None,
            version: 0,
            crosses: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct StyleKey {
    run: u64,
    points: [usize; SPACES],
    /// Whether the text features of a CLIP's names are among them.
    has_texts: bool,
    revision: u64,
    selected: Vec<ImageId>,
    color_by: ColorBy,
    theme: Theme,
}

/// The class that an image is coloured by: its own where its folder tells, else that of the nearest
/// center.
pub(super) fn class_of(entry: &Entry) -> Option<usize> {
    entry.class.or_else(|| Some(entry.analysis.as_ref()?.nearest.first()?.class))
}

/// Whether an image is drawn as a cross: out-of-distribution in truth where its set tells, else by
/// its verdict.
fn is_cross(session: &Session, entry: &Entry) -> bool {
    session.truth(entry.set_at).or(entry.outcome()) == Some(Outcome::Ood)
}

impl MapStyle {
    /// Follows the model, where something changed.
    pub fn follow(&mut self, session: &Session, color_by: ColorBy, theme: Theme) {
        self.style(session, color_by, theme, &session.selected);
    }

    /// As [`MapStyle::follow`], as if nothing were selected.
    pub fn follow_unselected(&mut self, session: &Session, color_by: ColorBy, theme: Theme) {
        self.style(session, color_by, theme, &[]);
    }

    fn style(&mut self, session: &Session, color_by: ColorBy, theme: Theme, selected: &[ImageId]) {
        let Some(frame) = &session.embedding.frame else { return };
        let occasion = StyleKey {
            run: session.embedding.run(),
            points: [frame.positions[0].len(), frame.positions[1].len()],
            has_texts: frame.texts.is_some(),
            revision: session.revision(),
            selected: selected.to_vec(),
            color_by,
            theme,
        };
        if self.made_for.as_ref() == Some(&occasion) {
            return;
        }
        self.rows = session.embedding.rows();
        let tailor = StyleBuilder::new(session, &self.rows[0], color_by, theme, selected);
        for space in 0..SPACES {
            let rows = &self.rows[space];
            self.styles[space] = rows.iter().map(|&row| tailor.style(row)).collect();
            let gone = |(_, row): &(usize, &MapRow)| match row {
                MapRow::Image(id) => session.entry(*id).is_none(),
                MapRow::Center(_) => false,
            };
            self.gone[space] = rows.iter().enumerate().filter(gone).map(|(at, _)| at).collect();
        }
        self.crosses = tailor.crosses();
        self.scores = (color_by == ColorBy::Score).then_some(tailor.scores).flatten();
        (self.palette, self.legend) = (tailor.palette(), tailor.legend());
        self.made_for = Some(occasion);
        self.version += 1;
    }
}

struct StyleBuilder<'a> {
    session: &'a Session,
    entries: Vec<&'a Entry>,
    selected: BTreeSet<ImageId>,
    color_by: ColorBy,
    theme: Theme,
    sets: Vec<&'a str>,
    scores: Option<(f32, f32)>,
}

impl<'a> StyleBuilder<'a> {
    fn new(
        session: &'a Session,
        images: &[MapRow],
        color_by: ColorBy,
        theme: Theme,
        selected: &[ImageId],
    ) -> Self {
        let entry = |row: &MapRow| match row {
            MapRow::Image(id) => session.entry(*id),
            MapRow::Center(_) => None,
        };
        let entries: Vec<&Entry> = images.iter().filter_map(entry).collect();
        let names: BTreeSet<&str> = entries.iter().map(|entry| &*entry.set).collect();
        let known = || entries.iter().filter_map(|entry| entry.score()).filter(|s| s.is_finite());
        let low = known().min_by(f32::total_cmp);
        let scores = low.zip(known().max_by(f32::total_cmp));
        Self {
            session,
            selected: selected.iter().copied().collect(),
            color_by,
            theme,
            sets: names.into_iter().collect(),
            scores,
            entries,
        }
    }

    /// Where one image alone is selected it is marked; where several are, the others turn gray.
    fn style(&self, row: MapRow) -> PointStyle {
        let MapRow::Image(id) = row else {
            let MapRow::Center(class) = row else { return PointStyle::default() };
            return PointStyle {
                class: class_entry(class),
                shape: Shape::Star,
                ..PointStyle::default()
            };
        };
        let Some(entry) = self.session.entry(id) else { return PointStyle::default() };
        let shape = if is_cross(self.session, entry) { Shape::Cross } else { Shape::Circle };
        let dimmed = self.selected.len() > 1 && !self.selected.contains(&id);
        let selected = self.session.focus == Some(id) && self.selected.contains(&id);
        PointStyle { class: self.color(entry), shape, selected, dimmed }
    }

    /// Which colour of the palette an image has.
    fn color(&self, entry: &Entry) -> u8 {
        match self.color_by {
            ColorBy::Class if is_cross(self.session, entry) => PLAIN,
            ColorBy::Class => class_of(entry).map_or(PLAIN, class_entry),
            ColorBy::Verdict => match entry.outcome() {
                Some(Outcome::Id) => 0,
                Some(Outcome::Ood) => 1,
                None => PLAIN,
            },
            ColorBy::Set => {
                let at = self.sets.binary_search(&&*entry.set);
                at.map_or(PLAIN, class_entry)
            }
            ColorBy::Score => match (entry.score(), self.scores) {
                (Some(score), Some((low, high))) if score.is_finite() => {
                    let share = (score - low) / (high - low).max(f32::MIN_POSITIVE);
                    (share.clamp(0.0, 1.0) * (STEPS - 1) as f32).round() as u8
                }
                _ => PLAIN,
            },
        }
    }

    fn crosses(&self) -> usize {
        self.entries.iter().filter(|entry| is_cross(self.session, entry)).count()
    }

    fn palette(&self) -> Arc<[Color32]> {
        let theme = Palette::of(self.theme);
        let color = |at: usize| match self.color_by {
            _ if at == usize::from(PLAIN) => theme.weak.gamma_multiply(0.8),
            ColorBy::Class | ColorBy::Set => class_color(self.theme, at),
            ColorBy::Verdict => {
                theme.outcome(Some(if at == 0 { Outcome::Id } else { Outcome::Ood }))
            }
            ColorBy::Score => {
                let [r, g, b] = viridis_srgb(at as f32 / (STEPS - 1) as f32);
                Color32::from_rgb(r, g, b)
            }
        };
        (0..PALETTE).map(color).collect()
    }

    fn legend(&self) -> Vec<LegendEntry> {
        let palette = self.palette();
        let mut keys: BTreeMap<(usize, bool), LegendEntry> = BTreeMap::new();
        for entry in &self.entries {
            let cross = is_cross(self.session, entry);
            let (at, label) = match self.color_by {
                ColorBy::Class if cross => (usize::MAX, "Out-of-distribution".to_owned()),
                ColorBy::Class => match class_of(entry) {
                    Some(class) => (class, self.class_name(class)),
                    None => (usize::MAX - 1, "No class".to_owned()),
                },
                ColorBy::Verdict => verdict_key(entry.outcome(), self.session.truth(entry.set_at)),
                ColorBy::Set => {
                    let name = if entry.set.is_empty() { "Pasted" } else { &entry.set };
                    (self.sets.binary_search(&&*entry.set).unwrap_or(0), name.to_owned())
                }
                ColorBy::Score => continue,
            };
            let key = keys.entry((at, cross)).or_insert_with(|| LegendEntry {
                color: palette[usize::from(self.color(entry))],
                shape: if cross { Shape::Cross } else { Shape::Circle },
                label,
                images: Vec::new(),
            });
            key.images.push(entry.id);
        }
        keys.into_values().collect()
    }

    fn class_name(&self, class: usize) -> String {
        let info = self.session.info();
        info.map_or_else(|| format!("class {class}"), |info| info.vocabulary.class_name(class))
    }
}

/// Which place a verdict has in the legend, and its words.
fn verdict_key(outcome: Option<Outcome>, truth: Option<Outcome>) -> (usize, String) {
    let words = match (outcome, truth) {
        (Some(Outcome::Id), Some(Outcome::Id)) => (0, "ID kept"),
        (Some(Outcome::Ood), Some(Outcome::Id)) => (1, "ID lost"),
        (Some(Outcome::Ood), Some(Outcome::Ood)) => (2, "OOD caught"),
        (Some(Outcome::Id), Some(Outcome::Ood)) => (3, "OOD missed"),
        (Some(Outcome::Id), None) => (4, "Judged ID"),
        (Some(Outcome::Ood), None) => (5, "Judged OOD"),
        (None, _) => (6, "Not judged"),
    };
    (words.0, words.1.to_owned())
}

/// The palette's entry of a class; classes beyond the palette begin again.
fn class_entry(class: usize) -> u8 {
    (class % STEPS) as u8
}
