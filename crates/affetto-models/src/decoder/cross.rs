//! Keys and values of condition tokens.

use affetto_engine::attention::KvCache;

use super::lm::DecoderLm;
use crate::error::ModelError;

/// What the cross-attention of every layer looks at: the keys and values of the condition tokens that are present.
pub struct CrossCache {
    pub(super) layers: Vec<KvCache>,
    len: usize,
}

impl CrossCache {
    /// Condition tokens that are present.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is: then cross-attention contributes exactly zero and is skipped.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The most condition tokens that are taken.
const MAX_CONDITIONS: usize = 4096;

impl DecoderLm {
    /// Computes the keys and values of the condition tokens `[C, d]`; those not `present` (C marks, or none for all
    /// present) are left out, which is what masking them does.
    ///
    /// # Errors
    /// When the sizes do not fit, or the decoder has no cross-attention.
    pub fn cross(&self, tokens: &[f32], present: &[bool]) -> Result<CrossCache, ModelError> {
        let config = &self.config;
        let d = config.hidden_size;
        let count = tokens.len() / d;
        let wrong =
            |what, expected: String, found: usize| ModelError::Input { what, expected, found: found.to_string() };
        if !tokens.len().is_multiple_of(d) || count > MAX_CONDITIONS {
            return Err(wrong("condition tokens", format!("up to {MAX_CONDITIONS} times {d}"), tokens.len()));
        }
        if !present.is_empty() && present.len() != count {
            return Err(wrong("marks of present condition tokens", format!("{count}"), present.len()));
        }
        if !self.variant.cross_attention && count > 0 {
            return Err(wrong("condition tokens", "none: this decoder reads its conditions as a prefix".into(), count));
        }
        let here: Vec<f32> = tokens
            .chunks_exact(d)
            .enumerate()
            .filter(|(i, _)| present.get(*i).copied().unwrap_or(true))
            .flat_map(|(_, token)| token)
            .copied()
            .collect();
        let len = here.len() / d;
        let heads = config.num_attention_heads;
        let mut both = vec![0.0; len * 2 * d];
        let layers = self
            .layers
            .iter()
            .map(|layer| {
                let mut cache = KvCache::new(heads, d / heads, len);
                if let Some(cross) = layer.cross.as_ref().filter(|_| len > 0) {
                    cross.kv.apply(&here, len, &mut both);
                    cache.push(&both, &both[d..], 2 * d, len);
                }
                cache
            })
            .collect();
        Ok(CrossCache { layers, len })
    }
}
