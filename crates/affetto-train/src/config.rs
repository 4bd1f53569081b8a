//! The training configuration: one TOML file with `[model]`, `[train]`, `[data]` and, for LARA, `[lara]`; for MusicGen
//! models one with `[musicgen]`, `[train]` and `[lara]`.

mod lara;
mod musicgen;

pub use lara::{Backbone, Encoder, Features, LaraConfig, Scaling};
pub use musicgen::{EmotionDropout, EmotionScale, MusicGenData, MusicGenLoop, MusicGenTrainConfig};

use std::path::Path;

use affetto_score::codec::VOCABULARY;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Everything one training run needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Sizes of the network.
    pub model: ModelConfig,
    /// The loop.
    pub train: LoopConfig,
    /// What it learns from.
    #[serde(default)]
    pub data: DataConfig,
    /// Alignment of hidden states, for `affetto train lara`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lara: Option<LaraConfig>,
}

/// Sizes of the decoder LM, by Hugging Face's names for MusicGen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layers.
    pub ffn_dim: usize,
    /// Most rows (notes) in a window.
    pub window: usize,
    /// Vocabulary of each stream; the score codec's, unless said otherwise.
    #[serde(default = "score_vocabulary")]
    pub vocab_sizes: Vec<usize>,
}

fn score_vocabulary() -> Vec<usize> {
    VOCABULARY.to_vec()
}

/// The training loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopConfig {
    /// Seed of weights, windows and dropout.
    pub seed: u64,
    /// Windows in a batch.
    pub batch_size: usize,
    /// Steps from first to last; `--hours` overrides it by a measured speed.
    pub steps: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps until the learning rate is reached.
    pub warmup_steps: usize,
    /// Share of the steps, at the end, over which the learning rate falls to zero.
    pub decay_share: f64,
    /// Weight decay of AdamW.
    pub weight_decay: f32,
    /// Weight of each stream's cross-entropy in the loss that is minimised; what is printed is unweighted.
    #[serde(default = "even")]
    pub stream_weights: Vec<f32>,
    /// Steps between two validations.
    pub validate_every: usize,
    /// Minutes between two checkpoints.
    pub checkpoint_minutes: f64,
    /// Shares of windows that are not told a condition.
    pub dropout: ConditionDropout,
}

fn even() -> Vec<f32> {
    vec![1.0; VOCABULARY.len()]
}

/// Probability that a window's condition is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionDropout {
    /// All of them at once: the null branch of guidance.
    pub all: f32,
    /// Words.
    pub text: f32,
    /// Tempo.
    pub tempo: f32,
    /// Key.
    pub key: f32,
    /// Meter.
    pub meter: f32,
    /// Instruments.
    pub instruments: f32,
    /// Valence and arousal.
    pub emotion: f32,
    /// Onset density.
    pub density: f32,
    /// Bars left.
    pub closing: f32,
}

impl ConditionDropout {
    /// Nothing is withheld.
    pub const NONE: ConditionDropout = ConditionDropout {
        all: 0.0,
        text: 0.0,
        tempo: 0.0,
        key: 0.0,
        meter: 0.0,
        instruments: 0.0,
        emotion: 0.0,
        density: 0.0,
        closing: 0.0,
    };

    /// What is withheld without exception, and nothing else: how a model that never hears a condition is validated.
    pub fn certain(&self) -> ConditionDropout {
        let certain = |share: f32| f32::from(share >= 1.0);
        ConditionDropout {
            all: certain(self.all),
            text: certain(self.text),
            tempo: certain(self.tempo),
            key: certain(self.key),
            meter: certain(self.meter),
            instruments: certain(self.instruments),
            emotion: certain(self.emotion),
            density: certain(self.density),
            closing: certain(self.closing),
        }
    }
}

/// What is learned from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Corpora and their weights in the draw of windows; empty = all permissive ones, by their size.
    pub corpora: Vec<CorpusWeight>,
}

/// A corpus and how often it is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusWeight {
    /// Name, as `affetto train prepare` lists it.
    pub name: String,
    /// Relative weight.
    pub weight: f64,
}

impl TrainConfig {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// A file that can't be read, is not TOML of this shape, or asks for an impossible network.
    pub fn read(path: &Path) -> Result<TrainConfig, TrainError> {
        let text = std::fs::read_to_string(path).map_err(|source| TrainError::Read { path: path.into(), source })?;
        let wrong = |what: String| TrainError::Config { path: path.into(), what };
        let config: TrainConfig = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        let model = &config.model;
        if model.num_attention_heads == 0 || !model.hidden_size.is_multiple_of(model.num_attention_heads) {
            return Err(wrong(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                model.hidden_size, model.num_attention_heads
            )));
        }
        if model.window < 16 || config.train.batch_size == 0 || config.train.steps == 0 {
            return Err(wrong("window must be at least 16, batch_size and steps at least 1".into()));
        }
        let weights = &config.train.stream_weights;
        if weights.len() != VOCABULARY.len() || !weights.iter().all(|w| w.is_finite() && *w >= 0.0) {
            return Err(wrong(format!("stream_weights {weights:?}, expected {} numbers from 0", VOCABULARY.len())));
        }
        if let Some(lara) = &config.lara {
            lara.check(model.num_hidden_layers).map_err(wrong)?;
        }
        Ok(config)
    }
}
