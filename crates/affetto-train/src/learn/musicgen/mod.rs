//! Training MusicGen's text models with LARA: a feeling beside the words, hidden states aligned with what a
//! music-understanding network hears.

pub mod batch;
pub mod clips;
pub mod export;
pub mod model;
pub mod network;
pub mod prepared;
pub mod run;

pub use run::{MusicGenRun, train_lara};
