//! Steering music by its own directions: what probes on a decoder's activations found ([`Directions`], a safetensors
//! file), how strongly each is followed along time ([`Strength`]), and both made ready for a decoder ([`Steer`]).
//!
//! A direction is a unit vector for each layer at each [`Site`]. For strength α the decoder adds α · w · rms · √n · v to
//! the n activations there: w is the layer's weight (they sum to 1 over the layers), rms the root mean square that the
//! activations have by themselves. So strength 1 adds as much as there is, shared among the layers, and 0.5 means the
//! same on every model ("h += α · v · RMS(h)", arXiv:2510.11328; the layers weighed by their probes' scores as in
//! MusicRFM; directions from probes as in arXiv:2506.10225).

mod directions;
mod file;
mod steer;
mod strength;

pub use affetto_models::decoder::{Branch, Site};
pub use directions::{About, Directions, Freed, LabelKind, Method, SiteDirections, weights_by_score};
pub use file::{MAX_BYTES, SteeringError};
pub use steer::{Controller, Steer, SteerOptions};
pub use strength::{MAX_STRENGTH, Strength, StrengthError};
