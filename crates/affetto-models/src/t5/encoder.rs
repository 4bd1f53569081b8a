//! The encoder's weights and its pass.

use affetto_engine::activation::add;
use affetto_engine::{Checkpoint, Embedding, Linear, Precision};

use super::MAX_TOKENS;
use super::attention::{attend, position_biases};
use super::config::{Activation, T5Config};
use crate::error::ModelError;
use crate::parallel;

/// x / √(mean x² + ε) · w.
struct RmsNorm {
    weight: Vec<f32>,
    eps: f32,
}

impl RmsNorm {
    fn load(checkpoint: &Checkpoint, name: &str, config: &T5Config) -> Result<Self, ModelError> {
        let weight = checkpoint.tensor_f32(&format!("{name}.weight"), &[config.d_model])?;
        Ok(RmsNorm { weight, eps: config.layer_norm_epsilon })
    }

    fn apply(&self, x: &[f32], out: &mut [f32]) {
        let n = self.weight.len();
        for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            let squares: f64 = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            let factor = 1.0 / ((squares / n as f64) as f32 + self.eps).sqrt();
            out.iter_mut().zip(x).zip(&self.weight).for_each(|((o, x), w)| *o = w * (x * factor));
        }
    }
}

struct Layer {
    attention_norm: RmsNorm,
    /// d_model → 3·heads·d_kv: queries, keys, values.
    qkv: Linear,
    out: Linear,
    ffn_norm: RmsNorm,
    /// d_model → d_ff; with a gate → 2·d_ff, the gate's half second.
    wi: Linear,
    wo: Linear,
}

/// T5's encoder: token ids to states.
pub struct T5Encoder {
    config: T5Config,
    embedding: Embedding,
    /// `[buckets, heads]`, shared by all layers.
    biases: Vec<f32>,
    layers: Vec<Layer>,
    norm: RmsNorm,
}

impl T5Encoder {
    /// Reads the tensors `<prefix>encoder.…` and `<prefix>shared.weight` (or `<prefix>encoder.embed_tokens.weight`);
    /// in a MusicGen checkpoint the prefix is `text_encoder.`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(
        checkpoint: &Checkpoint,
        config: &T5Config,
        precision: Precision,
        prefix: &str,
    ) -> Result<Self, ModelError> {
        let (d, inner, ffn) = (config.d_model, config.num_heads * config.d_kv, config.d_ff);
        let tables = [format!("{prefix}shared.weight"), format!("{prefix}encoder.embed_tokens.weight")];
        let table = tables.iter().find(|name| checkpoint.contains(name)).unwrap_or(&tables[0]);
        let layers = parallel::collect(config.num_layers, |i| {
            let name = |part: &str| format!("{prefix}encoder.block.{i}.layer.{part}");
            let joined = |parts: &[&str], outputs| {
                let parts: Vec<_> = parts.iter().map(|part| (name(&format!("{part}.weight")), outputs)).collect();
                Linear::load_joined(checkpoint, &parts, d, precision)
            };
            let wi: &[&str] = if config.gated {
                &["1.DenseReluDense.wi_0", "1.DenseReluDense.wi_1"]
            } else {
                &["1.DenseReluDense.wi"]
            };
            Ok(Layer {
                attention_norm: RmsNorm::load(checkpoint, &name("0.layer_norm"), config)?,
                qkv: joined(&["0.SelfAttention.q", "0.SelfAttention.k", "0.SelfAttention.v"], inner)?,
                out: Linear::load(checkpoint, &name("0.SelfAttention.o"), d, inner, false, precision)?,
                ffn_norm: RmsNorm::load(checkpoint, &name("1.layer_norm"), config)?,
                wi: joined(wi, ffn)?,
                wo: Linear::load(checkpoint, &name("1.DenseReluDense.wo"), d, ffn, false, precision)?,
            })
        })?;
        Ok(T5Encoder {
            embedding: Embedding::load(checkpoint, table, config.vocab_size, d)?,
            biases: checkpoint.tensor_f32(
                &format!("{prefix}encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
                &[config.relative_attention_num_buckets, config.num_heads],
            )?,
            layers,
            norm: RmsNorm::load(checkpoint, &format!("{prefix}encoder.final_layer_norm"), config)?,
            config: config.clone(),
        })
    }

    /// The sizes.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Bytes of the projections' weights in memory.
    pub fn bytes(&self) -> usize {
        self.layers.iter().flat_map(|l| [&l.qkv, &l.out, &l.wi, &l.wo]).map(Linear::bytes).sum()
    }

    /// The states of the last layer, `[ids, d_model]`, for exactly these ids (no padding).
    ///
    /// # Errors
    /// When there are more than [`MAX_TOKENS`] ids, or one is outside the vocabulary.
    pub fn encode(&self, ids: &[u32]) -> Result<Vec<f32>, ModelError> {
        let config = &self.config;
        let (n, d, inner, ffn) = (ids.len(), config.d_model, config.num_heads * config.d_kv, config.d_ff);
        if n > MAX_TOKENS {
            let expected = format!("at most {MAX_TOKENS}; shorten the prompt");
            return Err(ModelError::Input { what: "tokens of a text", expected, found: n.to_string() });
        }
        let mut x = vec![0.0; n * d];
        for (&id, row) in ids.iter().zip(x.chunks_exact_mut(d)) {
            self.embedding.get(id as usize, row)?;
        }
        let biases = position_biases(config, &self.biases, n);
        let mut normed = vec![0.0; n * d];
        let mut qkv = vec![0.0; n * 3 * inner];
        let mut mixed = vec![0.0; n * inner];
        let mut wide = vec![0.0; n * ffn * if config.gated { 2 } else { 1 }];
        let mut narrow = vec![0.0; n * ffn];
        let mut out = vec![0.0; n * d];
        for layer in &self.layers {
            layer.attention_norm.apply(&x, &mut normed);
            layer.qkv.apply(&normed, n, &mut qkv);
            attend(config, &qkv, &biases, &mut mixed);
            layer.out.apply(&mixed, n, &mut out);
            add(&mut x, &out);
            layer.ffn_norm.apply(&x, &mut normed);
            layer.wi.apply(&normed, n, &mut wide);
            activate(config, &wide, &mut narrow);
            layer.wo.apply(&narrow, n, &mut out);
            add(&mut x, &out);
        }
        self.norm.apply(&x, &mut out);
        Ok(out)
    }
}

/// f(wide), or f(first half) · second half where there is a gate.
fn activate(config: &T5Config, wide: &[f32], out: &mut [f32]) {
    let ffn = config.d_ff;
    let stride = if config.gated { 2 * ffn } else { ffn };
    for (wide, out) in wide.chunks_exact(stride).zip(out.chunks_exact_mut(ffn)) {
        for (o, &x) in out.iter_mut().zip(wide) {
            *o = match config.activation {
                Activation::Relu => x.max(0.0),
                Activation::GeluNew => gelu_new(x),
            };
        }
        if config.gated {
            out.iter_mut().zip(&wide[ffn..]).for_each(|(o, gate)| *o *= gate);
        }
    }
}

/// x/2 · (1 + tanh(√(2/π)·(x + 0.044715 x³))).
fn gelu_new(x: f32) -> f32 {
    let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}
