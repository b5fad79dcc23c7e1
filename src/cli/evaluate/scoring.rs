//! One pass over the sets for all detectors, all τ and all refitted projectors.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;

use super::refits::Refits;
use crate::eval::gather::{Plan, SetScorer, TaggedImage};
use crate::eval::report::RefitReport;
use crate::eval::scan::{Block, ScanError, StoredSet};
use crate::eval::scores::{ScoreTable, SetScores};
use crate::pipeline::{OdinInput, Pipeline};

/// Images scored between two glances at Ctrl-C.
const PART: usize = 64;

/// Scores of the model and of refitted projectors.
pub(super) struct Scoring<'a> {
    main: SetScorer<'a>,
    refitted: Vec<SetScorer<'a>>,
    refits: &'a Refits,
    pipeline: &'a Pipeline,
    plan: Plan,
}

impl<'a> Scoring<'a> {
    /// Prepares a pass.
    ///
    /// # Errors
    /// If the recipe's own detector is unknown, which a test rules out.
    pub(super) fn new(
        pipeline: &'a Pipeline,
        plan: &Plan,
        refits: &'a Refits,
    ) -> anyhow::Result<Self> {
        let gathers = refits.fitted.iter().map(|refitted| refitted.gather(plan.recipe, plan.tau));
        Ok(Self {
            main: SetScorer::new(pipeline, plan.clone()),
            refitted: gathers.collect::<Result<_, _>>()?,
            refits,
            pipeline,
            plan: plan.clone(),
        })
    }

    /// Every score of every set, the in-distribution one first, and what the refitted projectors come
    /// to; `None` if stopped.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn run(
        &self,
        sets: &[StoredSet],
        bar: &ProgressBar,
        cancel: &AtomicBool,
    ) -> anyhow::Result<Option<(ScoreTable, Vec<RefitReport>)>> {
        let mut scored: Vec<Vec<SetScores>> = vec![Vec::new(); 1 + self.refitted.len()];
        for (index, set) in sets.iter().enumerate() {
            let Some(scores) = self.set(set, index == 0, bar, cancel)? else { return Ok(None) };
            scored.iter_mut().zip(scores).for_each(|(of_gather, set)| of_gather.push(set));
        }
        let mut tables = std::iter::once(&self.main).chain(&self.refitted).zip(scored).filter_map(
            |(gather, mut sets)| {
                let ood = sets.split_off(1);
                sets.pop().map(|id| gather.table(id, ood))
            },
        );
        let Some(main) = tables.next() else { return Ok(None) };
        let mut reports = self.refits.failed.clone();
        for (refitted, table) in self.refits.fitted.iter().zip(tables) {
            reports.push(refitted.report(&table)?);
        }
        reports.sort_by(|a, b| a.one_tag.cmp(&b.one_tag).then(a.fit_tau.total_cmp(&b.fit_tau)));
        Ok(Some((main, reports)))
    }

    /// One set's scores by the model, then by each refitted projector.
    fn set(
        &self,
        set: &StoredSet,
        is_id: bool,
        bar: &ProgressBar,
        cancel: &AtomicBool,
    ) -> Result<Option<Vec<SetScores>>, ScanError> {
        let gathers = || std::iter::once(&self.main).chain(&self.refitted);
        let mut scores: Vec<SetScores> = gathers().map(|gather| gather.begin(&set.name)).collect();
        let pixels = self.plan.odin == OdinInput::Image;
        let mut block = |block: Block| {
            for (part, places) in block.images.chunks(PART).zip(block.places.chunks(PART)) {
                if cancel.load(Ordering::Relaxed) {
                    return Ok(ControlFlow::Break(()));
                }
                self.main.add(&mut scores[0], part)?;
                let rest = is_id.then(|| self.without_used(part, places)).flatten();
                for (gather, scores) in self.refitted.iter().zip(&mut scores[1..]) {
                    gather.add(scores, rest.as_deref().unwrap_or(part))?;
                }
                bar.inc(part.len() as u64);
            }
            bar.inc(block.failed.len() as u64);
            scores[0].failed.extend(block.failed);
            Ok(ControlFlow::Continue(()))
        };
        let outcome = set.scan(self.pipeline, self.plan.recipe, pixels, &mut block)?;
        Ok(outcome.is_continue().then_some(scores))
    }

    /// The images that no projector was fitted to; `None` if that is all of them.
    fn without_used(&self, images: &[TaggedImage], places: &[usize]) -> Option<Vec<TaggedImage>> {
        let used = &self.refits.used;
        if !places.iter().any(|place| used.contains(place)) {
            return None;
        }
        let rest = images.iter().zip(places).filter(|(_, place)| !used.contains(place));
        Some(rest.map(|(image, _)| image.clone()).collect())
    }
}
