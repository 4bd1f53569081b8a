//! Directions of activation steering: linear probes on a decoder's pooled activations (arXiv:2506.10225), one for each
//! layer, site and head, and what held-out folds say of them.
//!
//! Examples go into a [`Spool`] on disk; [`fit`] takes them from there one place at a time, so that memory holds the
//! activations of one place, never of all. It knows nothing of music: the score family and MusicGen are fitted alike.

mod agop;
mod comparison;
mod fit;
mod folds;
mod gram;
mod joined;
mod logistic;
mod probe;
mod ridge;
mod rows;
mod scores;
mod spool;
#[cfg(test)]
mod tests;

pub use comparison::{Comparison, Row};
pub use fit::{FitOptions, Fitted, Origin, fit};
pub use folds::deal;
pub use joined::joined;
pub use spool::{MAX_LABEL, Place, Shape, Spool};
