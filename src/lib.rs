//! TagOOD Lens: see why an image is in- or out-of-distribution.
//!
//! The data's way, from a file to a verdict:
//!
//! ```text
//! image file ─ decode ─ preprocess ─▶ [B,3,S,S]
//!    ─ Swin ─▶ tokens [B,1+N,W] ─ image_proj ─▶ image tokens [B,1+N,512]
//!    ─ tag decoder ─▶ tag logits [B,T], attention [B,L,H,T,1+N]
//!    ─ vocabulary ─▶ in-distribution (ID) tags of this image
//!    ─ decompose(τ) ─▶ map [1+N], mask [1+N], object tokens [K,512]
//!    ─ projector ─▶ feature [512], class logits [C]
//!    ─ detector ─▶ score (higher = more ID) ─ λ ─▶ verdict
//! ```
//!
//! Everything up to the attention depends on the image alone and is computed once; everything from
//! `decompose` on depends on τ and is cheap. docs/architecture.md follows an image, a move of τ and an
//! evaluation through the functions.
//!
//! A module may use those above it in this list, never those below:
//!
//! - [`fs`] – whole-file writes, bounded reads, the cache and data folders
//! - [`lists`] – one reader for lists of tags, thresholds and classes
//! - [`gpu`] – the one device that Burn and egui share
//! - [`colormap`] – viridis
//! - [`image`] – files to RGB, RGB to `[3, S, S]`, folders of images
//! - [`dataset`] – sets of images: a folder, class folders, a CSV
//! - [`nn`] – the networks, and the reading of weights
//! - [`bundle`] – a model on disk
//! - [`decompose`] – attention and τ to map, mask and object tokens
//! - [`score`] – detectors, their fitted statistics, verdicts
//! - [`pipeline`] – an image through all stages, and one way to score many
//! - [`store`] – what the tagger made of a set, on disk
//! - [`fit`] – vocabulary, projector, class centers, statistics, λ
//! - [`figures`] – one chart engine and palette
//! - [`eval`] – metrics, scores of sets, t-SNE, the report
//! - [`results`] – scores, logits and features of any network, from files
//! - [`export`] – tables and figures of open images
//! - [`demo`] – the procedural world, and the training of the embedded model
//! - [`overlay`] – a map over its image, as a picture
//! - [`worker`] – the thread that owns the model, and what it is asked and answers
//! - [`session`] – what the window is about, changed by commands and events
//! - [`render`] – shaders
//! - [`ui`] – theme, widgets, textures
//! - [`panels`] – one file each; they read the session and return commands
//! - [`app`] – window, layout, bars, dialogs, saved session
//! - [`cli`] – one file a subcommand

// Text goes through `cli::output`, which copes with a reader who leaves early.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod fs;
#[cfg(test)]
mod damage;
pub mod lists;
pub mod gpu;
pub mod colormap;
pub mod image;
pub mod dataset;
pub mod nn;
pub mod bundle;
pub mod decompose;
pub mod score;
pub mod pipeline;
pub mod store;
pub mod fit;
pub mod figures;
pub mod eval;
pub mod results;
pub mod export;
pub mod demo;
pub mod overlay;
pub mod worker;
pub mod session;
pub mod render;
pub mod ui;
pub mod panels;
pub mod app;
pub mod cli;
