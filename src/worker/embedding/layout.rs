//! Both maps of one run: prepared, advanced in step, and added to.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::features::Form;
use super::{
    EmbeddedImage, EmbeddingFrame, EmbeddingTask, FRAME, ITERATIONS_A_FRAME, KL_EVERY, Matrix,
    Recall, SPACES,
};
use crate::eval::tsne::{Tsne, TsneError};
use crate::pipeline::LabelSet;

pub(super) struct PlaneLayout {
    maps: [Tsne; SPACES],
    form: Form,
    /// A CLIP's text features, of unit length, which are points of both spaces.
    texts: Option<Arc<LabelSet>>,
    /// Images that came later, in both spaces.
    later: [Matrix; SPACES],
    /// Where texts and later images are, in this order, unless the points have moved since.
    placed: Option<[Vec<[f32; 2]>; SPACES]>,
    kl: Option<([f64; SPACES], Instant)>,
    pub paused: bool,
    pub stopped: bool,
}

impl PlaneLayout {
    /// Finds neighbours in both spaces; `tell` hears how far it is, and it breaks off when the run
    /// is `wanted` no more.
    pub(super) fn new(
        task: &EmbeddingTask,
        recall: &Recall,
        wanted: &(dyn Fn() -> bool + Sync),
        tell: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, TsneError> {
        let form = Form::of(task);
        let [before, mut after] = form.points(&task.images, recall);
        if let Some(head) = &task.head {
            after.values.extend(form.centers(head.centers().data(), head.width()));
        }
        let total = before.len() + after.len();
        let prepare = |points: &Matrix, from: usize| {
            let watch = |progress: crate::eval::tsne::TsneProgress| {
                tell(from + progress.done, total);
                if wanted() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            Tsne::new(&points.values, points.len(), points.width, &task.config, &watch)
        };
        let maps = [prepare(&before, 0)?, prepare(&after, before.len())?];
        let later = [Matrix::default(), Matrix::default()];
        let texts = task.texts.clone();
        Ok(Self { maps, form, texts, later, placed: None, kl: None, paused: false, stopped: false })
    }

    /// Takes the text features of other names.
    pub(super) fn name(&mut self, texts: &Arc<LabelSet>) {
        (self.texts, self.placed) = (Some(texts.clone()), None);
    }

    /// Whether there are iterations to do now.
    pub(super) fn moves(&self) -> bool {
        !(self.paused || self.stopped || self.maps.iter().all(Tsne::is_done))
    }

    /// Iterates until a frame's time is over, both maps in step.
    pub(super) fn advance(&mut self) {
        let started = Instant::now();
        for _ in 0..ITERATIONS_A_FRAME {
            for map in &mut self.maps {
                map.step(1);
            }
            if started.elapsed() >= FRAME {
                break;
            }
        }
        self.placed = None;
    }

    /// Takes in images that came later.
    pub(super) fn add(&mut self, images: &[EmbeddedImage], recall: &Recall) {
        for (later, more) in self.later.iter_mut().zip(self.form.points(images, recall)) {
            later.width = more.width;
            later.values.extend(more.values);
        }
        self.placed = None;
    }

    /// Where everything is. Texts and later images are placed once the points rest, by the images that
    /// are nearest to them: texts are all nearer to each other than to any image, and laid out with
    /// these they would make an island of their own.
    pub(super) fn frame(&mut self) -> Result<EmbeddingFrame, TsneError> {
        let rests = !self.moves();
        let texts = self.texts.as_ref().map_or(&[][..], |texts| &texts.features);
        let stars = self.texts.as_ref().map_or(0, |texts| texts.len());
        if self.placed.is_none() && rests && stars + self.later[0].len() > 0 {
            let place =
                |space: usize| self.maps[space].place(&[texts, &self.later[space].values].concat());
            self.placed = Some([place(0)?, place(1)?]);
        }
        let stale = |(_, at): &([f64; SPACES], Instant)| rests || at.elapsed() >= KL_EVERY;
        if self.kl.as_ref().is_none_or(stale) {
            let [before, after] = &mut self.maps;
            self.kl = Some(([before.kl(), after.kl()], Instant::now()));
        }
        let placed = self.later[0].len();
        let nowhere = vec![[f32::NAN; 2]; stars + placed];
        let positions = [0, 1].map(|space| {
            let later = self.placed.as_ref().map_or(&nowhere, |placed| &placed[space]);
            let all = self.maps[space].positions().iter().chain(later);
            all.copied().collect::<Arc<[[f32; 2]]>>()
        });
        Ok(EmbeddingFrame {
            positions,
            texts: self.texts.clone(),
            iteration: self.maps[0].iteration(),
            kl: self.kl.as_ref().map(|(kl, _)| *kl),
            perplexity: self.maps[0].perplexity(),
            rests,
            placed,
        })
    }
}
