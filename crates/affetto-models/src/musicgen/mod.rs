//! MusicGen (Copet et al. 2023, arXiv:2306.05284) as transformers computes it: text, melody and stereo models.
//!
//! [`MusicGen`] holds the decoder and the projections of the conditions, a [`Plan`] says what a take shall be (states of
//! the text encoder along time, feelings along time where there is an [`AvEncoder`], a melody), and [`generate`](generate()) or a [`Generation`] samples its codes. The text
//! encoder ([`crate::t5`]) and the codec are loaded apart, so that each can be dropped when its work is done.

mod av;
mod config;
mod generate;
mod guide;
mod model;
mod steered;

pub use av::{ACTIVATION_KEY, AV_ENCODER_FILE, AvEncoder, INPUTS_KEY, SCALE_KEY};
pub use config::{ChromaConfig, MusicGenConfig};
pub use generate::{Generation, generate, generate_many};
pub use guide::{Feeling, Melody, MusicGenGuide, Plan, Text};
pub use model::MusicGen;
pub use steered::Strengths;

/// The licence of the weights Meta has published, to be told wherever they are used.
pub const PUBLISHED_LICENCE: &str =
    "CC-BY-NC 4.0 (the published MusicGen weights: https://creativecommons.org/licenses/by-nc/4.0/)";
