//! What the open images say of each name.

use std::sync::Arc;

use eframe::egui::Ui;

use crate::pipeline::{Analysis, Cosines};
use crate::score;
use crate::score::detectors::clipn::YesNo;
use crate::session::Session;
use crate::worker::ModelInfo;

/// A frame's share of counting: after a long count the next one waits.
const SHARE: f64 = 0.05;

/// What open images say of one name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NameCount {
    /// Images that are nearest to it.
    pub images: usize,
    sum: f64,
}

impl NameCount {
    /// Mean of their similarities to a CLIP's name, or of their scores under a tagger's class.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.images > 0).then(|| self.sum / self.images as f64)
    }

    fn add(&mut self, value: f32) {
        self.images += 1;
        self.sum += f64::from(value);
    }
}

/// How many images one way to hear a CLIPN's no side calls known and unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SideCount {
    pub known: usize,
    pub unknown: usize,
}

impl SideCount {
    fn add(&mut self, is_known: bool) {
        match is_known {
            true => self.known += 1,
            false => self.unknown += 1,
        }
    }
}

/// Counts over the open images that were analysed under the names in force.
#[derive(Default)]
pub(super) struct Counts {
    /// One for each name.
    pub names: Vec<NameCount>,
    /// By CLIPN-CTW and by CLIPN-ATD; `None` where there is no no side.
    pub sides: Option<[SideCount; 2]>,
    /// The nearest name of the image on show.
    pub shown: Option<usize>,
    seen: Option<(Arc<ModelInfo>, u64)>,
    next_at: f64,
}

impl Counts {
    /// Counts anew where something has changed.
    pub(super) fn follow(&mut self, ui: &Ui, session: &Session) {
        let Some(info) = session.info() else { return };
        let focused = session.focused().and_then(|entry| entry.analysis.as_ref());
        self.shown = focused.and_then(|analysis| nearest(analysis, info)).map(|(at, _)| at);
        let revision = session.images().scores_revision();
        let is_same = |seen: &(Arc<ModelInfo>, u64)| Arc::ptr_eq(&seen.0, info);
        if self.seen.as_ref().is_some_and(|seen| is_same(seen) && seen.1 == revision) {
            return;
        }
        let now = ui.input(|input| input.time);
        // Counts of other names say nothing of these.
        if self.seen.as_ref().is_some_and(is_same) && now < self.next_at {
            ui.ctx().request_repaint_after_secs((self.next_at - now) as f32);
            return;
        }
        let started = std::time::Instant::now();
        self.count(session, info);
        self.seen = Some((info.clone(), revision));
        self.next_at = now + started.elapsed().as_secs_f64() / SHARE;
    }

    fn count(&mut self, session: &Session, info: &ModelInfo) {
        self.names = vec![NameCount::default(); info.vocabulary.classes.len()];
        let has_no = info.labels.as_ref().is_some_and(|labels| labels.no.is_some());
        self.sides = (has_no && !self.names.is_empty()).then(Default::default);
        let generation = session.images().generation();
        let current = session.entries().iter().filter(|entry| entry.generation == generation);
        for analysis in current.filter_map(|entry| entry.analysis.as_deref()) {
            if let Some((at, value)) = nearest(analysis, info)
                && let Some(name) = self.names.get_mut(at)
            {
                name.add(value);
            }
            let sides = analysis.cosines.as_ref().and_then(decisions);
            for (count, is_known) in
                self.sides.iter_mut().flatten().zip(sides.into_iter().flatten())
            {
                count.add(is_known);
            }
        }
    }
}

/// The name that an image is nearest to, with its similarity; of a tagger, the nearest class or the
/// first whose tag counts, with the image's score.
fn nearest(analysis: &Analysis, info: &ModelInfo) -> Option<(usize, f32)> {
    if info.labels.is_some() {
        let cosines = analysis.cosines.as_ref()?;
        let better = |a: &(usize, &f32), b: &(usize, &f32)| a.1.total_cmp(b.1).then(b.0.cmp(&a.0));
        let (at, &similarity) = cosines.image.iter().enumerate().max_by(better)?;
        return Some((at, similarity));
    }
    let score = analysis.verdict.score?;
    if let Some(nearest) = analysis.nearest.first() {
        return Some((nearest.class, score));
    }
    let tags = &analysis.decomposition.tags;
    let classes = &info.vocabulary.classes;
    let at = classes.iter().position(|class| class.tags.iter().any(|tag| tags.contains(tag)))?;
    Some((at, score))
}

/// Whether CLIPN-CTW and CLIPN-ATD, as the paper decides, call an image known.
fn decisions(cosines: &Cosines) -> Option<[bool; 2]> {
    let both = YesNo::new(&cosines.image, cosines.no.as_ref()?);
    let is_known = |detector: &str, score: f64| {
        let own = score::by_name(detector).ok().and_then(|detector| detector.own_lambda());
        own.is_some_and(|lambda| score as f32 >= lambda)
    };
    Some([
        is_known(super::sides::CTW, both.competing_to_win()),
        is_known(super::sides::ATD, both.margin_over_none()),
    ])
}
