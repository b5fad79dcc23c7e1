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
//! `decompose` on depends on τ and is cheap. A module may use those above it in this list, never
//! those below.

pub mod fs;
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
