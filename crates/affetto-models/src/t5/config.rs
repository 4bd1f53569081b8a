//! The sizes of a T5 encoder.

use serde_json::Value;

use crate::error::ModelError;
use crate::json::Part;

/// What the feed-forward layers apply between their two projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(0, x).
    Relu,
    /// GELU with the tanh approximation, `gelu_new`.
    GeluNew,
}

/// The sizes of a T5 encoder, with the names and defaults of its published configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct T5Config {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the states.
    pub d_model: usize,
    /// Width of one attention head; `num_heads · d_kv` need not be `d_model`.
    pub d_kv: usize,
    /// Width of the feed-forward layers.
    pub d_ff: usize,
    /// Layers.
    pub num_layers: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Rows of the table of relative position biases.
    pub relative_attention_num_buckets: usize,
    /// Distance from which on all positions share the last bucket.
    pub relative_attention_max_distance: usize,
    /// ε of the norms.
    pub layer_norm_epsilon: f32,
    /// The feed-forward layers' function.
    pub activation: Activation,
    /// Whether the function's result is multiplied by a second projection.
    pub gated: bool,
}

impl Default for T5Config {
    /// t5-base, the text encoder of all published MusicGen models.
    fn default() -> Self {
        T5Config {
            vocab_size: 32_128,
            d_model: 768,
            d_kv: 64,
            d_ff: 3072,
            num_layers: 12,
            num_heads: 12,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            activation: Activation::Relu,
            gated: false,
        }
    }
}

impl T5Config {
    /// Reads a Hugging Face configuration with `model_type` `t5` (the `text_encoder` of a MusicGen configuration); keys
    /// that are absent have transformers' defaults.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the first key that is not supported.
    pub fn from_json(value: &Value) -> Result<Self, ModelError> {
        Self::read(Part::new(value, "")?)
    }

    pub(crate) fn read(part: Part) -> Result<Self, ModelError> {
        let kind = part.word("model_type", "t5")?;
        if kind != "t5" {
            return Err(part.wrong("model_type", "\"t5\"", &kind.into()));
        }
        let (activation, gated) = activation(part)?;
        let buckets = part.size("relative_attention_num_buckets", 32, 65_536)?;
        if buckets < 4 {
            return Err(part.wrong("relative_attention_num_buckets", "at least 4", &buckets.into()));
        }
        let distance = part.size("relative_attention_max_distance", 128, 1 << 24)?;
        if distance <= buckets / 4 {
            let expected = format!("above {}, a quarter of the buckets", buckets / 4);
            return Err(part.wrong("relative_attention_max_distance", expected, &distance.into()));
        }
        Ok(T5Config {
            vocab_size: part.size("vocab_size", 32_128, 1 << 24)?,
            d_model: part.size("d_model", 512, 16_384)?,
            d_kv: part.size("d_kv", 64, 16_384)?,
            d_ff: part.size("d_ff", 2048, 65_536)?,
            num_layers: part.size("num_layers", 6, 256)?,
            num_heads: part.size("num_heads", 8, 256)?,
            relative_attention_num_buckets: buckets,
            relative_attention_max_distance: distance,
            layer_norm_epsilon: part.positive("layer_norm_epsilon", 1e-6)? as f32,
            activation,
            gated,
        })
    }
}

/// `feed_forward_proj`, which `dense_act_fn` and `is_gated_act` overrule.
fn activation(part: Part) -> Result<(Activation, bool), ModelError> {
    const KEY: &str = "feed_forward_proj";
    let named = part.word(KEY, "relu")?;
    let (activation, gated) = match named {
        "relu" => (Activation::Relu, false),
        "gated-relu" => (Activation::Relu, true),
        "gelu_new" => (Activation::GeluNew, false),
        "gated-gelu" | "gated-gelu_new" => (Activation::GeluNew, true),
        _ => return Err(part.wrong(KEY, "\"relu\" or \"gated-gelu\"", &named.into())),
    };
    let activation = match part.get("dense_act_fn").and_then(Value::as_str) {
        None => activation,
        Some("relu") => Activation::Relu,
        Some("gelu_new") => Activation::GeluNew,
        Some(other) => return Err(part.wrong("dense_act_fn", "\"relu\" or \"gelu_new\"", &other.into())),
    };
    Ok((activation, part.flag("is_gated_act", gated)?))
}
