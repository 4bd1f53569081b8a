//! Where takes are made: the models of one family, loaded once.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use affetto_control::EmotionCurve;

use crate::assets::Assets;
use crate::error::{Error, Result};
use crate::families::Family;
use crate::families::musicgen::{ModelOptions, MusicGenStudio};
use crate::families::score::ScoreStudio;
use crate::prompt::Prompt;
use crate::stream::TakeStream;
use crate::summary::EmotionFrom;
use crate::take::Take;

/// The models, ready to work: those that ship and write notes, or a MusicGen model of the user's.
///
/// ```no_run
/// use affetto::{Emotion, ModelOptions, Prompt, SaveOptions, Studio};
/// let mut studio = Studio::open_default()?;
/// let calm = Emotion::new(0.3, -0.6).expect("both are in [-1, 1]");
/// let take = studio.generate(&Prompt::new("a quiet piano at dusk").emotion(calm).seed(7))?;
/// take.save(&["dusk.wav", "dusk.mid"], &SaveOptions::default())?;
///
/// let mut studio = Studio::open_model("models/musicgen-small", &ModelOptions::default())?;
/// let take = studio.generate(&Prompt::new("lo-fi beat with a warm bass").seed(7))?;
/// take.save(&["beat.wav", "beat.json"], &SaveOptions::default())?;
/// # Ok::<(), affetto::Error>(())
/// ```
pub struct Studio {
    pub(crate) models: Models,
}

pub(crate) enum Models {
    Score(Box<ScoreStudio>),
    MusicGen(Box<MusicGenStudio>),
}

/// What feeling a prompt asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Feeling {
    /// The feeling over time; `None` where there are no words to read, they only say what the music is made of, or the
    /// family does not read them for feeling.
    pub curve: Option<EmotionCurve>,
    /// Where it came from.
    pub from: EmotionFrom,
    /// The words of the lexicon it was read from, each once; negated ones as "not …".
    pub words: Vec<String>,
}

