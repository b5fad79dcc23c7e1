//! Reading a set from a feature store, block by block.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::gather::TaggedImage;
use super::scores::{FailedImage, ScoredImage};
use crate::bundle::manifest::Recipe;
use crate::image::{DecodeOptions, decode_file};
use crate::pipeline::{Pipeline, PipelineError};
use crate::store::{Row, Store, add_missing_attention};

/// Images in a block: enough to sort by length and to score on all cores, some 80 MB of tokens.
const BLOCK: usize = 256;

/// Some rows of a store as one set.
#[derive(Debug)]
pub struct StoredSet {
    /// What reports call it.
    pub name: String,
    /// The store.
    pub store: Store,
    /// Its rows.
    pub rows: Vec<usize>,
}

/// One block of a set.
#[derive(Debug, Default)]
pub struct Block {
    /// Place in the set of its first image, failed ones counted.
    pub first: usize,
    /// The images, each with its place in the set.
    pub seen: Vec<(usize, TaggedImage)>,
    /// Those that could not be read.
    pub failed: Vec<FailedImage>,
}

impl StoredSet {
    /// Hands over the whole set once, a block at a time, in order; `each` may end it early. With
    /// `pixels`, images are decoded again for what needs their pixels.
    ///
    /// # Errors
    /// If the device fails, while it computes attention that the store does not have.
    pub fn scan(
        &self,
        pipeline: &Pipeline,
        recipe: Recipe,
        pixels: bool,
        each: &mut dyn FnMut(Block) -> Result<ControlFlow<()>, PipelineError>,
    ) -> Result<ControlFlow<()>, PipelineError> {
        for (index, rows) in self.rows.chunks(BLOCK).enumerate() {
            let first = index * BLOCK;
            let read = |(at, row): (usize, &usize)| {
                let row = self.store.row(*row)?;
                Some(read(row, pixels.then_some(pipeline)).map(|seen| (first + at, seen)))
            };
            let read: Vec<_> = rows.par_iter().enumerate().filter_map(read).collect();
            let mut block = Block { first, ..Block::default() };
            for outcome in read {
                match outcome {
                    Ok(seen) => block.seen.push(seen),
                    Err(failed) => block.failed.push(failed),
                }
            }
            for (_, seen) in &mut block.seen {
                add_missing_attention(pipeline, &mut seen.tagged, recipe)?;
            }
            if each(block)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn read(row: Row, pixels: Option<&Pipeline>) -> Result<TaggedImage, FailedImage> {
    let path = row.path().to_owned();
    let failed = |error: String| FailedImage { path: path.clone(), error };
    let tagged = row.tagged().ok_or_else(|| failed(row.error().unwrap_or_default().to_owned()))?;
    let decode = |pipeline: &Pipeline| {
        let decoded = decode_file(row.path().as_ref(), &DecodeOptions::default());
        decoded.map(|decoded| pipeline.prepare(&decoded.rgb)).map_err(|e| failed(e.to_string()))
    };
    let pixels = pixels.map(decode).transpose()?;
    let class = row.class().map(str::to_owned);
    let image = ScoredImage { hash: row.hash(), class, path, ..ScoredImage::default() };
    Ok(TaggedImage { image, tagged, pixels })
}
