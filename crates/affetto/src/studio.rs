//! Where takes are made: the models, loaded once.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::Arc;

use affetto_control::{EmotionCurve, Lexicon, WordsHead, words};
use serde::Deserialize;

use crate::assets::{Assets, LEXICON, SCORE_CONFIG, WORDS_HEAD};
use crate::compose::{Composer, Request};
use crate::error::{Error, Result};
use crate::prompt::Prompt;
use crate::sound::Sound;
use crate::take::{Asked, EmotionFrom, Take};

/// The models, loaded and ready.
///
/// ```no_run
/// use affetto::{Emotion, Prompt, SaveOptions, Studio};
/// let mut studio = Studio::open_default()?;
/// let calm = Emotion::new(0.3, -0.6).expect("both are in [-1, 1]");
/// let take = studio.generate(&Prompt::new("a quiet piano at dusk").emotion(calm).seed(7))?;
/// println!("{} at {} BPM", take.summary().key, take.summary().tempo_bpm);
/// take.save(&["dusk.wav", "dusk.mid"], &SaveOptions::default())?;
/// # Ok::<(), affetto::Error>(())
/// ```
pub struct Studio {
    composer: Composer,
    lexicon: Lexicon,
    words_head: WordsHead,
    sound: Arc<Sound>,
    model: String,
    licences: Vec<String>,
}

/// What [`SCORE_CONFIG`] says about the model as a whole.
#[derive(Deserialize)]
struct ModelCard {
    name: String,
    #[serde(default)]
    licences: Vec<String>,
}

/// What feeling a prompt asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Feeling {
    /// The feeling over time; `None` where there are no words to read.
    pub curve: Option<EmotionCurve>,
    /// Where it came from.
    pub from: EmotionFrom,
    /// The words of the lexicon it was read from.
    pub words: Vec<String>,
}

impl Studio {
    /// The models in the binary, or those in the folder that `AFFETTO_ASSETS` names; on all cores.
    ///
    /// # Errors
    /// Names the asset that is missing or broken.
    pub fn open_default() -> Result<Studio> {
        Studio::with_assets(Assets::open_default()?, 0)
    }

    /// The models in a folder laid out like the repository's `assets/`; on all cores.
    ///
    /// # Errors
    /// Names the asset that is missing or broken.
    pub fn open(assets: &Path) -> Result<Studio> {
        Studio::with_assets(Assets::open(assets)?, 0)
    }

    /// The models among `assets`, on `threads` threads (0 = one for each core). Their number never changes the music.
    ///
    /// # Errors
    /// Names the asset that is missing or broken.
    pub fn with_assets(assets: Assets, threads: usize) -> Result<Studio> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            some => some,
        };
        let card: ModelCard = serde_json::from_str(&assets.read_text(SCORE_CONFIG)?)
            .map_err(|error| assets.broken(SCORE_CONFIG, error))?;
        Ok(Studio {
            composer: Composer::open(&assets, threads)?,
            lexicon: read_lexicon(&assets)?,
            words_head: read_words_head(&assets)?,
            sound: Arc::new(Sound::open(&assets, threads)?),
            model: card.name,
            licences: card.licences,
        })
    }

    /// The score model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The words and the feelings they name.
    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// The feeling a prompt asks for: the one given with it, or else what its words mean.
    ///
    /// # Errors
    /// What the text encoder says.
    pub fn feeling(&self, prompt: &Prompt) -> Result<Feeling> {
        if let Some(curve) = &prompt.emotion {
            return Ok(Feeling { curve: Some(curve.clone()), from: EmotionFrom::Asked, words: Vec::new() });
        }
        if prompt.text.trim().is_empty() {
            return Ok(Feeling { curve: None, from: EmotionFrom::None, words: Vec::new() });
        }
        if let Some(reading) = words::read_lexicon(&self.lexicon, &prompt.text) {
            let curve = Some(reading.emotion.into());
            return Ok(Feeling { curve, from: EmotionFrom::Lexicon, words: reading.words });
        }
        let sentence = self.composer.sentence(&prompt.text);
        let curve = Some(self.words_head.read(&sentence).into());
        Ok(Feeling { curve, from: EmotionFrom::Words, words: Vec::new() })
    }

    /// Makes one take.
    ///
    /// # Errors
    /// [`Error::Prompt`] for a value outside its range, [`Error::Compose`] for what the model cannot do.
    pub fn generate(&mut self, prompt: &Prompt) -> Result<Take> {
        self.generate_with(prompt, &mut |_| {})
    }

    /// Makes one take; `progress` hears the share done, 0 to 1.
    ///
    /// # Errors
    /// As [`Studio::generate`].
    pub fn generate_with(&mut self, prompt: &Prompt, progress: &mut dyn FnMut(f32)) -> Result<Take> {
        prompt.check()?;
        let seed = prompt.seed.unwrap_or_else(draw_seed);
        let feeling = self.feeling(prompt)?;
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
            seed,
            model: self.model.clone(),
            licences: self.licences.clone(),
            prompt: prompt.text.clone(),
            duration_seconds: prompt.duration_seconds,
            emotion: feeling.curve,
            emotion_from: feeling.from,
            emotion_words: feeling.words,
        };
        Ok(Take::new(composition, asked, self.sound.clone()))
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

/// A seed from the system's randomness, short enough to retype.
pub fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() % 1_000_000_000
}
