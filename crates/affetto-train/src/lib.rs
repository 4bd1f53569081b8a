//! Learning: corpora, labels, augmentation, the burn decoder, exports.

pub mod archive;
pub mod window;
