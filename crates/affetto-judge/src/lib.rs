//! What came out: emotion judges on notes and on sound, symbolic metrics, copying, statistics, pictures of it all.

pub mod agreement;
pub mod attributes;
pub mod bootstrap;
pub mod classes;
pub mod copying;
pub mod deam;
pub mod features;
pub mod frechet;
pub mod hearing;
pub mod labels;
pub mod linear;
pub mod metrics;
pub mod notes;
pub mod plot;
pub mod predictor;
pub mod reference;
pub mod ridge;
pub mod sound;
pub mod stats;
pub mod table;

pub use notes::{EmotionReading, JudgeError, NotesJudge};
pub use reference::Reference;
pub use sound::{SoundError, SoundJudge};
