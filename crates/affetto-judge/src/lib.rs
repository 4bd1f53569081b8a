//! What came out: emotion judges on notes and on sound, symbolic metrics, copying, statistics.

pub mod features;
pub mod stats;
