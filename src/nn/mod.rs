//! The networks: Swin, the tag decoder, RAM, RAM++, the TagOOD projector, CLIP and CLIPN.
//!
//! This module knows Burn and nothing of bundles or windows, and of images only what their pixels
//! are normalised by. A layer's constructor takes a
//! [`weights::WeightLoader`], which reads tensors under their published names or draws them; its
//! `forward` states its shapes.

pub mod clip;
mod kernels;
pub mod projector;
pub mod ram;
pub mod source;
pub mod swin;
pub mod tag_decoder;
pub mod weights;

pub use kernels::Activation;
