//! The family that writes notes: a feeling read from the words, a plan, notes under rules, a SoundFont.

use std::sync::Arc;

use affetto_control::{Lexicon, WordsHead, words};
use affetto_models::decoder::DecoderLm;
use serde::Deserialize;

use crate::assets::{Assets, LEXICON, SCORE_CONFIG, WORDS_HEAD};
use crate::compose::{Composer, Request};
use crate::error::{Error, Result};
use crate::families::Family;
use crate::prompt::Prompt;
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
        if let Some(reading) = words::read_lexicon(&self.lexicon, &prompt.text) {
            let curve = Some(reading.emotion.into());
            return Feeling { curve, from: EmotionFrom::Lexicon, words: reading.words };
        }
        let sentence = self.composer.sentence(&prompt.text);
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
        };
        let composition = self.composer.compose(&request, progress)?;
        let asked = Asked {
            family: Family::Score,
            seed,
            model: self.model.clone(),
            licences: self.licences.clone(),
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
