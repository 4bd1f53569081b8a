//! What a Hugging Face configuration says of a MusicGen model.

use serde_json::Value;

use crate::decoder::{Angles, DecoderConfig, Variant};
use crate::error::ModelError;
use crate::json::Part;
use crate::t5::{MAX_TOKENS, T5Config};

/// Seconds of music the networks were trained to see at once.
const WINDOW_SECONDS: usize = 30;

/// How a model hears a melody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChromaConfig {
    /// Numbers of one chroma frame, `num_chroma`: the pitch classes.
    pub bins: usize,
    /// Frames of the prefix, `chroma_length`; a shorter melody is repeated.
    pub length: usize,
}

/// The sizes of a MusicGen model.
#[derive(Debug, Clone, PartialEq)]
pub struct MusicGenConfig {
    /// The language model. Its window is 30 s and the longest delay.
    pub decoder: DecoderConfig,
    /// The text encoder.
    pub text: T5Config,
    /// The melody prefix, in models of the type `musicgen_melody`.
    pub chroma: Option<ChromaConfig>,
    /// Channels: 2 for stereo, whose codebooks are 1 left, 1 right, 2 left and so on.
    pub channels: usize,
    /// Samples a second of what the codes are decoded to.
    pub sampling_rate: u32,
    /// Rows of codes a second: 50 in all published models.
    pub frame_rate: usize,
}

impl MusicGenConfig {
    /// Reads a `config.json` of the type `musicgen` or `musicgen_melody`; keys that are absent have transformers'
    /// defaults.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the first key that contradicts another or is not supported.
    pub fn from_json(value: &Value) -> Result<Self, ModelError> {
        let whole = Part::new(value, "")?;
        let kind = whole.word("model_type", "nothing")?;
        let melody = match kind {
            "musicgen" => false,
            "musicgen_melody" => true,
            _ => return Err(whole.wrong("model_type", "\"musicgen\" or \"musicgen_melody\"", &kind.into())),
        };
        if whole.flag("tie_encoder_decoder", false)? {
            return Err(whole.wrong("tie_encoder_decoder", "false", &true.into()));
        }
        let text = T5Config::read(whole.part("text_encoder")?)?;
        let chroma = if melody {
            let (bins, length) = (whole.size("num_chroma", 12, 1024)?, whole.size("chroma_length", 235, 8192)?);
            if bins != 12 {
                return Err(whole.wrong("num_chroma", "12, one for each pitch class", &bins.into()));
            }
            Some(ChromaConfig { bins, length })
        } else {
            None
        };

        let audio = whole.part("audio_encoder")?;
        let codec = audio.word("model_type", "encodec")?;
        if codec != "encodec" {
            return Err(audio.wrong("model_type", "\"encodec\"", &codec.into()));
        }
        let sampling_rate = audio.size("sampling_rate", 24_000, 1 << 20)?;
        let hop = hop(audio)?;
        let frame_rate = sampling_rate.div_ceil(hop);

        let part = whole.part("decoder")?;
        unsupported(part)?;
        let vocab = part.size("vocab_size", 2048, 65_536)?;
        for key in ["pad_token_id", "bos_token_id"] {
            if let Some(id) = part.get(key).filter(|id| id.as_u64().is_none_or(|id| id < vocab as u64)) {
                return Err(part.wrong(key, format!("{vocab}, the vocabulary's size"), id));
            }
        }
        let codebook = audio.size("codebook_size", 1024, 65_536)?;
        if vocab > codebook {
            let expected = format!("at most {codebook}, the audio encoder's codebook_size");
            return Err(part.wrong("vocab_size", expected, &vocab.into()));
        }
        let streams = part.size("num_codebooks", 4, 64)?;
        let channels = part.size("audio_channels", 1, 2)?;
        if !streams.is_multiple_of(channels) {
            return Err(part.wrong("num_codebooks", "an even number for two channels", &streams.into()));
        }
        let delays: Vec<usize> = (0..streams).map(|k| k / channels).collect();
        let reach = streams / channels - 1;
        // The network reads one step for each row and delay; the last answer needs none after it.
        let window = WINDOW_SECONDS * frame_rate + reach;
        let positions = part.size("max_position_embeddings", 2048, 1 << 24)?;
        if positions < 2 * (reach + 2) {
            let expected = format!("at least {}", 2 * (reach + 2));
            return Err(part.wrong("max_position_embeddings", expected, &positions.into()));
        }
        let decoder = DecoderConfig {
            vocab_sizes: vec![vocab; streams],
            delays,
            hidden_size: part.size("hidden_size", 1024, 16_384)?,
            num_hidden_layers: part.size("num_hidden_layers", 24, 256)?,
            num_attention_heads: part.size("num_attention_heads", 16, 256)?,
            ffn_dim: part.size("ffn_dim", 4096, 65_536)?,
            max_window: window.min(positions).min(16_384),
        };
        if !decoder.hidden_size.is_multiple_of(decoder.num_attention_heads) {
            let expected = format!("a multiple of {} heads", decoder.num_attention_heads);
            return Err(part.wrong("hidden_size", expected, &decoder.hidden_size.into()));
        }
        decoder.check()?;
        let sampling_rate = sampling_rate as u32;
        Ok(MusicGenConfig { decoder, text, chroma, channels, sampling_rate, frame_rate })
    }

