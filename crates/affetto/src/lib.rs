//! Music you can steer by feeling: words and a feeling in, music out, as notes and as sound.
//!
//! A [`Studio`] holds the models, a [`Prompt`] says what is asked for, a [`Take`] is one answer.
//!
//! ```no_run
//! use affetto::{Emotion, EmotionCurve, Prompt, SaveOptions, Studio};
//!
//! let mut studio = Studio::open_default()?;
//!
//! // A point: a little pleasant, rather calm.
//! let calm = Emotion::new(0.3, -0.6).expect("both are in [-1, 1]");
//! let take = studio.generate(&Prompt::new("a quiet piano at dusk").emotion(calm).seed(7))?;
//! take.save(&["dusk.wav", "dusk.mid"], &SaveOptions::default())?;
//!
//! // A curve: from gloom to triumph in half a minute.
//! let arc = EmotionCurve::parse("0:-0.6,-0.4 15:0.1,0.2 30:0.8,0.7").expect("times rise");
//! let take = studio.generate(&Prompt::new("film score").emotion(arc))?;
//! println!("seed {}: {} notes", take.seed(), take.score().map_or(0, |score| score.notes.len()));
//! # Ok::<(), affetto::Error>(())
//! ```
//!
//! The same prompt and seed give the same music on one kind of machine, whatever the number of threads.
//! Valence (unpleasant … pleasant) and arousal (calm … excited) lie in [-1, 1].

pub mod assets;
mod compose;
pub mod continuation;
pub mod directions;
mod error;
mod families;
pub mod melody;
pub mod names;
mod notes_file;
pub mod prompt;
#[cfg(feature = "pull")]
mod pull;
pub mod recording;
mod save;
pub mod schedule;
mod sound;
mod stream;
mod studio;
mod summary;
mod take;
mod take_file;
pub mod whole;

pub use affetto_audio::{AudioBuffer, SampleFormat};
pub use affetto_control::{Emotion, EmotionCurve, Lexicon, MeterClass};
pub use affetto_score::{Instrument, Key, Mode, Score};

/// Steering by directions in the model's activations: their files, strengths along time, and options.
pub use affetto_control::steering;

pub use affetto_engine::Precision;
pub use affetto_engine::attention::CachePrecision;

pub use assets::Assets;
pub use compose::Ablation;
pub use continuation::Continuation;
pub use error::{Error, Result};
pub use families::Family;
pub use families::musicgen::{ModelInfo, ModelOptions, Sizes, Timings, parse_cache_precision, parse_precision};
pub use families::score::read_lexicon;
pub use melody::Melody;
pub use notes_file::read_midi;
pub use prompt::{MAX_DURATION_SECONDS, Prompt, Sampling};
#[cfg(feature = "pull")]
pub use pull::{Progress as PullProgress, pull_model};
pub use save::{Format, SaveOptions, check_paths};
pub use sound::{SAMPLE_RATE, Sound};
pub use stream::TakeStream;
pub use studio::{Feeling, Studio, draw_seed};
pub use summary::{CodesSummary, EmotionFrom, EmotionPoint, NotesSummary, SteeringSummary, TakeSummary};
pub use take::Take;
