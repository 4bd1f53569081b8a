//! A checkpoint of random weights, for tests and measurements.
#![allow(dead_code)]

use std::collections::HashMap;

use affetto_engine::Checkpoint;
use affetto_models::decoder::DecoderConfig;
use safetensors::tensor::{Dtype, TensorView, serialize};

/// Random numbers between -1 and 1.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Numbers(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1)
    }

    pub fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 40) as f32) / (1u32 << 23) as f32 - 1.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (((self.next() + 1.0) * 0.5 * n as f32) as usize).min(n - 1)
    }

    pub fn vec(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| self.next() * scale).collect()
    }
}

/// A small decoder with awkward sizes.
pub fn tiny() -> DecoderConfig {
    DecoderConfig {
        vocab_sizes: vec![5, 7, 4],
        delays: vec![0, 1, 2],
        hidden_size: 12,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        ffn_dim: 20,
        max_window: 16,
    }
}

/// Tensors by name: shape and numbers.
pub type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// Random weights for every tensor of a decoder.
pub fn tensors(config: &DecoderConfig, seed: u64) -> Tensors {
    let mut numbers = Numbers::new(seed);
    let (d, ffn) = (config.hidden_size, config.ffn_dim);
    let mut all = Tensors::new();
    let scale = 1.7 / (d as f32).sqrt();
    let mut add = |name: String, shape: Vec<usize>, scale: f32, plus: f32| {
        let n = shape.iter().product();
        let values = numbers.vec(n, scale).into_iter().map(|v| v + plus).collect();
        all.insert(name, (shape, values));
    };
    for (k, &v) in config.vocab_sizes.iter().enumerate() {
        add(format!("decoder.embed_tokens.{k}.weight"), vec![v + 1, d], 1.0, 0.0);
        add(format!("lm_heads.{k}.weight"), vec![v, d], 2.0 * scale, 0.0);
    }
    for i in 0..config.num_hidden_layers {
        for attention in ["self_attn", "encoder_attn"] {
            for p in ["q", "k", "v", "out"] {
                add(format!("decoder.layers.{i}.{attention}.{p}_proj.weight"), vec![d, d], scale, 0.0);
            }
        }
        for norm in ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"] {
            add(format!("decoder.layers.{i}.{norm}.weight"), vec![d], 0.3, 1.0);
            add(format!("decoder.layers.{i}.{norm}.bias"), vec![d], 0.3, 0.0);
        }
        add(format!("decoder.layers.{i}.fc1.weight"), vec![ffn, d], scale, 0.0);
        add(format!("decoder.layers.{i}.fc2.weight"), vec![d, ffn], scale, 0.0);
    }
    add("decoder.layer_norm.weight".into(), vec![d], 0.3, 1.0);
    add("decoder.layer_norm.bias".into(), vec![d], 0.3, 0.0);
    all
}

/// The tensors as a checkpoint, each name behind `prefix`.
pub fn checkpoint(tensors: &Tensors, prefix: &str) -> Checkpoint {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            (format!("{prefix}{name}"), shape.clone(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, data)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    Checkpoint::from_bytes("random", serialize(views, None).unwrap()).unwrap()
}
