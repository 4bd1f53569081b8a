//! Learning: corpora, labels, augmentation, the burn decoder, exports.

pub mod archive;
pub mod labelled;
pub mod predictor;
pub mod window;
