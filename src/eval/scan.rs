//! Reading a set from a feature store, block by block.

use std::ops::ControlFlow;

use rayon::prelude::*;

use thiserror::Error;

use super::gather::TaggedImage;
use super::scores::{FailedImage, ScoredImage};
use crate::bundle::manifest::Recipe;
use crate::image::{DecodeOptions, decode_file};
use crate::pipeline::{Pipeline, PipelineError};
use crate::store::{Row, Store, StoreError, add_missing_attention};

/// What can go wrong while a set is read.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ScanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

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
    /// What a reader of its numbers should know of its images, a sentence each.
    pub notes: Vec<String>,
}

/// One block of a set.
#[derive(Debug, Default)]
pub struct Block {
    /// The images.
    pub images: Vec<TaggedImage>,
    /// The place of each in the set, failed ones counted.
    pub places: Vec<usize>,
    /// Those that could not be read.
    pub failed: Vec<FailedImage>,
}

impl StoredSet {
    /// Hands over the whole set once, a block at a time, in order; `each` may end it early. With
    /// `pixels`, images are decoded again for what needs their pixels.
    ///
    /// # Errors
    /// If a row is not what was written, or the device fails while it computes attention that the store
    /// does not have.
    pub fn scan(
        &self,
        pipeline: &Pipeline,
        recipe: Recipe,
        pixels: bool,
        each: &mut dyn FnMut(Block) -> Result<ControlFlow<()>, PipelineError>,
    ) -> Result<ControlFlow<()>, ScanError> {
        let options = self.store.header().decode_options();
        let decoder = pixels.then_some((pipeline, options));
        for (index, rows) in self.rows.chunks(BLOCK).enumerate() {
            let read = |row: &usize| self.store.row(*row).map(|row| read(row, decoder));
            let read: Vec<Option<_>> = rows.par_iter().map(read).collect();
            let mut block = Block::default();
            for (at, outcome) in read.into_iter().enumerate() {
                match outcome.transpose()? {
                    Some(Ok(image)) => {
                        block.images.push(image);
                        block.places.push(index * BLOCK + at);
                    }
                    Some(Err(failed)) => block.failed.push(failed),
                    None => {}
                }
            }
            for image in &mut block.images {
                add_missing_attention(pipeline, &mut image.tagged, recipe)?;
            }
            if each(block)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// An image of a row, or why it has none; with its pixels, if there is something to decode them with.
fn read(
    row: Row,
    decoder: Option<(&Pipeline, DecodeOptions)>,
) -> Result<Result<TaggedImage, FailedImage>, StoreError> {
    let path = row.shown_path().to_owned();
    let failed = |error: String| FailedImage { path: path.clone(), error };
    let Some(tagged) = row.tagged()? else {
        return Ok(Err(failed(row.error().unwrap_or_default().to_owned())));
    };
    let decode = |(pipeline, options): (&Pipeline, DecodeOptions)| {
        let decoded = decode_file(&row.path(), &options);
        decoded.map(|decoded| pipeline.prepare(&decoded.rgb)).map_err(|e| failed(e.to_string()))
    };
    let pixels = match decoder.map(decode).transpose() {
        Ok(pixels) => pixels,
        Err(failed) => return Ok(Err(failed)),
    };
    let class = row.class().map(str::to_owned);
    let image = ScoredImage { hash: row.hash(), class, path, ..ScoredImage::default() };
    Ok(Ok(TaggedImage { image, tagged, pixels }))
}
