//! The family that writes notes: a feeling read from the words, a plan, notes under rules, a SoundFont.

use std::sync::Arc;

use affetto_control::{Lexicon, WordsHead, music_words, words};
use affetto_models::decoder::DecoderLm;
use serde::Deserialize;

use crate::assets::{Assets, LEXICON, SCORE_CONFIG, WORDS_HEAD};
use crate::compose::opening::Opening;
use crate::compose::{Composer, Request};
use crate::error::{Error, Result};
use crate::families::Family;
use crate::names::meter_name;
use crate::prompt::{Prompt, TEMPO_RANGE};
use crate::sound::Sound;
use crate::studio::{Feeling, draw_seed};
use crate::summary::{Asked, EmotionFrom, SteeringSummary};
use crate::take::Take;

/// The models of this family, loaded and ready.
pub(crate) struct ScoreStudio {
    composer: Composer,
    lexicon: Lexicon,
    words_head: WordsHead,
    sound: Arc<Sound>,
    pub model: String,
    pub licences: Vec<String>,
}

/// What [`SCORE_CONFIG`] says about the model as a whole.
#[derive(Deserialize)]
struct ModelCard {
    name: String,
    #[serde(default)]
    licences: Vec<String>,
}

impl ScoreStudio {
    pub fn open(assets: &Assets, threads: usize) -> Result<ScoreStudio> {
        let card: ModelCard = serde_json::from_str(&assets.read_text(SCORE_CONFIG)?)
            .map_err(|error| assets.broken(SCORE_CONFIG, error))?;
        Ok(ScoreStudio {
            composer: Composer::open(assets, threads)?,
            lexicon: read_lexicon(assets)?,
            words_head: read_words_head(assets)?,
            sound: Arc::new(Sound::open(assets, threads)?),
            model: card.name,
            licences: card.licences,
        })
    }

    /// The language model.
    pub fn decoder(&self) -> Arc<DecoderLm> {
        self.composer.decoder()
    }

    /// The feeling a prompt asks for: the one given with it, or else what its words mean.
    pub fn feeling(&self, prompt: &Prompt) -> Feeling {
        if prompt.ablation.is_words_only() {
            return Feeling::none();
        }
        if let Some(curve) = &prompt.emotion {
            return Feeling { curve: Some(curve.clone()), from: EmotionFrom::Asked, words: Vec::new() };
        }
        if prompt.text.trim().is_empty() {
            return Feeling::none();
        }
        let plain = music_words::plain_kinds(&prompt.text);
        if let Some(reading) = words::read_lexicon(&self.lexicon, &plain) {
            let curve = Some(reading.emotion.into());
            return Feeling { curve, from: EmotionFrom::Lexicon, words: reading.words };
        }
        if music_words::nothing_else(&plain) {
            return Feeling::none();
        }
        let sentence = self.composer.sentence(&plain);
        let curve = Some(self.words_head.read(&sentence).into());
        Feeling { curve, from: EmotionFrom::Words, words: Vec::new() }
    }

    /// Makes one take; `progress` hears the share done, 0 to 1.
    pub fn generate(&mut self, prompt: &Prompt, progress: &mut dyn FnMut(f32)) -> Result<Take> {
        prompt.check_for(Family::Score)?;
        let seed = prompt.seed.unwrap_or_else(draw_seed);
        let feeling = self.feeling(prompt);
        let request = Request {
            text: prompt.text.clone(),
            emotion: feeling.curve.clone(),
            duration_seconds: prompt.duration_seconds,
            tempo_bpm: prompt.tempo_bpm,
            key: prompt.key,
            meter: prompt.meter,
            instruments: prompt.instruments.clone(),
            density: prompt.density,
            seed,
            sampling: prompt.sampling,
            ablation: prompt.ablation,
            opening: opening(prompt)?.map(Arc::new),
            steers: prompt.steers.clone(),
            steer_options: prompt.steer_options,
        };
        let composition = self.composer.compose(&request, progress)?;
        let asked = Asked {
            family: Family::Score,
            seed,
            model: self.model.clone(),
            licences: SteeringSummary::licences(&self.licences, &prompt.steers),
            prompt: prompt.text.clone(),
            duration_seconds: prompt.duration_seconds,
            emotion: feeling.curve,
            emotion_from: feeling.from,
            emotion_words: feeling.words,
            steering: SteeringSummary::of(&prompt.steers, prompt.steer_options),
        };
        Ok(Take::of_notes(composition, asked, self.sound.clone()))
    }
}

/// The piece that a prompt's take begins with.
///
/// # Errors
/// What stands in the way of going on from it.
fn opening(prompt: &Prompt) -> Result<Option<Opening>> {
    let Some((from, score)) = prompt.continuation.as_ref().and_then(|from| Some((from, from.notes()?))) else {
        return Ok(None);
    };
    let opening = Opening::of(score).map_err(|reason| from.bad(reason))?;
    if let Some(meter) = prompt.meter.filter(|&meter| meter != opening.meter) {
        return Err(Error::Prompt {
            what: "the meter",
            found: format!("{}, but {} is in {}", meter_name(meter), from.name(), meter_name(opening.meter)),
            expected: "none: the take goes on as it begins".into(),
        });
    }
    if prompt.tempo_bpm.is_none() && !TEMPO_RANGE.contains(&(opening.tempo_bpm as f32)) {
        let (slowest, fastest) = TEMPO_RANGE.into_inner();
        return Err(from.bad(format!(
            "goes at {} quarter notes per minute, expected {slowest} to {fastest}; give one for the new bars with --tempo",
            opening.tempo_bpm
        )));
    }
    match opening.needs_seconds(prompt.duration_seconds) {
        None => Ok(Some(opening)),
        Some(needed) => Err(Error::Prompt {
            what: "the duration",
            found: format!("{} s, but {} alone has {:.1} s", prompt.duration_seconds, from.name(), opening.end_seconds),
            expected: format!(
                "{} or more: the length of the whole, which counts in what it begins with",
                needed.ceil()
            ),
        }),
    }
}

/// The lexicon among `assets`.
///
/// # Errors
/// Names what is missing or broken.
pub fn read_lexicon(assets: &Assets) -> Result<Lexicon> {
    Lexicon::parse(&assets.read_text(LEXICON)?).map_err(|error| assets.broken(LEXICON, error))
}

fn read_words_head(assets: &Assets) -> Result<WordsHead> {
    let checkpoint = assets.checkpoint(&[WORDS_HEAD])?;
    WordsHead::from_checkpoint(&checkpoint).map_err(|error| Error::AssetBroken { reason: error.to_string() })
}
