//! What a model folder holds, without reading its weights.

use std::path::Path;

use affetto_engine::Precision;
use affetto_models::ModelFolder;
use affetto_models::musicgen::MusicGenConfig;
use affetto_models::quantize::quantize_folder;
use serde::Serialize;

use crate::error::Result;
use crate::families::Family;

/// What a MusicGen model is, from its configuration and the heads of its weight files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelInfo {
    /// The id, or the folder's name.
    pub name: String,
    /// The family's name.
    pub family: &'static str,
    /// The folder.
    pub path: String,
    /// The configuration's `model_type`.
    pub model_type: String,
    /// How the weights are stored in files.
    pub layout: String,
    /// How they were quantised, if they were.
    pub quantization: Option<String>,
    /// The licence of the weights, as far as the folder says, in a line.
    pub licence: String,
    /// Parts that lie elsewhere, each with its folder: what an audiocraft folder only names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<(String, String)>,
    /// Bytes of the weight files, of parts that lie elsewhere too.
    pub bytes: u64,
    /// Numbers in all tensors, scales of quantised ones aside.
    pub parameters: u64,
    /// Streams of codes.
    pub streams: usize,
    /// Codes of each stream.
    pub vocab_sizes: Vec<usize>,
    /// How many frames each stream is late.
    pub delays: Vec<usize>,
    /// Channels of the sound.
    pub channels: usize,
    /// Samples a second.
    pub sample_rate: u32,
    /// Frames of codes a second.
    pub frame_rate: usize,
    /// Seconds the language model hears at once.
    pub window_seconds: f64,
    /// Whether it follows a melody.
    pub melody: bool,
    /// Sizes of the language model.
    pub decoder: Sizes,
    /// Sizes of the text encoder.
    pub text_encoder: Sizes,
    /// Every tensor's name and shape, sorted.
    pub tensors: Vec<(String, Vec<usize>)>,
}

/// Sizes of a transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Width of the hidden states.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the feed-forward layers.
    pub ffn: usize,
}

impl ModelInfo {
    /// Reads a model folder, or a model of the Hugging Face cache by its id.
    ///
    /// # Errors
    /// [`crate::Error::Model`] says what is missing, broken or not supported.
    pub fn read(path_or_id: &str) -> Result<ModelInfo> {
        let folder = ModelFolder::open(path_or_id)?;
        let config = MusicGenConfig::from_json(folder.config())?;
        let checkpoint = folder.checkpoint();
        let mut tensors = Vec::new();
        for name in checkpoint.names() {
            let shape = checkpoint.shape(name).map_err(affetto_models::ModelError::from)?;
            tensors.push((name.to_owned(), shape.to_vec()));
        }
        let count = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
        let (lm, text) = (&config.decoder, &config.text);
        Ok(ModelInfo {
            name: folder.name(),
            family: Family::MusicGen.name(),
            path: folder.path().display().to_string(),
            model_type: folder.model_type().to_owned(),
            layout: folder.layout().to_string(),
            quantization: folder.quantization().map(str::to_owned),
            licence: folder.licence().to_string(),
            companions: folder
                .companions()
                .iter()
                .map(|(what, path)| (what.to_string(), path.display().to_string()))
                .collect(),
            bytes: folder.bytes(),
            parameters: tensors.iter().filter(|(name, _)| !name.ends_with(".scale")).map(|(_, s)| count(s)).sum(),
            streams: lm.streams(),
            vocab_sizes: lm.vocab_sizes.clone(),
            delays: lm.delays.clone(),
            channels: config.channels,
            sample_rate: config.sampling_rate,
            frame_rate: config.frame_rate,
            window_seconds: config.window_rows() as f64 / config.frame_rate as f64,
            melody: config.chroma.is_some(),
            decoder: Sizes {
                width: lm.hidden_size,
                layers: lm.num_hidden_layers,
                heads: lm.num_attention_heads,
                ffn: lm.ffn_dim,
            },
            text_encoder: Sizes { width: text.d_model, layers: text.num_layers, heads: text.num_heads, ffn: text.d_ff },
            tensors,
        })
    }

    /// Stores a model with its large matrices in `precision` in the new folder `out`: whole, or not at all. Gives the bytes
    /// of its weight files. It opens as any other, and is held as it is stored.
    ///
    /// # Errors
    /// [`crate::Error::Model`]: what is missing or broken, `out` is there already, or cannot be written.
    pub fn quantize(path_or_id: &str, out: &Path, precision: Precision) -> Result<u64> {
        let folder = ModelFolder::open(path_or_id)?;
        MusicGenConfig::from_json(folder.config())?;
        Ok(quantize_folder(&folder, out, precision)?)
    }

    /// The length, in seconds, of what so many steps of the language model make.
    pub fn seconds_of_steps(&self, steps: usize) -> f64 {
        let late = self.delays.iter().copied().max().unwrap_or(0);
        steps.saturating_sub(late).max(1) as f64 / self.frame_rate as f64
    }
}
