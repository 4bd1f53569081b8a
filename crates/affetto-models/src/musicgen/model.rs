//! The weights: decoder and projections.

use std::sync::Arc;

use affetto_engine::attention::CachePrecision;
use affetto_engine::{Checkpoint, Linear, Precision};

use super::av::AvEncoder;
use super::config::MusicGenConfig;
use crate::decoder::{DecoderLm, Prefix};
use crate::error::ModelError;

/// A MusicGen model without its text encoder and codec.
pub struct MusicGen {
    config: MusicGenConfig,
    lm: Arc<DecoderLm>,
    av: Option<Arc<AvEncoder>>,
    text: Option<Linear>,
    chroma: Option<Arc<ChromaProjection>>,
}

/// Chroma frames to rows of the prefix.
pub(super) struct ChromaProjection {
    /// None where there are as many bins as the decoder is wide.
    linear: Option<Linear>,
    bins: usize,
    length: usize,
    /// The row of the null melody, whose frames are all one at bin 0.
    null: Vec<f32>,
}

impl ChromaProjection {
    fn load(checkpoint: &Checkpoint, config: &MusicGenConfig) -> Result<Option<Arc<Self>>, ModelError> {
        let Some(chroma) = config.chroma else { return Ok(None) };
        let d = config.decoder.hidden_size;
        let linear = projection(checkpoint, "audio_enc_to_dec_proj", d, chroma.bins)?;
        let mut made = ChromaProjection { linear, bins: chroma.bins, length: chroma.length, null: Vec::new() };
        let mut silent = vec![0.0; chroma.bins];
        silent[0] = 1.0;
        made.null = made.project(&silent);
        Ok(Some(Arc::new(made)))
    }

    fn project(&self, chroma: &[f32]) -> Vec<f32> {
        match &self.linear {
            Some(linear) => linear.forward(chroma, chroma.len() / self.bins),
            None => chroma.to_vec(),
        }
    }

    /// Checks that a melody is whole frames of numbers.
    pub(super) fn check(&self, chroma: &[f32]) -> Result<(), ModelError> {
        if chroma.is_empty() || !chroma.len().is_multiple_of(self.bins) || chroma.iter().any(|v| !v.is_finite()) {
            return Err(ModelError::Input {
                what: "the melody's chroma",
                expected: format!("whole frames of {} finite numbers, at least one", self.bins),
                found: format!("{} numbers", chroma.len()),
            });
        }
        Ok(())
    }

    /// The prefix of a window: `length` frames of the melody from `offset` on, again and again, then the text's rows.
    /// The other branch has the null melody and zeros.
    pub(super) fn prefix(&self, chroma: Option<&[f32]>, offset: usize, text: &[f32]) -> Prefix {
        let null = self.null.repeat(self.length);
        let mut given = match chroma {
            Some(chroma) => {
                let frames = chroma.len() / self.bins;
                let picked: Vec<f32> = (0..self.length)
                    .flat_map(|i| &chroma[(offset + i) % frames * self.bins..][..self.bins])
                    .copied()
                    .collect();
                self.project(&picked)
            }
            None => null.clone(),
        };
        given.extend_from_slice(text);
        let mut null = null;
        null.resize(given.len(), 0.0);
        Prefix { given, null }
    }
}

/// A projection with bias; transformers has none where the sizes are equal.
fn projection(
    checkpoint: &Checkpoint,
    name: &str,
    outputs: usize,
    inputs: usize,
) -> Result<Option<Linear>, ModelError> {
    if outputs == inputs {
        return Ok(None);
    }
    Ok(Some(Linear::load(checkpoint, name, outputs, inputs, true, Precision::F32)?))
}

