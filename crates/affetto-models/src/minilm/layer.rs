//! One layer of BERT: self-attention and a feed-forward network, each added to its input and then normalised.

use affetto_engine::activation::{add, gelu};
use affetto_engine::attention::{KvCache, Visible};
use affetto_engine::{Checkpoint, LayerNorm, Linear, Precision};

use super::{EPS, WIDTH};
use crate::ModelError;

const HEADS: usize = 12;
const FFN: usize = 1536;

/// One encoder layer.
pub(super) struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

impl Layer {
    /// Reads `encoder.layer.<index>.*`.
    pub fn load(checkpoint: &Checkpoint, index: usize, precision: Precision) -> Result<Self, ModelError> {
        let linear = |name: &str, outputs, inputs| {
            let name = format!("encoder.layer.{index}.{name}");
            Linear::load(checkpoint, &name, outputs, inputs, true, precision)
        };
        let norm = |name: &str| LayerNorm::load(checkpoint, &format!("encoder.layer.{index}.{name}"), WIDTH, EPS);
        Ok(Layer {
            query: linear("attention.self.query", WIDTH, WIDTH)?,
            key: linear("attention.self.key", WIDTH, WIDTH)?,
            value: linear("attention.self.value", WIDTH, WIDTH)?,
            out: linear("attention.output.dense", WIDTH, WIDTH)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: linear("intermediate.dense", FFN, WIDTH)?,
            down: linear("output.dense", WIDTH, FFN)?,
            norm: norm("output.LayerNorm")?,
        })
    }

    /// Replaces `x [tokens, 384]` by the layer's output.
    pub fn apply(&self, x: &mut [f32], tokens: usize) {
        let query = self.query.forward(x, tokens);
        let mut cache = KvCache::new(HEADS, WIDTH / HEADS, tokens);
        cache.push(&self.key.forward(x, tokens), &self.value.forward(x, tokens), WIDTH, tokens);
        let mut heard = vec![0.0; x.len()];
        cache.attend(&query, WIDTH, tokens, Visible::All, &mut Vec::new(), &mut heard);
        let mut sum = self.out.forward(&heard, tokens);
        add(&mut sum, x);
        self.attention_norm.apply(&sum, x);

        let mut inner = self.up.forward(x, tokens);
        gelu(&mut inner);
        let mut sum = self.down.forward(&inner, tokens);
        add(&mut sum, x);
        self.norm.apply(&sum, x);
    }
}
