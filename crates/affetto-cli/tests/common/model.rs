//! A score model with random weights, small enough to be made in each test: what is tested with it is all that does
//! not depend on what the model has learned.

use std::path::Path;

use affetto_control::prior::{HIDDEN_WIDTH, INPUT_WIDTH, OUTPUT_WIDTH};
use affetto_score::codec::VOCABULARY;

const WIDTH: usize = 32;
const FFN: usize = 64;

/// Random tensors, to be saved as a safetensors file.
pub struct Weights {
    state: u64,
    header: Vec<String>,
    data: Vec<u8>,
}

impl Weights {
    /// None as yet; the same seed and calls give the same numbers.
    pub fn new(seed: u64) -> Weights {
        Weights { state: seed, header: Vec::new(), data: Vec::new() }
    }

    /// A tensor of what `value` makes of numbers in [-1, 1).
    pub fn put(&mut self, name: &str, shape: &[usize], value: impl Fn(f32) -> f32) {
        let start = self.data.len();
        for _ in 0..shape.iter().product() {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = (self.state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            self.data.extend(value(uniform).to_le_bytes());
        }
        let end = self.data.len();
        self.header
            .push(format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}"));
    }

    pub fn matrix(&mut self, name: &str, rows: usize, columns: usize) {
        self.put(&format!("{name}.weight"), &[rows, columns], |u| u * 0.3);
    }

    pub fn linear(&mut self, name: &str, outputs: usize, inputs: usize) {
        self.matrix(name, outputs, inputs);
        self.put(&format!("{name}.bias"), &[outputs], |u| u * 0.1);
    }

    pub fn norm(&mut self, name: &str, width: usize) {
        self.put(&format!("{name}.weight"), &[width], |_| 1.0);
        self.put(&format!("{name}.bias"), &[width], |_| 0.0);
    }

    pub fn save(&self, path: &Path) {
        let mut header = format!("{{{}}}", self.header.join(","));
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(&self.data);
        std::fs::write(path, bytes).unwrap();
    }
}

/// Writes `score/model.safetensors` and `score/config.json` under `assets`.
pub fn write(assets: &Path) {
    let mut w = Weights::new(7);
    for (k, v) in VOCABULARY.into_iter().enumerate() {
        w.matrix(&format!("decoder.embed_tokens.{k}"), v + 1, WIDTH);
        w.matrix(&format!("lm_heads.{k}"), v, WIDTH);
    }
    let layer = "decoder.layers.0";
    for attention in ["self_attn", "encoder_attn"] {
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            w.matrix(&format!("{layer}.{attention}.{part}"), WIDTH, WIDTH);
        }
        w.norm(&format!("{layer}.{attention}_layer_norm"), WIDTH);
    }
    w.norm(&format!("{layer}.final_layer_norm"), WIDTH);
    w.matrix(&format!("{layer}.fc1"), FFN, WIDTH);
    w.matrix(&format!("{layer}.fc2"), WIDTH, FFN);
    w.norm("decoder.layer_norm", WIDTH);
    w.linear("conditions.text_proj", WIDTH, 384);
    w.linear("conditions.tempo", WIDTH, 16);
    w.linear("conditions.density", WIDTH, 16);
    w.linear("conditions.av.fc1", 128, 32);
    w.linear("conditions.av.fc2", 4 * WIDTH, 128);
    for (name, rows) in [("key", 24), ("meter", 5), ("instrument", 129), ("closing", 5), ("type", 8)] {
        w.matrix(&format!("conditions.{name}"), rows, WIDTH);
    }
    w.linear("prior.fc1", HIDDEN_WIDTH, INPUT_WIDTH);
    w.linear("prior.fc2", HIDDEN_WIDTH, HIDDEN_WIDTH);
    w.linear("prior.heads", OUTPUT_WIDTH, HIDDEN_WIDTH);

    std::fs::create_dir_all(assets.join("score")).unwrap();
    w.save(&assets.join("score/model.safetensors"));
    let following = serde_json::json!({
        "feeling": [[1.0, 0.0], [0.0, 1.0]], "guidance": 1.5, "guidance_shares": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    });
    let config = serde_json::json!({
        "name": "random",
        "licences": ["none: random numbers"],
        "decoder": {
            "vocab_sizes": VOCABULARY,
            "delays": [0, 1, 2, 3, 4, 5],
            "hidden_size": WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "ffn_dim": FFN,
            "max_window": 128,
        },
        "generation": {
            "following": following, "following_in_key": following, "attribute_guidance": 2.0,
            "temperature": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], "top_k": 0, "top_p": [0.95, 0.95, 0.95, 0.95, 0.95, 0.95],
            "prior_guidance": 1.5, "prior_temperature": [0.9, 0.9, 0.9, 0.9, 0.9],
            "pressure": {"neutral": 0.1, "full_at": 0.7}, "mode": {"clarity": 1.0, "open": 0.8, "spread": 0.5},
        },
    });
    std::fs::write(assets.join("score/config.json"), config.to_string()).unwrap();
}