    /// In what the decoder differs from the score family's.
    pub fn variant(&self) -> Variant {
        let max_prefix = self.chroma.map_or(0, |chroma| chroma.length + MAX_TOKENS);
        Variant { cross_attention: self.chroma.is_none(), max_prefix, angles: Angles::Single }
    }

    /// Rows of codes for so many seconds, rounded to the nearest.
    pub fn frames(&self, seconds: f64) -> usize {
        (seconds.max(0.0) * self.frame_rate as f64).round() as usize
    }

    /// Codebooks of one channel.
    pub fn codebooks(&self) -> usize {
        self.decoder.streams() / self.channels
    }

    /// Rows of one window: 30 s, or fewer where the network has fewer positions.
    pub fn window_rows(&self) -> usize {
        self.decoder.max_window - (self.codebooks() - 1)
    }

    /// Rows by which a window begins after the one before: 18 s of 30.
    pub fn stride_rows(&self) -> usize {
        (self.window_rows() * 3 / 5).max(1)
    }
}

/// Samples of one row of codes: the product of the strides.
fn hop(audio: Part) -> Result<usize, ModelError> {
    const KEY: &str = "upsampling_ratios";
    let Some(ratios) = audio.get(KEY) else { return Ok(8 * 5 * 4 * 2) };
    let wrong = || audio.wrong(KEY, "a list of whole numbers, at most 2^20 multiplied", ratios);
    let list = ratios.as_array().ok_or_else(wrong)?;
    list.iter().try_fold(1usize, |product, ratio| {
        let ratio = ratio.as_u64().and_then(|r| usize::try_from(r).ok()).filter(|&r| r > 0).ok_or_else(wrong)?;
        product.checked_mul(ratio).filter(|&p| p <= 1 << 20).ok_or_else(wrong)
    })
}

/// Refuses what no published model has and the decoder does not do.
fn unsupported(part: Part) -> Result<(), ModelError> {
    let activation = part.word("activation_function", "gelu")?;
    if activation != "gelu" {
        return Err(part.wrong("activation_function", "\"gelu\"", &activation.into()));
    }
    for key in ["scale_embedding", "tie_word_embeddings"] {
        if part.flag(key, false)? {
            return Err(part.wrong(key, "false", &true.into()));
        }
    }
    match part.get("cross_attention_hidden_size") {
        Some(size) => Err(part.wrong("cross_attention_hidden_size", "nothing", size)),
        None => Ok(()),
    }
}