impl Feeling {
    pub(crate) fn none() -> Feeling {
        Feeling { curve: None, from: EmotionFrom::None, words: Vec::new() }
    }
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
        Ok(Studio { models: Models::Score(Box::new(ScoreStudio::open(&assets, threads)?)) })
    }

    /// A MusicGen model: a folder in Hugging Face's or audiocraft's layout, or an id in the Hugging Face cache
    /// (`facebook/musicgen-small`). Weights are read when they are first needed.
    ///
    /// # Errors
    /// [`Error::Model`] says what is missing, broken or not supported.
    pub fn open_model(path_or_id: &str, options: &ModelOptions) -> Result<Studio> {
        Ok(Studio { models: Models::MusicGen(Box::new(MusicGenStudio::open(path_or_id, options)?)) })
    }

    /// The family of its models.
    pub fn family(&self) -> Family {
        match self.models {
            Models::Score(_) => Family::Score,
            Models::MusicGen(_) => Family::MusicGen,
        }
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        match &self.models {
            Models::Score(studio) => &studio.model,
            Models::MusicGen(studio) => &studio.name,
        }
    }

    /// The licences that the model and what else makes the sound come under, one line each.
    pub fn licences(&self) -> &[String] {
        match &self.models {
            Models::Score(studio) => &studio.licences,
            Models::MusicGen(studio) => &studio.licences,
        }
    }

    /// Whether the models hear a feeling beside the words: a MusicGen model does where `av_encoder.safetensors` lies in
    /// its folder.
    pub fn hears_feeling(&self) -> bool {
        match &self.models {
            Models::Score(_) => true,
            Models::MusicGen(studio) => studio.hears_feeling(),
        }
    }

    /// The feeling a prompt asks for: the one given with it, or else what its words mean. MusicGen models hear none but
    /// the one that is given.
    pub fn feeling(&self, prompt: &Prompt) -> Feeling {
        match &self.models {
            Models::Score(studio) => studio.feeling(prompt),
            Models::MusicGen(_) => match &prompt.emotion {
                Some(curve) => Feeling { curve: Some(curve.clone()), from: EmotionFrom::Asked, words: Vec::new() },
                None => Feeling::none(),
            },
        }
    }

    /// Bytes of weights that a step of a MusicGen model's language model reads, for measurements; the weights are loaded.
    /// None for notes, whose steps differ.
    ///
    /// # Errors
    /// What is missing or broken.
    pub fn bytes_per_step(&mut self) -> Result<Option<usize>> {
        match &mut self.models {
            Models::Score(_) => Ok(None),
            Models::MusicGen(studio) => studio.bytes_per_step().map(Some),
        }
    }

    /// Makes one take.
    ///
    /// # Errors
    /// [`Error::Prompt`] for a value outside its range, [`Error::Family`] for what the family does not hear,
    /// [`Error::Compose`] or [`Error::Model`] for what the model cannot do.
    pub fn generate(&mut self, prompt: &Prompt) -> Result<Take> {
        self.generate_with(prompt, &mut |_| {})
    }

    /// Makes one take; `progress` hears the share done, 0 to 1.
    ///
    /// # Errors
    /// As [`Studio::generate`].
    pub fn generate_with(&mut self, prompt: &Prompt, progress: &mut dyn FnMut(f32)) -> Result<Take> {
        let mut made = None;
        self.generate_many(std::slice::from_ref(prompt), progress, &mut |_, take| {
            made = Some(take);
            Ok::<(), Error>(())
        })?;
        made.ok_or_else(|| Error::Compose("no take was made".into()))
    }

    /// Makes a take of each prompt. MusicGen models compute several together, which is faster and changes none of them.
    /// `progress` hears the share done, 0 to 1; `done` gets each take with its prompt's number as soon as it is made.
    ///
    /// # Errors
    /// As [`Studio::generate`]; what `done` says.
    pub fn generate_many<E: From<Error>>(
        &mut self,
        prompts: &[Prompt],
        progress: &mut dyn FnMut(f32),
        done: &mut dyn FnMut(usize, Take) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        match &mut self.models {
            Models::Score(studio) => {
                for (i, prompt) in prompts.iter().enumerate() {
                    let share = |part: f32| (i as f32 + part) / prompts.len() as f32;
                    let take = studio.generate(prompt, &mut |part| progress(share(part)))?;
                    done(i, take)?;
                }
                Ok(())
            }
            Models::MusicGen(studio) => studio.generate(prompts, progress, done),
        }
    }

    /// Begins one take and gives its sound piece by piece: that of a MusicGen model while later codes are still
    /// computed, that of notes when all are written.
    ///
    /// ```no_run
    /// use affetto::{ModelOptions, Prompt, Studio};
    /// let mut studio = Studio::open_model("models/musicgen-small", &ModelOptions::default())?;
    /// let mut stream = studio.stream(&Prompt::new("lo-fi beat"))?;
    /// for piece in stream.by_ref() {
    ///     println!("{} more samples", piece?.frames());
    /// }
    /// let take = stream.finish()?;
    /// println!("{} frames of codes", take.codes()[0].len());
    /// # Ok::<(), affetto::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Studio::generate`].
    pub fn stream(&mut self, prompt: &Prompt) -> Result<TakeStream> {
        self.stream_with(prompt, &mut |_| {})
    }

    /// As [`Studio::stream`]; `progress` hears the share done, 0 to 1, of what comes before the first sound: all notes.
    ///
    /// # Errors
    /// As [`Studio::generate`].
    pub fn stream_with(&mut self, prompt: &Prompt, progress: &mut dyn FnMut(f32)) -> Result<TakeStream> {
        match &mut self.models {
            Models::Score(studio) => TakeStream::of_notes(studio.generate(prompt, progress)?),
            Models::MusicGen(studio) => Ok(TakeStream::of_codes(studio.stream(prompt)?)),
        }
    }
}

/// A seed from the system's randomness, short enough to retype.
pub fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() % 1_000_000_000
}
