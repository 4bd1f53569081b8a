//! SoundFonts: a score in, stereo sound out.
//!
//! [`SoundFont`] reads the tables of an SF2 or SF3 file; [`render`] decodes only the samples a
//! [`Score`](crate::Score) needs and plays it. One file a job: tables, regions (what a key sounds),
//! samples, voices, room and chorus, mix.

mod bank;
mod chorus;
mod envelope;
mod error;
mod fallback;
mod parallel;
mod placement;
mod plan;
mod region;
mod render;
mod reverb;
mod samples;
pub mod tables;
mod voice;

pub use bank::SoundFont;
pub use error::{Result, SynthError};
pub use fallback::substitutes;
pub use placement::{Placement, placement};
pub use render::{RenderOptions, render, render_mono};
