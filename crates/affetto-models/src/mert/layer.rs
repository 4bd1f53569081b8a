//! One transformer layer: self-attention over all frames and a feed-forward network, with norms before or behind them.

use affetto_engine::activation::{add, gelu};
use affetto_engine::attention::{KvCache, Visible};
use affetto_engine::{Checkpoint, LayerNorm, Linear, Precision};

use super::config::MertConfig;
use crate::error::ModelError;
use crate::parallel;

/// Numbers that one thread applies GELU to at once.
const PIECE: usize = 1 << 14;

/// One encoder layer.
pub(super) struct Layer {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
    /// Whether the norms stand before what they belong to.
    before: bool,
}

impl Layer {
    /// Reads `<prefix>encoder.layers.<index>.…`.
    pub fn load(
        checkpoint: &Checkpoint,
        prefix: &str,
        config: &MertConfig,
        index: usize,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let (d, ffn) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("{prefix}encoder.layers.{index}.{part}");
        let linear =
            |part: &str, outputs, inputs| Linear::load(checkpoint, &name(part), outputs, inputs, true, precision);
        let norm = |part: &str| LayerNorm::load(checkpoint, &name(part), d, config.layer_norm_eps);
        Ok(Layer {
            heads: config.num_attention_heads,
            query: linear("attention.q_proj", d, d)?,
            key: linear("attention.k_proj", d, d)?,
            value: linear("attention.v_proj", d, d)?,
            out: linear("attention.out_proj", d, d)?,
            attention_norm: norm("layer_norm")?,
            up: linear("feed_forward.intermediate_dense", ffn, d)?,
            down: linear("feed_forward.output_dense", d, ffn)?,
            norm: norm("final_layer_norm")?,
            before: config.do_stable_layer_norm,
        })
    }

    /// Replaces `x [frames, hidden]` by the layer's output.
    pub fn apply(&self, x: &mut [f32]) {
        let mut other = vec![0.0; x.len()];
        if self.before {
            self.attention_norm.apply(x, &mut other);
            add(x, &self.attend(&other));
            self.norm.apply(x, &mut other);
            add(x, &self.feed_forward(&other));
        } else {
            let mut sum = self.attend(x);
            add(&mut sum, x);
            self.attention_norm.apply(&sum, &mut other);
            let mut sum = self.feed_forward(&other);
            add(&mut sum, &other);
            self.norm.apply(&sum, x);
        }
    }

    fn attend(&self, x: &[f32]) -> Vec<f32> {
        let d = self.out.outputs();
        let frames = x.len() / d;
        let query = self.query.forward(x, frames);
        let mut cache = KvCache::new(self.heads, d / self.heads, frames);
        cache.push(&self.key.forward(x, frames), &self.value.forward(x, frames), d, frames);
        let mut heard = vec![0.0; x.len()];
        cache.attend(&query, d, frames, Visible::All, &mut Vec::new(), &mut heard);
        self.out.forward(&heard, frames)
    }

    fn feed_forward(&self, x: &[f32]) -> Vec<f32> {
        let frames = x.len() / self.down.outputs();
        let mut inner = self.up.forward(x, frames);
        parallel::chunks(&mut inner, PIECE, |_, inner| gelu(inner));
        self.down.forward(&inner, frames)
    }
}
