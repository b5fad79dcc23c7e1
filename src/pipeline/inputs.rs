//! What detectors read, of many images at once.

use super::{Pipeline, PipelineError, Projected, TaggerOutput};
use crate::decompose;
use crate::score::Sample;

/// Images that go through the projector together: large enough for its products, small enough that
/// images of one length, which are put together, leave little padding.
const PART: usize = 32;

/// Everything that detectors read of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Feature and class logits.
    pub projected: Projected,
    /// Best probability among the tags that count, 0 if none does.
    pub tag_score: f32,
    /// Mean of the kept tokens, `[width]`.
    pub object_token: Vec<f32>,
    /// The global token, `[width]`.
    pub image_token: Vec<f32>,
    /// Class logits after ODIN's step, where they were asked for.
    pub odin_logits: Option<Vec<f32>>,
}

impl Inputs {
    /// As detectors take it.
    pub fn sample(&self) -> Sample<'_> {
        Sample {
            feature: &self.projected.feature,
            class_logits: &self.projected.class_logits,
            tag_score: self.tag_score,
            object_token: &self.object_token,
            image_token: &self.image_token,
            ce_feature: self.projected.ce_feature.as_deref(),
            odin_logits: self.odin_logits.as_deref(),
            names: None,
        }
    }
}

/// An image with the tokens of it that are kept, at least one.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// What the tagger made of it.
    pub tagged: &'a TaggerOutput,
    /// Which tokens are kept, `[positions]`.
    pub mask: &'a [bool],
    /// Best probability among the tags that count, 0 if none does.
    pub tag_score: f32,
}

/// Whether ODIN's second pass is wanted, and of what.
#[derive(Clone, Copy, Debug, Default)]
pub enum Odin<'a> {
    /// Not at all: it costs three times what the rest does.
    #[default]
    None,
    /// With the tokens moved.
    Tokens,
    /// With these prepared images (`[3, S, S]` each) moved.
    Images(&'a [Vec<f32>]),
}

impl Pipeline {
    /// What detectors read of images, in their order, with [`Projected::ce_feature`] if `ce`; nothing
    /// without a projector.
    ///
    /// # Errors
    /// If the device fails.
    pub fn inputs(
        &self,
        images: &[Kept<'_>],
        odin: Odin<'_>,
        ce: bool,
    ) -> Result<Vec<Inputs>, PipelineError> {
        let mut order: Vec<usize> = (0..images.len()).collect();
        order.sort_by_key(|&at| images[at].mask.iter().filter(|&&keep| keep).count());
        let mut inputs = vec![Inputs::default(); images.len()];
        for part in order.chunks(PART) {
            let objects: Vec<Vec<f32>> = part
                .iter()
                .map(|&at| {
                    let Kept { tagged, mask, .. } = images[at];
                    decompose::object_tokens(&tagged.tokens, tagged.width, mask)
                })
                .collect();
            let projected = self.project(&objects, ce)?;
            if projected.is_empty() {
                return Ok(Vec::new());
            }
            let mut moved = self.odin_of(images, part, &objects, odin)?.into_iter();
            for (&at, projected) in part.iter().zip(projected) {
                let Kept { tagged, mask, tag_score } = images[at];
                inputs[at] = Inputs {
                    projected,
                    tag_score,
                    object_token: decompose::mean_token(&tagged.tokens, tagged.width, mask),
                    image_token: tagged.tokens[..tagged.width].to_vec(),
                    odin_logits: moved.next(),
                };
            }
        }
        Ok(inputs)
    }

    fn odin_of(
        &self,
        images: &[Kept<'_>],
        part: &[usize],
        objects: &[Vec<f32>],
        odin: Odin<'_>,
    ) -> Result<Vec<Vec<f32>>, PipelineError> {
        // Gradients through the tagger keep all its activations: few images at once.
        const IMAGES: usize = 4;
        match odin {
            Odin::None => Ok(Vec::new()),
            Odin::Tokens => self.odin_logits(objects),
            Odin::Images(prepared) => {
                let mut logits = Vec::with_capacity(part.len());
                for few in part.chunks(IMAGES) {
                    let pixels: Vec<Vec<f32>> =
                        few.iter().map(|&at| prepared[at].clone()).collect();
                    let masks: Vec<&[bool]> = few.iter().map(|&at| images[at].mask).collect();
                    logits.extend(self.odin_logits_of_images(&pixels, &masks)?);
                }
                Ok(logits)
            }
        }
    }
}
