//! The sizes of a decoder.

use affetto_engine::DelayPattern;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// The sizes of a decoder, as stored in a checkpoint's metadata or a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecoderConfig {
    /// Tokens of each of the K streams, without the special token, whose id is this number.
    pub vocab_sizes: Vec<usize>,
    /// How many rows each stream is late.
    pub delays: Vec<usize>,
    /// Width of the hidden states, d.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads, of d / heads numbers each.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layers.
    pub ffn_dim: usize,
    /// Steps (the leading all-special one included) the network sees at most; generation beyond slides the window.
    pub max_window: usize,
}

/// In what a family's decoder differs from the score family's, for [`DecoderLm::load_variant`](super::DecoderLm).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Whether the layers have cross-attention. Without it all conditions are prefix rows.
    pub cross_attention: bool,
    /// Rows of a prefix at most; they come before the codes and take positions of their own.
    pub max_prefix: usize,
    /// How the angles of the sinusoidal positions are computed.
    pub angles: Angles,
}

impl Default for Variant {
    /// Cross-attention, no prefix, exact angles: the score family.
    fn default() -> Self {
        Variant { cross_attention: true, max_prefix: 0, angles: Angles::Exact }
    }
}

/// How the angles of the sinusoidal positions are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Angles {
    /// In f64.
    Exact,
    /// Frequencies and products rounded to f32 as PyTorch does: at position 1500 the angles are off by up to 1e-4,
    /// which MusicGen's networks have seen.
    Single,
}

/// The longest prefix that is accepted.
const MOST_PREFIX: usize = 1 << 16;

impl Variant {
    pub(super) fn check(&self) -> Result<(), ModelError> {
        if self.max_prefix > MOST_PREFIX {
            let (expected, found) = (format!("at most {MOST_PREFIX}"), self.max_prefix.to_string());
            return Err(ModelError::Input { what: "rows of a prefix", expected, found });
        }
        Ok(())
    }
}

/// Bounds on configurations from outside, wide enough for MusicGen-large.
const MOST: [(&str, usize); 6] = [
    ("hidden_size", 16_384),
    ("num_hidden_layers", 256),
    ("num_attention_heads", 256),
    ("ffn_dim", 65_536),
    ("max_window", 16_384),
    ("vocab_sizes", 65_536),
];

impl DecoderConfig {
    /// Number of streams, K.
    pub fn streams(&self) -> usize {
        self.vocab_sizes.len()
    }

    /// Each stream's special token: its vocabulary's size.
    pub fn special(&self) -> Vec<u32> {
        self.vocab_sizes.iter().map(|&v| v as u32).collect()
    }

    /// The delay pattern.
    pub fn pattern(&self) -> Result<DelayPattern, ModelError> {
        Ok(DelayPattern::new(self.delays.clone())?)
    }

    /// Weights without biases and norms, a measure of the work of one step.
    pub fn parameters(&self) -> usize {
        let d = self.hidden_size;
        let vocabulary: usize = self.vocab_sizes.iter().sum();
        self.num_hidden_layers * (8 * d * d + 2 * d * self.ffn_dim) + (2 * vocabulary + self.streams()) * d
    }

    /// Checks that the sizes fit each other and lie within sane bounds.
    ///
    /// # Errors
    /// [`ModelError::Input`] naming the first field that does not.
    pub fn check(&self) -> Result<(), ModelError> {
        let bad = |what, expected: String, found: String| Err(ModelError::Input { what, expected, found });
        let sizes = [
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.ffn_dim,
            self.max_window,
            self.vocab_sizes.iter().copied().max().unwrap_or(0),
        ];
        for ((what, most), found) in MOST.into_iter().zip(sizes) {
            if found == 0 || found > most {
                return bad(what, format!("1 to {most}"), found.to_string());
            }
        }
        if self.vocab_sizes.contains(&0) || self.streams() > 64 {
            return bad("vocab_sizes", "1 to 64 sizes above 0".into(), format!("{:?}", self.vocab_sizes));
        }
        if self.delays.len() != self.streams() {
            return bad("delays", format!("{} numbers", self.streams()), format!("{:?}", self.delays));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) || self.hidden_size < 2 {
            return bad(
                "hidden_size",
                format!("a multiple of {} heads, at least 2", self.num_attention_heads),
                self.hidden_size.to_string(),
            );
        }
        let reach = self.pattern()?.max_delay();
        if self.max_window < 2 * (reach + 2) {
            return bad("max_window", format!("at least {}", 2 * (reach + 2)), self.max_window.to_string());
        }
        Ok(())
    }
}