impl MusicGen {
    /// Reads the decoder (`decoder.…`) in `precision` and the projections `enc_to_dec_proj` and
    /// `audio_enc_to_dec_proj` in f32, by Hugging Face's names.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(checkpoint: &Checkpoint, config: &MusicGenConfig, precision: Precision) -> Result<Self, ModelError> {
        Self::load_with(checkpoint, config, precision, None)
    }

    /// As [`load`](Self::load), the keys and values of what it has read held as `cache` says; see
    /// [`DecoderLm::with_cache`].
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(
        checkpoint: &Checkpoint,
        config: &MusicGenConfig,
        precision: Precision,
        cache: Option<CachePrecision>,
    ) -> Result<Self, ModelError> {
        let mut lm =
            DecoderLm::load_variant(checkpoint, &config.decoder, config.variant(), precision, "decoder.model.")?;
        if let Some(cache) = cache {
            lm = lm.with_cache(cache);
        }
        let d = config.decoder.hidden_size;
        Ok(MusicGen {
            lm: Arc::new(lm),
            av: None,
            text: projection(checkpoint, "enc_to_dec_proj", d, config.text.d_model)?,
            chroma: ChromaProjection::load(checkpoint, config)?,
            config: config.clone(),
        })
    }

    /// The model with what tells it feelings.
    ///
    /// # Errors
    /// When the model has no cross-attention, or is of another width.
    pub fn with_av_encoder(mut self, av: Arc<AvEncoder>) -> Result<Self, ModelError> {
        let d = self.config.decoder.hidden_size;
        if !self.config.variant().cross_attention {
            return Err(ModelError::Input {
                what: "an AV encoder",
                expected: "a model of the type musicgen".into(),
                found: "one of the type musicgen_melody, which has no cross-attention; use a text model".into(),
            });
        }
        if av.width() != d {
            let found = av.width().to_string();
            return Err(ModelError::Input { what: "width of the AV encoder", expected: d.to_string(), found });
        }
        self.av = Some(av);
        Ok(self)
    }

    /// The sizes.
    pub fn config(&self) -> &MusicGenConfig {
        &self.config
    }

    /// The language model.
    pub fn lm(&self) -> &DecoderLm {
        &self.lm
    }

    /// The language model, to be shared.
    pub fn shared_lm(&self) -> Arc<DecoderLm> {
        self.lm.clone()
    }

    /// What tells it feelings, where there is one.
    pub fn av_encoder(&self) -> Option<&Arc<AvEncoder>> {
        self.av.as_ref()
    }

    /// The text encoder's states `[n, d_model]` as condition tokens `[n, d]`.
    ///
    /// # Errors
    /// When the states are not whole rows.
    pub fn text_tokens(&self, states: &[f32]) -> Result<Vec<f32>, ModelError> {
        let width = self.config.text.d_model;
        if !states.len().is_multiple_of(width) {
            let found = format!("{} numbers", states.len());
            return Err(ModelError::Input { what: "states of the text", expected: format!("rows of {width}"), found });
        }
        Ok(match &self.text {
            Some(linear) => linear.forward(states, states.len() / width),
            None => states.to_vec(),
        })
    }

    /// The prefix of both branches: `chroma` `[frames, bins]` (none for the null melody), repeated or cut to the
    /// model's length, and the text's tokens `[n, d]`.
    ///
    /// # Errors
    /// When the model reads no melody, or the sizes do not fit.
    pub fn melody_prefix(&self, chroma: Option<&[f32]>, text_tokens: &[f32]) -> Result<Prefix, ModelError> {
        let projection = self.melody()?;
        chroma.map_or(Ok(()), |chroma| projection.check(chroma))?;
        let d = self.config.decoder.hidden_size;
        if !text_tokens.len().is_multiple_of(d) {
            let found = format!("{} numbers", text_tokens.len());
            return Err(ModelError::Input { what: "tokens of the text", expected: format!("rows of {d}"), found });
        }
        Ok(projection.prefix(chroma, 0, text_tokens))
    }

    /// What a melody goes through.
    pub(super) fn melody(&self) -> Result<&Arc<ChromaProjection>, ModelError> {
        self.chroma.as_ref().ok_or_else(|| ModelError::Input {
            what: "a melody",
            expected: "a model of the type musicgen_melody".into(),
            found: "one of the type musicgen; use a melody model or leave the melody out".into(),
        })
    }
}
