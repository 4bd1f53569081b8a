//! The decoder language model over K parallel token streams, for notes and for MusicGen's codes alike: a pre-norm
//! transformer with cross-attention to condition tokens (ARCHITECTURE.md has the tensor names).
//!
//! [`DecoderLm`] holds the weights, a [`Lane`] one sequence in progress (its keys, values and conditions), and
//! [`generate`](mod@generate) the loop that samples rows under a [`Guide`]. [`steering`] changes its activations while it
//! writes.

mod config;
mod cross;
mod fingerprint;
mod forward;
pub mod generate;
mod lane;
mod lm;
mod pooled;
mod progress;
pub mod steering;
mod take;

pub use config::{Angles, DecoderConfig, Variant};
pub use cross::CrossCache;
pub use forward::{Answers, Logits, Scratch};
pub use generate::{Guide, Settings, generate, generate_many};
pub use lane::Lane;
pub use lm::{DecoderLm, sinusoids};
pub use pooled::Pooled;
pub use progress::Progress;
pub use steering::{Branch, Probe, Push, Site, SteerVector, Steering};
pub use take::{Conditions, Prefix, Take};
