//! The family that writes codes: MusicGen's language model under words (and a melody), EnCodec to make them sound.
//!
//! The parts are loaded when they are first needed; the text encoder is let go as soon as the words are read.

mod heard;
mod info;
mod job;
mod record;
mod sound;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use affetto_engine::Precision;
use affetto_engine::attention::CachePrecision;
use affetto_models::ModelFolder;
use affetto_models::decoder::DecoderLm;
use affetto_models::musicgen::{AV_ENCODER_FILE, AvEncoder, MusicGen, MusicGenConfig, generate_many};
use affetto_models::t5::{T5Encoder, T5Tokenizer};

use crate::error::{Error, Result};
use crate::prompt::Prompt;
use crate::take::Take;

use self::heard::Heard;
pub use self::info::{ModelInfo, Sizes};
use self::job::Job;
pub(crate) use self::sound::CodesSound;
pub(crate) use self::stream::CodesStream;

/// The most takes that are computed together: with guidance, as many rows as the kernels for few rows take at once.
pub const MAX_BATCH: usize = 4;
/// The text encoder's tensors in a checkpoint of transformers.
const TEXT_PREFIX: &str = "text_encoder.";
/// Texts whose states are kept.
const MAX_REMEMBERED: usize = 64;

/// Where the time of a take went, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Timings {
    /// Reading the text encoder's weights; 0 where the words were known already.
    pub t5_load_seconds: f64,
    /// Encoding the words.
    pub t5_seconds: f64,
    /// Reading the other weights, where that was not done before.
    pub load_seconds: f64,
    /// Encoding sound to be continued, and the chroma of a melody.
    pub prepare_seconds: f64,
    /// The language model's steps, those that read a beginning included.
    pub loop_seconds: f64,
    /// Codes to sound; only in streams, which decode as they go.
    pub decode_seconds: f64,
    /// From the call to the first sound; only in streams.
    pub first_sound_seconds: f64,
    /// Steps of the language model that sampled.
    pub steps: usize,
}

/// How a model is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelOptions {
    /// How the language model's and the text encoder's weights are held; `None` = as the folder stores them, f32 where
    /// it stores floats.
    pub quantize: Option<Precision>,
    /// How keys and values of what was read are held; `None` = bf16 where the weights are int8 or int4, else f32.
    pub kv_cache: Option<CachePrecision>,
    /// Threads; 0 = one for each core. Their number never changes the music.
    pub threads: usize,
}

/// The models of this family.
pub(crate) struct MusicGenStudio {
    folder: Arc<ModelFolder>,
    config: MusicGenConfig,
    precision: Precision,
    kv_cache: Option<CachePrecision>,
    model: Option<Arc<MusicGen>>,
    /// What tells the model feelings, where the folder has it.
    av: Option<Arc<AvEncoder>>,
    sound: Arc<CodesSound>,
    heard: Heard,
    /// States of texts that were read, the newest last.
    texts: Vec<(String, Arc<[f32]>)>,
    pub name: String,
    pub licences: Vec<String>,
}

