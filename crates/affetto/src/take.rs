//! One answer to a prompt: its notes, its tokens, its sound.

use std::sync::{Arc, OnceLock};

use affetto_audio::AudioBuffer;
use affetto_control::EmotionCurve;
use affetto_score::Score;
use affetto_score::codec::{Row, STREAMS};
use serde::Serialize;

use crate::compose::Composition;
use crate::error::Result;
use crate::names::meter_name;
use crate::sound::{SAMPLE_RATE, Sound};

/// Where the feeling of a take came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EmotionFrom {
    /// It was asked for outright.
    Asked,
    /// From words of the prompt that the lexicon has.
    Lexicon,
    /// From the whole sentence, by the head that reads it.
    Words,
    /// There was nothing to read: no words.
    None,
}

/// A point of the feeling asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EmotionPoint {
    /// When, in seconds.
    pub seconds: f64,
    /// Unpleasant (-1) to pleasant (1).
    pub valence: f32,
    /// Calm (-1) to excited (1).
    pub arousal: f32,
}

/// What was asked for and what was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TakeSummary {
    /// The seed that makes this take again.
    pub seed: u64,
    /// The model's name.
    pub model: String,
    /// The licences that the model, the SoundFont and the text encoder come under, one line each.
    pub licences: Vec<String>,
    /// The words.
    pub prompt: String,
    /// Length, in seconds.
    pub duration_seconds: f64,
    /// The feeling that was asked for, as a curve's points; one point for a constant feeling.
    pub emotion_asked: Vec<EmotionPoint>,
    /// Where that feeling came from.
    pub emotion_from: EmotionFrom,
    /// The words of the prompt that the lexicon read it from.
    pub emotion_words: Vec<String>,
    /// Quarter notes per minute.
    pub tempo_bpm: f32,
    /// Key, such as `F# minor`.
    pub key: String,
    /// Meter, such as `6/8`.
    pub meter: String,
    /// Instruments, by their General MIDI names.
    pub instruments: Vec<String>,
    /// Distinct onsets per second that were aimed at.
    pub density: f32,
    /// Number of notes.
    pub note_count: usize,
}

/// The parts of a summary that do not come from the music.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub seed: u64,
    pub model: String,
    pub licences: Vec<String>,
    pub prompt: String,
    pub duration_seconds: f64,
    pub emotion: Option<EmotionCurve>,
    pub emotion_from: EmotionFrom,
    pub emotion_words: Vec<String>,
}

/// One answer to a prompt. The sound is made when it is first asked for.
#[derive(Clone)]
pub struct Take {
    score: Score,
    rows: Vec<Row>,
    summary: TakeSummary,
    sound: Arc<Sound>,
    audio: OnceLock<AudioBuffer>,
}

impl Take {
    pub(crate) fn new(composition: Composition, asked: Asked, sound: Arc<Sound>) -> Take {
        let points = asked.emotion.iter().flat_map(|curve| curve.points().iter());
        let summary = TakeSummary {
            seed: asked.seed,
            model: asked.model,
            licences: asked.licences,
            prompt: asked.prompt,
            duration_seconds: asked.duration_seconds,
            emotion_asked: points
                .map(|&(seconds, e)| EmotionPoint { seconds, valence: e.valence, arousal: e.arousal })
                .collect(),
            emotion_from: asked.emotion_from,
            emotion_words: asked.emotion_words,
            tempo_bpm: composition.tempo_bpm,
            key: composition.key.to_string(),
            meter: meter_name(composition.meter),
            instruments: composition.instruments.iter().map(|&i| i.name().to_owned()).collect(),
            density: composition.density,
            note_count: composition.score.notes.len(),
        };
        Take { score: composition.score, rows: composition.rows, summary, sound, audio: OnceLock::new() }
    }

    /// The notes.
    pub fn score(&self) -> &Score {
        &self.score
    }

    /// The tokens, one row a note, the delay undone. Streams as in [`affetto_score::codec`].
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The tokens by stream, `[K][rows]`.
    pub fn codes(&self) -> [Vec<u16>; STREAMS] {
        std::array::from_fn(|k| self.rows.iter().map(|row| row[k]).collect())
    }

    /// The seed that makes this take again.
    pub fn seed(&self) -> u64 {
        self.summary.seed
    }

    /// The sample rate of the sound, in Hz.
    pub fn sample_rate(&self) -> u32 {
        SAMPLE_RATE
    }

    /// What was asked for and what was made.
    pub fn summary(&self) -> &TakeSummary {
        &self.summary
    }

    /// The sound: stereo, 44.1 kHz, about -16 LUFS, exactly as long as was asked. Rendered once, then kept.
    ///
    /// # Errors
    /// [`crate::Error::Render`], or a SoundFont that is missing or broken.
    pub fn audio(&self) -> Result<&AudioBuffer> {
        if let Some(audio) = self.audio.get() {
            return Ok(audio);
        }
        let audio = self.sound.render(&self.score, self.summary.duration_seconds)?;
        Ok(self.audio.get_or_init(|| audio))
    }
}
