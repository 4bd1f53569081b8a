//! MERT-v1 (Li et al. 2023, "MERT: Acoustic music understanding model with large-scale self-supervised training"): what
//! every moment of a recording sounds like, in vectors. Laid out as HuBERT (Hsu et al. 2021), for 24 kHz.
//!
//! Convolutions without padding turn sound into 75 frames a second; a projection, a grouped convolution over
//! neighbouring frames (the positions), then transformer layers that see all frames. All hidden states can be had, as
//! transformers' `output_hidden_states` numbers them.

mod config;
mod convolutions;
mod layer;
mod model;
mod position;

pub use config::MertConfig;
pub use model::{CHUNK_SECONDS, HiddenStates, MAX_FRAMES, Mert};
