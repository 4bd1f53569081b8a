//! The weights of a decoder.

use affetto_engine::attention::CachePrecision;
use affetto_engine::{Checkpoint, Embedding, LayerNorm, Linear, Precision};

use super::config::{Angles, DecoderConfig, Variant};
use crate::error::ModelError;
use crate::parallel;

/// ε of all layer norms.
const EPS: f32 = 1e-5;

/// One transformer layer. Projections that read the same input are one matrix.
pub(super) struct Layer {
    pub self_norm: LayerNorm,
    /// d → 3d: queries, keys, values.
    pub self_qkv: Linear,
    pub self_out: Linear,
    /// None in a decoder without cross-attention.
    pub cross: Option<Cross>,
    pub ffn_norm: LayerNorm,
    pub fc1: Linear,
    pub fc2: Linear,
}

/// The cross-attention of one layer.
pub(super) struct Cross {
    pub norm: LayerNorm,
    pub q: Linear,
    /// d → 2d: keys, values of the condition tokens.
    pub kv: Linear,
    pub out: Linear,
}

/// A decoder's weights. It is shared by all sequences; see [`Lane`](super::Lane) for what belongs to one.
pub struct DecoderLm {
    pub(super) config: DecoderConfig,
    pub(super) variant: Variant,
    pub(super) embeddings: Vec<Embedding>,
    /// Sinusoids, `[max_prefix + max_window, d]`: the cosines first.
    pub(super) positions: Vec<f32>,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: LayerNorm,
    /// d → Σ V_k, the streams side by side.
    pub(super) heads: Linear,
    /// How lanes hold keys and values.
    pub(super) cache: CachePrecision,
}

impl DecoderLm {
    /// Reads the tensors `<prefix>decoder.…` and `<prefix>lm_heads.…` (ARCHITECTURE.md lists them); a `model.` at
    /// the prefix's end is not before the heads, as in Hugging Face's checkpoints. Projections are
    /// held in `precision`; embeddings stay as they are stored; norms are f32.
    ///
    /// # Errors
    /// When the configuration contradicts itself, or a tensor is missing or of another shape.
    pub fn load(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        precision: Precision,
        prefix: &str,
    ) -> Result<Self, ModelError> {
        Self::load_variant(checkpoint, config, Variant::default(), precision, prefix)
    }

    /// As [`load`](Self::load), for a decoder that differs from the score family's.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_variant(
        checkpoint: &Checkpoint,
        config: &DecoderConfig,
        variant: Variant,
        precision: Precision,
        prefix: &str,
    ) -> Result<Self, ModelError> {
        config.check()?;
        variant.check()?;
        let (d, ffn) = (config.hidden_size, config.ffn_dim);
        let vocabularies = config.vocab_sizes.iter().enumerate();
        let embeddings = vocabularies
            .clone()
            .map(|(k, &v)| Embedding::load(checkpoint, &format!("{prefix}decoder.embed_tokens.{k}.weight"), v + 1, d))
            .collect::<Result<_, _>>()?;
        let layers = parallel::collect(config.num_hidden_layers, |i| {
            let name = |part: &str| format!("{prefix}decoder.layers.{i}.{part}");
            let weight = |part: &str| (name(&format!("{part}.weight")), d);
            let norm = |part: &str| LayerNorm::load(checkpoint, &name(part), d, EPS);
            let joined = |parts: &[&str]| {
                let parts: Vec<_> = parts.iter().map(|part| weight(part)).collect();
                Linear::load_joined(checkpoint, &parts, d, precision)
            };
            let linear =
                |part: &str, outputs, inputs| Linear::load(checkpoint, &name(part), outputs, inputs, false, precision);
            Ok(Layer {
                self_norm: norm("self_attn_layer_norm")?,
                self_qkv: joined(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?,
                self_out: linear("self_attn.out_proj", d, d)?,
                cross: if variant.cross_attention {
                    Some(Cross {
                        norm: norm("encoder_attn_layer_norm")?,
                        q: linear("encoder_attn.q_proj", d, d)?,
                        kv: joined(&["encoder_attn.k_proj", "encoder_attn.v_proj"])?,
                        out: linear("encoder_attn.out_proj", d, d)?,
                    })
                } else {
                    None
                },
                ffn_norm: norm("final_layer_norm")?,
                fc1: linear("fc1", ffn, d)?,
                fc2: linear("fc2", d, ffn)?,
            })
        })?;
        let outside = prefix.strip_suffix("model.").unwrap_or(prefix);
        let heads: Vec<_> = vocabularies.map(|(k, &v)| (format!("{outside}lm_heads.{k}.weight"), v)).collect();
        Ok(DecoderLm {
            config: config.clone(),
            variant,
            embeddings,
            positions: sinusoids(variant.max_prefix + config.max_window, d, variant.angles),
            layers,
            norm: LayerNorm::load(checkpoint, &format!("{prefix}decoder.layer_norm"), d, EPS)?,
            heads: Linear::load_joined(checkpoint, &heads, d, precision)?,
            // Where the weights are quantised, keys and values in bfloat16 add nothing to the error that could be measured.
            cache: match precision {
                Precision::F32 | Precision::Bf16 => CachePrecision::F32,
                Precision::Int8 | Precision::Int4 => CachePrecision::Bf16,
            },
        })
    }

    /// The decoder with the keys and values of its lanes held in `precision`; without this, in bf16 where the weights
    /// are int8 or int4, else in f32.
    pub fn with_cache(mut self, precision: CachePrecision) -> Self {
        self.cache = precision;
        self
    }

    /// The sizes.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// In what it differs from the score family's.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Bytes of the projections' weights in memory: what a step has to read, less the condition tokens' keys and
    /// values.
    pub fn bytes(&self) -> usize {
        let layers: usize = self
            .layers
            .iter()
            .map(|l| {
                let cross = l.cross.iter().flat_map(|c| [&c.q, &c.kv, &c.out]);
                [&l.self_qkv, &l.self_out, &l.fc1, &l.fc2].into_iter().chain(cross).map(Linear::bytes).sum::<usize>()
            })
            .sum();
        layers + self.heads.bytes()
    }
}

/// Sinusoidal positions `[count, d]`: cos(p·ω_i) for i < ⌊d/2⌋, then sin(p·ω_i), ω_i = 10000^(-i / (⌊d/2⌋ - 1)); a zero at the end where d is odd.
pub fn sinusoids(count: usize, d: usize, angles: Angles) -> Vec<f32> {
    let half = d / 2;
    let step = 10_000f64.ln() / half.saturating_sub(1).max(1) as f64;
    let exact: Vec<f64> = (0..half).map(|i| (-step * i as f64).exp()).collect();
    let single: Vec<f32> = (0..half).map(|i| f64::from(i as f32 * -step as f32).exp() as f32).collect();
    let mut out = Vec::with_capacity(count * d);
    for p in 0..count {
        let angle = |i: usize| match angles {
            Angles::Exact => p as f64 * exact[i],
            Angles::Single => f64::from(p as f32 * single[i]),
        };
        out.extend((0..half).map(|i| angle(i).cos() as f32));
        out.extend((0..half).map(|i| angle(i).sin() as f32));
        out.extend(std::iter::repeat_n(0.0, d % 2));
    }
    out
}
