//! What a Hugging Face configuration says of a MERT model.

use serde_json::Value;

use crate::error::ModelError;
use crate::json::Part;

/// The most convolutions, and the greatest kernel, stride and width.
const MAX_CONVOLUTIONS: usize = 16;
const MAX_KERNEL: usize = 1024;
const MAX_WIDTH: usize = 16_384;
/// The most samples that one frame may look at.
const MAX_REACH: usize = 1 << 16;

/// One convolution of the feature extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Channels it gives.
    pub outputs: usize,
    /// Steps it looks at.
    pub kernel: usize,
    /// Steps from one output to the next.
    pub stride: usize,
}

/// The sizes of a MERT model, with the names and defaults of its published configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct MertConfig {
    /// Samples a second.
    pub sample_rate: u32,
    /// Whether each piece of sound is brought to mean 0 and variance 1 first (`do_normalize` of
    /// `preprocessor_config.json`).
    pub do_normalize: bool,
    /// Width of the states.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layers.
    pub intermediate_size: usize,
    /// The feature extractor, from the sound on.
    pub convolutions: Vec<Convolution>,
    /// Whether the convolutions have biases.
    pub conv_bias: bool,
    /// Whether `feat_extract_norm` is `layer`: a norm over the channels behind every convolution. If not, one over
    /// time behind the first.
    pub layer_norms: bool,
    /// Whether a norm stands before the projection.
    pub feat_proj_layer_norm: bool,
    /// Kernel of the convolution that tells positions.
    pub num_conv_pos_embeddings: usize,
    /// Its groups.
    pub num_conv_pos_embedding_groups: usize,
    /// Whether norms stand before attention and feed-forward layers (as in the 330M model) instead of behind.
    pub do_stable_layer_norm: bool,
    /// ε of the transformer's norms.
    pub layer_norm_eps: f32,
}

impl MertConfig {
    /// Reads `config.json` of a `mert_model` (or `hubert`), and `preprocessor_config.json` where there is one. Keys that
    /// are absent have the published classes' defaults.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the first key that is not supported.
    pub fn from_json(config: &Value, preprocessor: Option<&Value>) -> Result<Self, ModelError> {
        let part = Part::new(config, "")?;
        let kind = part.word("model_type", "nothing")?;
        if !["mert_model", "hubert"].contains(&kind) {
            return Err(part.wrong("model_type", "\"mert_model\" or \"hubert\"", &kind.into()));
        }
        for key in ["feature_extractor_cqt", "deepnorm", "conv_pos_batch_norm"] {
            if part.flag(key, false)? {
                return Err(part.wrong(key, "false, as in MERT-v1", &true.into()));
            }
        }
        for key in ["feat_extract_activation", "hidden_act"] {
            let word = part.word(key, "gelu")?;
            if word != "gelu" {
                return Err(part.wrong(key, "\"gelu\"", &word.into()));
            }
        }
        let norm = part.word("feat_extract_norm", "group")?;
        if !["group", "layer"].contains(&norm) {
            return Err(part.wrong("feat_extract_norm", "\"group\" or \"layer\"", &norm.into()));
        }
        let hidden = part.size("hidden_size", 768, MAX_WIDTH)?;
        let divides = |key: &str, default: usize| {
            let n = part.size(key, default, MAX_WIDTH)?;
            let expected = || format!("a divisor of hidden_size, {hidden}");
            if hidden.is_multiple_of(n) { Ok(n) } else { Err(part.wrong(key, expected(), &n.into())) }
        };
        let (sample_rate, do_normalize) = sound(part, preprocessor, kind)?;
        Ok(MertConfig {
            sample_rate,
            do_normalize,
            hidden_size: hidden,
            num_hidden_layers: part.size("num_hidden_layers", 12, 256)?,
            num_attention_heads: divides("num_attention_heads", 12)?,
            intermediate_size: part.size("intermediate_size", 3072, 4 * MAX_WIDTH)?,
            convolutions: convolutions(part)?,
            conv_bias: part.flag("conv_bias", false)?,
            layer_norms: norm == "layer",
            feat_proj_layer_norm: part.flag("feat_proj_layer_norm", true)?,
            num_conv_pos_embeddings: part.size("num_conv_pos_embeddings", 128, MAX_KERNEL)?,
            num_conv_pos_embedding_groups: divides("num_conv_pos_embedding_groups", 16)?,
            do_stable_layer_norm: part.flag("do_stable_layer_norm", false)?,
            layer_norm_eps: part.positive("layer_norm_eps", 1e-5)? as f32,
        })
    }

