//! Clips as training needs them: coded by the model's codec, heard by the understanding network, their words read by
//! the text encoder. What takes long is kept on disk and goes on where it stopped.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use affetto_audio::{AudioBuffer, AudioStream};
use affetto_engine::Precision;
use affetto_models::ModelFolder;
use affetto_models::encodec::{Encodec, EncodecConfig};
use affetto_models::musicgen::MusicGenConfig;
use affetto_models::t5::{T5Encoder, T5Tokenizer};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::batch::Crop;
use super::clips::Clip;
use crate::config::{LaraConfig, MusicGenData};
use crate::error::TrainError;
use crate::fnv::fnv1a;
use crate::learn::lara::align::Heard;
use crate::learn::lara::cache::{CacheHeader, FeatureCache, checksum};
use crate::learn::lara::encoder::SoundEncoder;
use crate::learn::lara::targets::{Rows, Scale};

/// A MusicGen model and what else hears clips.
pub struct Ears<'a> {
    /// The model's folder.
    pub folder: &'a ModelFolder,
    /// Its sizes.
    pub config: &'a MusicGenConfig,
    /// The understanding network.
    pub encoder: &'a dyn SoundEncoder,
    /// Folder of the caches.
    pub caches: &'a Path,
    /// Threads that hear.
    pub threads: usize,
}

/// Clips that are ready.
pub struct Prepared {
    clips: Vec<Ready>,
    streams: usize,
    frame_rate: f64,
    window_seconds: f64,
    crop_rows: usize,
    width: usize,
}

/// One clip that is ready.
struct Ready {
    /// `[rows, K]`.
    codes: Vec<u32>,
    /// Pooled features, `[windows, width]`.
    features: Vec<f32>,
    text: Arc<Vec<f32>>,
    emotion: [f32; 2],
}

fn data(error: impl std::fmt::Display) -> TrainError {
    TrainError::Data(error.to_string())
}

/// The first `seconds` of a file.
fn beginning(path: &Path, seconds: f64) -> Result<AudioBuffer, TrainError> {
    let mut stream = AudioStream::open(path).map_err(data)?;
    let mut sound: Option<AudioBuffer> = None;
    while let Some(block) = stream.next_block().map_err(data)? {
        let whole = sound.get_or_insert_with(|| AudioBuffer::silence(block.sample_rate, block.channels.len(), 0));
        for (channel, more) in whole.channels.iter_mut().zip(&block.channels) {
            channel.extend(more);
        }
        if whole.seconds() >= seconds {
            break;
        }
    }
    let mut sound = sound.ok_or_else(|| TrainError::Data(format!("{}: no sound in it", path.display())))?;
    let most = (seconds * f64::from(sound.sample_rate)) as usize;
    sound.channels.iter_mut().for_each(|channel| channel.truncate(most));
    Ok(sound)
}

/// What tells a file from others, whatever its name.
fn key_of(path: &Path) -> Result<u64, TrainError> {
    let read = |source| TrainError::Read { path: path.into(), source };
    let length = std::fs::metadata(path).map_err(read)?.len();
    Ok(length << 32 | u64::from(checksum(path)?))
}