impl MusicGenStudio {
    /// Opens a folder, or a model of the Hugging Face cache by its id. No weights are read yet.
    pub fn open(path_or_id: &str, options: &ModelOptions) -> Result<MusicGenStudio> {
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            some => some,
        };
        affetto_engine::threads::set_limit(threads);
        let folder = Arc::new(ModelFolder::open(path_or_id)?);
        let precision = precision_for(&folder, options.quantize)?;
        let config = MusicGenConfig::from_json(folder.config())?;
        let sound = Arc::new(CodesSound::new(folder.clone(), &config, precision)?);
        let file = folder.path().join(AV_ENCODER_FILE);
        let av = match file.is_file() {
            true => Some(Arc::new(AvEncoder::open(&file, config.decoder.hidden_size)?)),
            false => None,
        };
        Ok(MusicGenStudio {
            name: folder.name(),
            licences: vec![format!("model weights: {}", folder.licence())],
            precision,
            kv_cache: options.kv_cache,
            folder,
            config,
            model: None,
            av,
            sound,
            heard: Heard::default(),
            texts: Vec::new(),
        })
    }

    /// The language model, loaded at the first call.
    fn model(&mut self) -> Result<Arc<MusicGen>> {
        if let Some(model) = &self.model {
            return Ok(model.clone());
        }
        let mut model = MusicGen::load_with(self.folder.checkpoint(), &self.config, self.precision, self.kv_cache)?;
        if let Some(av) = &self.av {
            model = model.with_av_encoder(av.clone())?;
        }
        let model = Arc::new(model);
        self.model = Some(model.clone());
        Ok(model)
    }

    /// The language model's decoder.
    pub fn decoder(&mut self) -> Result<Arc<DecoderLm>> {
        Ok(self.model()?.shared_lm())
    }

    /// The language model and the codec, both ready: what is not there yet is loaded side by side.
    fn loaded(&mut self) -> Result<Arc<MusicGen>> {
        let sound = self.sound.clone();
        std::thread::scope(|scope| {
            let codec = std::thread::Builder::new().spawn_scoped(scope, || sound.codec().map(drop));
            let model = self.model();
            match codec {
                Ok(codec) => codec.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?,
                // No thread to be had.
                Err(_) => sound.codec().map(drop)?,
            }
            model
        })
    }

    /// Whether it hears a feeling beside the words.
    pub fn hears_feeling(&self) -> bool {
        self.av.is_some()
    }

    /// Bytes of weights that a step reads.
    pub fn bytes_per_step(&mut self) -> Result<usize> {
        Ok(self.model()?.lm().bytes())
    }

    /// The text encoder's states of each text, `[tokens, d_model]`; none for a text of no words. The encoder is loaded
    /// once for all texts that are new, and let go.
    fn states(&mut self, texts: &[&str], timings: &mut Timings) -> Result<()> {
        let known = |texts: &[(String, Arc<[f32]>)], text: &str| texts.iter().any(|(known, _)| known == text);
        let mut new: Vec<&str> = Vec::new();
        for text in texts.iter().copied().filter(|text| !text.trim().is_empty()) {
            if !known(&self.texts, text) && !new.contains(&text) {
                new.push(text);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let tokenizer = T5Tokenizer::open(self.folder.tokenizer_folder())?;
        let encoder = T5Encoder::load(self.folder.checkpoint(), &self.config.text, self.precision, TEXT_PREFIX)?;
        timings.t5_load_seconds += started.elapsed().as_secs_f64();
        let started = Instant::now();
        for text in new {
            let states = encoder.encode(&tokenizer.encode(text)?)?;
            self.texts.push((text.to_owned(), states.into()));
        }
        timings.t5_seconds += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// States that [`states`](Self::states) has made.
    fn remembered(&self, text: &str) -> Option<Arc<[f32]>> {
        self.texts.iter().find(|(known, _)| known == text).map(|(_, states)| states.clone())
    }

    fn forget(&mut self) {
        let many = self.texts.len().saturating_sub(MAX_REMEMBERED);
        self.texts.drain(..many);
    }

    /// Makes takes of all prompts, [`MAX_BATCH`] at a time; `progress` hears the share done, `done` each take.
    pub fn generate<E: From<Error>>(
        &mut self,
        prompts: &[Prompt],
        progress: &mut dyn FnMut(f32),
        done: &mut dyn FnMut(usize, Take) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let all = prompts.len().max(1) as f32;
        for (b, batch) in prompts.chunks(MAX_BATCH).enumerate() {
            let mut jobs = batch.iter().map(|prompt| Job::prepare(self, prompt)).collect::<Result<Vec<_>>>()?;
            // The codec now rather than after the loop: one that cannot be read would cost all the codes.
            let model = self.loaded()?;
            let started = Instant::now();
            let takes = jobs.iter_mut().map(|job| job.begin(&model)).collect::<Result<Vec<_>>>()?;
            // A take that is resumed makes its last rows anew.
            let rows: usize = jobs.iter().zip(&takes).map(|(job, take)| job.frames() - take.complete()).sum();
            let mut made = 0;
            let codes = generate_many(&model, takes, |_, _, _| {
                made += 1;
                let share = made as f32 / rows.max(1) as f32;
                progress((b as f32 * MAX_BATCH as f32 + share * batch.len() as f32) / all);
            })
            .map_err(Error::from)?;
            let seconds = started.elapsed().as_secs_f64();
            for (i, (mut job, codes)) in jobs.into_iter().zip(codes).enumerate() {
                job.timings.loop_seconds = seconds;
                done(b * MAX_BATCH + i, job.take(codes))?;
            }
        }
        Ok(())
    }

    /// Begins a take whose sound is delivered while it is made.
    pub fn stream(&mut self, prompt: &Prompt) -> Result<CodesStream> {
        let called = Instant::now();
        let mut job = Job::prepare(self, prompt)?;
        let started = Instant::now();
        let model = self.loaded()?;
        // Directions of another model are told before there is a stream.
        job.steering(&model)?;
        let decoder = self.sound.decoder()?;
        job.timings.load_seconds += started.elapsed().as_secs_f64();
        CodesStream::start(model, decoder, job, called)
    }
}

/// How the weights are held: as is asked, else as they are stored. What was rounded to 8 or 4 bits stays so.
fn precision_for(folder: &ModelFolder, asked: Option<Precision>) -> Result<Precision> {
    let stored = folder.quantization();
    let held = stored.and_then(precision).unwrap_or_default();
    match (stored, asked) {
        (Some(stored), Some(asked)) if asked != held && matches!(held, Precision::Int8 | Precision::Int4) => {
            let path = folder.path().display();
            Err(Error::Prompt {
                what: "--quantize",
                found: format!("{}, but {path} is stored as {stored}", precision_name(asked)),
                expected: format!("{stored}: leave --quantize out, or name the folder it was quantised from"),
            })
        }
        _ => Ok(asked.unwrap_or(held)),
    }
}

fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "none",
        Precision::Bf16 => "bf16",
        Precision::Int8 => "int8",
        Precision::Int4 => "int4",
    }
}

/// `none`, `bf16`, `int8` or `int4`.
fn precision(name: &str) -> Option<Precision> {
    match name {
        "none" | "f32" => Some(Precision::F32),
        "bf16" => Some(Precision::Bf16),
        "int8" => Some(Precision::Int8),
        "int4" => Some(Precision::Int4),
        _ => None,
    }
}

/// How weights are held, by the name a user gives it.
///
/// # Errors
/// [`Error::Prompt`] lists the names.
pub fn parse_precision(name: &str) -> Result<Precision> {
    precision(name).ok_or_else(|| Error::Prompt {
        what: "--quantize",
        found: format!("{name:?}"),
        expected: "none, bf16, int8 or int4".into(),
    })
}

/// How keys and values are held, by the name a user gives it.
///
/// # Errors
/// [`Error::Prompt`] lists the names.
pub fn parse_cache_precision(name: &str) -> Result<CachePrecision> {
    match name {
        "f32" => Ok(CachePrecision::F32),
        "bf16" => Ok(CachePrecision::Bf16),
        _ => Err(Error::Prompt {
            what: "--kv-cache",
            found: format!("{name:?}"),
            expected: "bf16 (half the memory) or f32".into(),
        }),
    }
}
