//! Steering music by its own directions: what probes on a decoder's activations found ([`Directions`], a safetensors
//! file), how strongly each is followed along time ([`Strength`]), and both made ready for a decoder ([`Steer`]).
//!
//! A direction is a unit vector for each layer at each [`Site`]. For strength α the decoder adds
//! α · [`FULL_SCALE`] · w · rms · √n · v to the n activations there: w is the layer's weight (they sum to 1 over the
//! layers), rms the root mean square that the activations have by themselves. So strength 1 adds a third of what is
//! there, shared among the layers, about as much as music bears, and 0.5 means the same on every model ("h += α · v · RMS(h)", arXiv:2510.11328; the layers weighed by their probes' scores as in
//! MusicRFM; directions from probes as in arXiv:2506.10225).
//!
//! What depends on the key, as mode does, is no single direction: the same notes are major on one tonic and minor on
//! another. Files of such attributes hold a set for each of the twelve tonics, and the take's tonic chooses.

mod check;
mod directions;
mod file;
mod steer;
mod strength;

pub use affetto_models::decoder::{Branch, Site};
pub use directions::{
    About, Directions, FULL_SCALE, Freed, LabelKind, Method, SiteDirections, TONICS, weights_by_score,
};
pub use file::{MAX_BYTES, SteeringError};
pub use steer::{Controller, Steer, SteerOptions};
pub use strength::{MAX_STRENGTH, Strength, StrengthError};