impl Ears<'_> {
    /// Prepares clips; `told` hears (part, done, total). Features are brought to `scale`, which is fitted where there is
    /// none yet.
    ///
    /// # Errors
    /// A clip that can't be read, is shorter than one frame of codes, or has too many words; a cache that can't be
    /// written.
    pub fn prepare(
        &self,
        clips: &[Clip],
        wanted: (&MusicGenData, &LaraConfig),
        scale: &mut Option<Scale>,
        told: &mut dyn FnMut(&'static str, usize, usize),
    ) -> Result<Prepared, TrainError> {
        let (of, lara) = wanted;
        let keys: Vec<u64> = clips.iter().map(|clip| key_of(&clip.file)).collect::<Result<_, _>>()?;
        let files: HashMap<u64, &Path> =
            keys.iter().copied().zip(clips.iter().map(|clip| clip.file.as_path())).collect();
        let heard = format!("the first {} s of files, keyed by length and CRC-32", of.clip_seconds);
        let sound = |key: u64| beginning(files[&key], of.clip_seconds);
        let named = |key: u64| {
            let path = files[&key].display().to_string();
            move |e: TrainError| match e {
                TrainError::Data(what) if !what.starts_with(&path) => TrainError::Data(format!("{path}: {what}")),
                other => other,
            }
        };

        let (streams, rate) = (self.config.decoder.streams(), self.config.frame_rate as f64);
        let codec = self.codec()?;
        let header = CacheHeader {
            encoder: format!("EnCodec, {} streams, {} Hz, {}", streams, self.config.sampling_rate, self.codec_print()?),
            width: streams,
            hop_seconds: 1.0 / rate,
            heard: heard.clone(),
        };
        let mut codes = FeatureCache::open(&self.caches.join(name_of("codes", &header)), &header)?;
        let coded = |key| sound(key).and_then(|s| self.codes(&codec, &s)).map_err(named(key));
        codes.fill(&keys, self.threads, &coded, &mut |done, total| told("coded", done, total))?;

        let width = self.encoder.width();
        let header =
            CacheHeader { encoder: self.encoder.name(), width, hop_seconds: self.encoder.hop_seconds(), heard };
        let mut features = FeatureCache::open(&self.caches.join(name_of("features", &header)), &header)?;
        let listened = |key| sound(key).and_then(|s| self.encoder.rows(&s)).map_err(named(key));
        features.fill(&keys, self.threads, &listened, &mut |done, total| told("heard", done, total))?;

        let pooled = |key: u64| {
            let values = features.get(key).unwrap_or_default();
            Rows { values, width, hop_seconds: header.hop_seconds }.pooled(lara.window_seconds)
        };
        let mut all: Vec<Vec<f32>> = keys.iter().map(|&key| pooled(key)).collect();
        let rows = all.iter().flat_map(|rows| rows.chunks_exact(width));
        let scale = scale.get_or_insert_with(|| Scale::fit(rows.clone(), width, lara.scaling));
        all.iter_mut().for_each(|rows| scale.apply(rows));

        let texts = self.texts(clips)?;
        let ready = |((clip, key), features): ((&Clip, &u64), Vec<f32>)| Ready {
            codes: codes.get(*key).unwrap_or_default().iter().map(|&code| code as u32).collect(),
            features,
            text: texts[clip.text.as_str()].clone(),
            emotion: clip.emotion,
        };
        let window = self.config.window_rows();
        let crop_rows = of.crop_seconds.map_or(window, |seconds| (seconds * rate).round() as usize).clamp(1, window);
        Ok(Prepared {
            clips: clips.iter().zip(&keys).zip(all).map(ready).collect(),
            streams,
            frame_rate: rate,
            // Rows are pooled over windows no shorter than what was heard in one go.
            window_seconds: lara.window_seconds.max(header.hop_seconds),
            crop_rows,
            width,
        })
    }

    fn codec(&self) -> Result<Encodec, TrainError> {
        let config = EncodecConfig::from_json(&self.folder.config()["audio_encoder"]).map_err(data)?;
        let codec = Encodec::load(self.folder.checkpoint(), &config, "audio_encoder.").map_err(data)?;
        codec.with_codebooks(self.config.codebooks()).map_err(data)
    }

    /// What tells one codec's weights from another's: the sum of its first codebook.
    fn codec_print(&self) -> Result<String, TrainError> {
        let book = self.folder.checkpoint().stored("audio_encoder.quantizer.layers.0.codebook.embed").map_err(data)?;
        let values = book.to_f32();
        let sum: f64 = values.iter().enumerate().map(|(i, &x)| f64::from(x) * (1.0 + (i % 97) as f64)).sum();
        Ok(format!("first codebook {:?} {sum:.4}", book.shape()))
    }

    /// Codes `[rows, K]` of a sound, as numbers a cache holds.
    fn codes(&self, codec: &Encodec, sound: &AudioBuffer) -> Result<Vec<f32>, TrainError> {
        let channels = match (self.config.channels, sound.channels.len()) {
            (2, 2) => sound.channels.clone(),
            (count, _) => vec![sound.mixdown(); count],
        };
        let hop = codec.config().hop();
        let (books, count) = (self.config.codebooks(), self.config.channels);
        let mut sides = Vec::with_capacity(count);
        for channel in &channels {
            let mut samples =
                affetto_audio::resample(channel, sound.sample_rate, self.config.sampling_rate).map_err(data)?;
            samples.truncate(samples.len() / hop * hop);
            if samples.is_empty() {
                return Err(TrainError::Data(format!("shorter than one frame of {hop} samples; leave it out")));
            }
            sides.push(codec.encode(&samples).map_err(data)?);
        }
        let rows = sides[0].len() / books;
        let code = |row: usize, k: usize| sides[k % count][row * books + k / count] as f32;
        Ok((0..rows).flat_map(|row| (0..books * count).map(move |k| (row, k))).map(|(row, k)| code(row, k)).collect())
    }

    /// The text encoder's states of every text, read once.
    fn texts<'a>(&self, clips: &'a [Clip]) -> Result<HashMap<&'a str, Arc<Vec<f32>>>, TrainError> {
        let mut texts: HashMap<&str, Arc<Vec<f32>>> = clips.iter().map(|c| (c.text.as_str(), Arc::default())).collect();
        if texts.keys().all(|text| text.is_empty()) {
            return Ok(texts);
        }
        let tokenizer = T5Tokenizer::open(self.folder.tokenizer_folder()).map_err(data)?;
        let encoder = T5Encoder::load(self.folder.checkpoint(), &self.config.text, Precision::F32, "text_encoder.")
            .map_err(data)?;
        for (text, states) in texts.iter_mut().filter(|(text, _)| !text.is_empty()) {
            let read = tokenizer.encode(text).and_then(|ids| encoder.encode(&ids));
            *states = Arc::new(read.map_err(|e| TrainError::Data(format!("the words {text:?}: {e}")))?);
        }
        Ok(texts)
    }
}

/// A cache's file name, another for other features.
fn name_of(kind: &str, header: &CacheHeader) -> String {
    let hash = fnv1a(&serde_json::to_string(header).unwrap_or_default());
    format!("musicgen-{kind}-{hash:016x}")
}

impl Prepared {
    /// Clips.
    pub fn len(&self) -> usize {
        self.clips.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// Width of the features.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of codes of all clips.
    pub fn rows(&self) -> usize {
        self.clips.iter().map(|clip| clip.codes.len() / self.streams).sum()
    }

    /// A stretch of clip `index`: where it begins is drawn, or the clip's start without `dice`.
    pub fn crop(&self, index: usize, dice: Option<&mut Pcg64Mcg>) -> Crop {
        let clip = &self.clips[index % self.clips.len()];
        let rows = clip.codes.len() / self.streams;
        let taken = self.crop_rows.min(rows);
        let first = dice.map_or(0, |dice| dice.random_range(0..=rows - taken));
        let window = |row: usize| Some(((first + row) as f64 / self.frame_rate / self.window_seconds) as usize);
        Crop {
            codes: clip.codes[first * self.streams..(first + taken) * self.streams].to_vec(),
            text: clip.text.clone(),
            emotion: clip.emotion,
            heard: Heard { window_of_step: (0..taken).map(window).collect(), features: clip.features.clone() },
        }
    }
}