    /// Frames that `samples` samples give.
    pub fn frames(&self, samples: usize) -> usize {
        self.convolutions.iter().fold(samples, |n, c| if n < c.kernel { 0 } else { (n - c.kernel) / c.stride + 1 })
    }

    /// The most numbers that the feature extractor holds in one layer for `samples` samples.
    pub(super) fn widest(&self, samples: usize) -> usize {
        let mut steps = samples;
        let sizes = self.convolutions.iter().map(|c| {
            steps = if steps < c.kernel { 0 } else { (steps - c.kernel) / c.stride + 1 };
            steps.saturating_mul(c.outputs)
        });
        sizes.max().unwrap_or(0)
    }

    /// The fewest samples that give a frame.
    pub fn least_samples(&self) -> usize {
        self.convolutions.iter().rev().fold(1, |n, c| (n - 1) * c.stride + c.kernel)
    }
}

/// Sample rate, and whether sound is normalised.
fn sound(part: Part, preprocessor: Option<&Value>, kind: &str) -> Result<(u32, bool), ModelError> {
    const MOST: usize = 1 << 20;
    let usual = if kind == "hubert" { 16_000 } else { 24_000 };
    let rate = part.size("sample_rate", usual, MOST)?;
    let Some(preprocessor) = preprocessor else { return Ok((rate as u32, true)) };
    let theirs = Part::new(preprocessor, "preprocessor_config.json")?;
    let heard = theirs.size("sampling_rate", rate, MOST)?;
    if part.get("sample_rate").is_some() && heard != rate {
        let expected = format!("{rate}, the `sample_rate` of config.json");
        return Err(theirs.wrong("sampling_rate", expected, &heard.into()));
    }
    Ok((heard as u32, theirs.flag("do_normalize", true)?))
}

/// `conv_dim`, `conv_kernel` and `conv_stride`, which must be equally long.
fn convolutions(part: Part) -> Result<Vec<Convolution>, ModelError> {
    let list = |key: &str, default: &[usize], most: usize| -> Result<Vec<usize>, ModelError> {
        let Some(value) = part.get(key) else { return Ok(default.to_vec()) };
        let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=most).contains(n));
        let numbers = value.as_array().filter(|list| (1..=MAX_CONVOLUTIONS).contains(&list.len()));
        let numbers = numbers.and_then(|list| list.iter().map(number).collect());
        numbers.ok_or_else(|| {
            part.wrong(key, format!("1 to {MAX_CONVOLUTIONS} whole numbers, each from 1 to {most}"), value)
        })
    };
    let outputs = list("conv_dim", &[512; 7], MAX_WIDTH)?;
    let kernels = list("conv_kernel", &[10, 3, 3, 3, 3, 2, 2], MAX_KERNEL)?;
    let strides = list("conv_stride", &[5, 2, 2, 2, 2, 2, 2], MAX_KERNEL)?;
    for (key, length) in [("conv_kernel", kernels.len()), ("conv_stride", strides.len())] {
        if length != outputs.len() {
            let expected = format!("{} numbers, as many as conv_dim", outputs.len());
            return Err(part.wrong(key, expected, &format!("{length} numbers").into()));
        }
    }
    let mut reach = 1usize;
    for (kernel, stride) in kernels.iter().zip(&strides).rev() {
        reach = (reach - 1).saturating_mul(*stride).saturating_add(*kernel);
    }
    if reach > MAX_REACH {
        return Err(part.wrong(
            "conv_stride",
            format!("frames that look at {MAX_REACH} samples at most"),
            &reach.into(),
        ));
    }
    let sizes = outputs.into_iter().zip(kernels).zip(strides);
    Ok(sizes.map(|((outputs, kernel), stride)| Convolution { outputs, kernel, stride }).collect())
}
