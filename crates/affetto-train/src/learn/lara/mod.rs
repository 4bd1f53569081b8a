//! LARA: besides the next token, hidden states learn to say what a music-understanding network hears in the same
//! stretch of time (LARA-Gen, arXiv 2510.05875). Loss = cross-entropy + λ · mean over windows of (1 − cosine).
//!
//! [`align`], [`adapter`], [`cache`], [`encoder`], [`mert`] and [`targets`] know no model family; [`model`], [`examples`] and
//! [`score`] are the score family's.

pub mod adapter;
pub mod align;
pub mod cache;
pub mod encoder;
pub mod examples;
pub mod mert;
pub mod model;
pub mod score;
pub(crate) mod settings;
pub mod targets;
