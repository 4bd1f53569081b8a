//! Learning: corpora, labels, augmentation, the burn decoder, exports.

pub mod archive;
pub mod augment;
pub mod captions;
pub mod config;
pub mod corpora;
pub mod directions;
pub mod error;
mod fnv;
pub mod labelled;
#[cfg(feature = "burn")]
pub mod learn;
pub mod model_file;
pub mod predictor;
pub mod probes;
pub mod reference;
pub mod renderings;
pub mod sound_fit;
pub mod steer_judges;
mod whole;
pub mod window;
pub mod windows;
