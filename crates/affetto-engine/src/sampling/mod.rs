//! From logits to a token: guidance, mask, temperature, top-k, top-p, draw.

mod random;

pub use random::CounterRng;

use crate::error::EngineError;
use crate::kernels::elementwise::exp;

/// How the tokens of one stream are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamSampling {
    /// Logits are divided by it; above 0. Towards 0 the likeliest token wins.
    pub temperature: f32,
    /// Only the `top_k` likeliest tokens are kept; 0 keeps all, 1 takes the likeliest (the lowest id among equals).
    pub top_k: usize,
    /// Of what is left, the fewest likeliest tokens whose probability reaches `top_p` are kept; 1 keeps all.
    pub top_p: f32,
}

impl Default for StreamSampling {
    /// MusicGen's: temperature 1, top-k 250, no top-p.
    fn default() -> Self {
        StreamSampling { temperature: 1.0, top_k: 250, top_p: 1.0 }
    }
}

impl StreamSampling {
    /// Always the likeliest token.
    pub fn greedy() -> Self {
        StreamSampling { temperature: 1.0, top_k: 1, top_p: 1.0 }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// When the temperature is not above 0 or top-p not in (0, 1].
    pub fn check(&self) -> Result<(), EngineError> {
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(EngineError::Invalid {
                what: "temperature",
                reason: format!("{}, expected above 0 (top-k 1 takes the likeliest)", self.temperature),
            });
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(EngineError::Invalid {
                what: "top-p",
                reason: format!("{}, expected above 0 and at most 1", self.top_p),
            });
        }
        Ok(())
    }
}

/// Classifier-free guidance: `conditional ← u + scale·(c - u)`; a scale of 1 leaves it as it is.
///
/// # Panics
/// When the lengths differ.
pub fn guide(conditional: &mut [f32], unconditional: &[f32], scale: f32) {
    assert_eq!(conditional.len(), unconditional.len());
    if scale == 1.0 {
        return;
    }
    for (c, &u) in conditional.iter_mut().zip(unconditional) {
        *c = u + scale * (*c - u);
    }
}

/// Draws tokens; keeps its scratch space between calls.
#[derive(Debug, Clone, Default)]
pub struct Sampler {
    kept: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler.
    pub fn new() -> Self {
        Sampler::default()
    }

    /// Picks one token. `allowed` (as long as `logits`, or empty for no mask) marks the tokens that may be picked;
    /// `uniform` is a number in [0, 1), the only source of chance; `stream` is for messages. The sums run in f64 over
    /// tokens in a fixed order, with an exponential of our own: the same input gives the same token on every machine.
    ///
    /// # Errors
    /// [`EngineError::NothingToPick`] when no allowed token has a logit above -∞, or an allowed logit is not a number
    /// or +∞; other errors when the settings or the mask's length are wrong.
    pub fn pick(
        &mut self,
        stream: usize,
        logits: &[f32],
        allowed: &[bool],
        settings: &StreamSampling,
        uniform: f64,
    ) -> Result<u32, EngineError> {
        settings.check()?;
        if !allowed.is_empty() {
            crate::error::expect_size("a mask over tokens", logits.len(), allowed.len())?;
        }
        let nothing = |reason| EngineError::NothingToPick { stream, reason };
        self.kept.clear();
        for (id, &logit) in logits.iter().enumerate() {
            if !allowed.get(id).copied().unwrap_or(true) || logit == f32::NEG_INFINITY {
                continue;
            }
            if !logit.is_finite() {
                return Err(nothing("a logit is not a finite number"));
            }
            self.kept.push((id as u32, logit));
        }
        let kept = &mut self.kept;
        if kept.is_empty() {
            return Err(nothing("the mask allows no token"));
        }
        // The likeliest first, the lowest id first among equals.
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if settings.top_k == 1 {
            return kept.iter().min_by(|a, b| order(a, b)).map(|t| t.0).ok_or_else(|| nothing("none"));
        }
        if settings.top_k > 0 && settings.top_k < kept.len() {
            kept.select_nth_unstable_by(settings.top_k - 1, order);
            kept.truncate(settings.top_k);
        }
        let sorted = settings.top_p < 1.0;
        if sorted {
            kept.sort_unstable_by(order);
        } else {
            kept.sort_unstable_by_key(|t| t.0);
        }
        let top = kept.iter().fold(f32::NEG_INFINITY, |a, t| a.max(t.1));
        for t in kept.iter_mut() {
            t.1 = exp((t.1 - top) / settings.temperature);
        }
        let mut total: f64 = kept.iter().map(|t| f64::from(t.1)).sum();
        if sorted {
            let enough = total * f64::from(settings.top_p);
            let mut sum = 0.0;
            let count = kept.iter().position(|t| {
                sum += f64::from(t.1);
                sum >= enough
            });
            if let Some(last) = count {
                kept.truncate(last + 1);
                total = sum;
            }
        }
        let mut left = uniform.clamp(0.0, 1.0) * total;
        let mut last = None;
        for &(id, p) in kept.iter().filter(|t| t.1 > 0.0) {
            last = Some(id);
            left -= f64::from(p);
            if left < 0.0 {
                break;
            }
        }
        last.ok_or_else(|| nothing("all probabilities are zero"))
    }
}

#[cfg(test)]
mod tests;
