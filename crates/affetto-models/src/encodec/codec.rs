//! The weights, and whole sound to codes and back.

use std::sync::{Arc, OnceLock};

use affetto_engine::{Checkpoint, Precision};

use super::config::EncodecConfig;
use super::conv::{Conv, Upsample, elu};
use super::load::{Reader, Residual};
use super::lstm::{self, LstmLayer};
use super::stream::DecodeStream;
use crate::error::ModelError;

/// Frames that are worked on at once: few enough that what lies between layers stays in the cache.
const WINDOW: usize = 50;
/// The most codebooks that are read.
const MAX_BOOKS: usize = 64;

/// An EnCodec model. Its weights are f32, but for those [`load_with`](Encodec::load_with) says.
pub struct Encodec {
    pub(super) config: EncodecConfig,
    /// Read when sound is first encoded: most takes only decode.
    encoder: OnceLock<Side<Conv>>,
    checkpoint: Checkpoint,
    prefix: String,
    pub(super) decoder: Side<Upsample>,
    /// Codebooks, each `[codes, width]`.
    books: Vec<Vec<f32>>,
}

/// One way: the convolutions and the LSTM, with the strides between.
pub(super) struct Side<S> {
    pub first: Conv,
    pub lstm: Vec<LstmLayer>,
    strides: Vec<(Vec<Residual>, S)>,
    last: Conv,
}

impl Encodec {
    /// Reads the tensors `<prefix>encoder.…`, `<prefix>decoder.…` and `<prefix>quantizer.…`; in a MusicGen checkpoint the
    /// prefix is `audio_encoder.`. Weight norms may be stored either way, or be multiplied in already; residual units
    /// have a convolution on their shortcut where the checkpoint has one. The encoder's tensors are read when sound is
    /// first encoded.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(checkpoint: &Checkpoint, config: &EncodecConfig, prefix: &str) -> Result<Self, ModelError> {
        Self::load_with(checkpoint, config, prefix, Precision::F32)
    }

    /// As [`load`](Self::load), with what the decoder's LSTM reads of its weights for every frame, a third of the
    /// decoding time in f32, held in `recurrent`. Sound is encoded in f32 whatever it is.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(
        checkpoint: &Checkpoint,
        config: &EncodecConfig,
        prefix: &str,
        recurrent: Precision,
    ) -> Result<Self, ModelError> {
        let strides = config.upsampling_ratios.len();
        let widest = config.channels(strides);
        let mut read = Reader { checkpoint, config, side: format!("{prefix}decoder."), recurrent, layer: 0 };
        let first = read.layer(config.hidden_size, widest, config.kernel_size, 1)?;
        let memory = read.lstm(widest)?;
        let mut up = Vec::with_capacity(strides);
        for (i, &ratio) in config.upsampling_ratios.iter().enumerate() {
            let width = config.channels(strides - i - 1);
            read.skip();
            let spread = read.upsample(2 * width, width, ratio)?;
            up.push((read.residuals(width)?, spread));
        }
        read.skip();
        let last = read.layer(config.num_filters, 1, config.last_kernel_size, 1)?;
        let decoder = Side { first, lstm: memory, strides: up, last };

        let name = |k: usize| format!("{prefix}quantizer.layers.{k}.codebook.embed");
        let count = (0..MAX_BOOKS).take_while(|&k| checkpoint.contains(&name(k))).count().max(1);
        let shape = [config.codebook_size, config.hidden_size];
        let books =
            (0..count).map(|k| Ok(checkpoint.tensor_f32(&name(k), &shape)?)).collect::<Result<_, ModelError>>()?;
        Ok(Encodec {
            config: config.clone(),
            encoder: OnceLock::new(),
            checkpoint: checkpoint.clone(),
            prefix: prefix.to_owned(),
            decoder,
            books,
        })
    }

    /// The codec with its first `count` codebooks only: what a language model of fewer streams was trained on.
    ///
    /// # Errors
    /// [`ModelError::Config`] where it has fewer.
    pub fn with_codebooks(mut self, count: usize) -> Result<Encodec, ModelError> {
        if self.books.len() < count {
            return Err(ModelError::Config {
                key: "decoder.num_codebooks".into(),
                expected: format!("at most the codec's {}", self.books.len()),
                found: count.to_string(),
            });
        }
        self.books.truncate(count);
        Ok(self)
    }

    /// The encoder, read at the first call.
    fn encoder(&self) -> Result<&Side<Conv>, ModelError> {
        if let Some(encoder) = self.encoder.get() {
            return Ok(encoder);
        }
        let config = &self.config;
        let strides = config.upsampling_ratios.len();
        let widest = config.channels(strides);
        let side = format!("{}encoder.", self.prefix);
        let mut read = Reader { checkpoint: &self.checkpoint, config, side, recurrent: Precision::F32, layer: 0 };
        let first = read.layer(1, config.num_filters, config.kernel_size, 1)?;
        let mut down = Vec::with_capacity(strides);
        for (i, &ratio) in config.upsampling_ratios.iter().rev().enumerate() {
            let width = config.channels(i);
            let units = read.residuals(width)?;
            read.skip();
            down.push((units, read.layer(width, 2 * width, 2 * ratio, ratio)?));
        }
        let memory = read.lstm(widest)?;
        read.skip();
        let last = read.layer(widest, config.hidden_size, config.last_kernel_size, 1)?;
        let encoder = Side { first, lstm: memory, strides: down, last };
        Ok(self.encoder.get_or_init(|| encoder))
    }

    /// The sizes.
    pub fn config(&self) -> &EncodecConfig {
        &self.config
    }

    /// Codebooks, K.
    pub fn codebooks(&self) -> usize {
        self.books.len()
    }

    /// The codes `[frames, K]` of samples; a last frame that is not full is padded.
    ///
    /// # Errors
    /// When there are no samples, or one is not a number; at the first call, when a tensor of the encoder is missing or
    /// has another shape.
    pub fn encode(&self, samples: &[f32]) -> Result<Vec<u32>, ModelError> {
        if samples.is_empty() || samples.iter().any(|x| !x.is_finite()) {
            let found = format!("{} samples", samples.len());
            return Err(ModelError::Input {
                what: "sound to encode",
                expected: "finite samples, at least one".into(),
                found,
            });
        }
        let latents = self.latents(samples, WINDOW)?;
        Ok(latents.chunks_exact(self.config.hidden_size).flat_map(|x| self.nearest(x)).collect())
    }

    /// What the encoder makes of samples, `[frames, hidden_size]`, worked out `window` frames at once.
    fn latents(&self, samples: &[f32], window: usize) -> Result<Vec<f32>, ModelError> {
        let encoder = self.encoder()?;
        let (hop, reach) = (self.config.hop(), self.config.reach());
        let frames = samples.len().div_ceil(hop);
        let widest = encoder.last.inputs;
        let mut states = lstm::start(&encoder.lstm);
        let mut hidden = Vec::with_capacity(frames * widest);
        for start in (0..frames).step_by(window) {
            let end = start.saturating_add(window).min(frames);
            let from = start.saturating_sub(reach);
            let to = if end + reach >= frames { samples.len() } else { (end + reach) * hop };
            let narrow = encoder.narrow(&samples[from * hop..to]);
            let here = &narrow[(start - from) * widest..(end - from) * widest];
            hidden.extend(lstm::apply(&encoder.lstm, &mut states, here));
        }
        elu(&mut hidden);
        Ok(encoder.last.apply(&hidden))
    }

    /// What the LSTM gave to samples.
    pub(super) fn widen(&self, hidden: &[f32]) -> Vec<f32> {
        let mut x = hidden.to_vec();
        for (units, up) in &self.decoder.strides {
            elu(&mut x);
            x = up.apply(&x);
            units.iter().for_each(|unit| unit.apply(&mut x));
        }
        elu(&mut x);
        self.decoder.last.apply(&x)
    }

    /// Each codebook's code for what the ones before have left; the first of equals.
    fn nearest(&self, x: &[f32]) -> Vec<u32> {
        let mut rest = x.to_vec();
        let pick = |book: &Vec<f32>| {
            let distance = |code: &[f32]| code.iter().zip(&rest).map(|(c, r)| (r - c) * (r - c)).sum::<f32>();
            let mut best = (0, f32::INFINITY);
            for (i, code) in book.chunks_exact(rest.len()).enumerate() {
                let d = distance(code);
                if d < best.1 {
                    best = (i, d);
                }
            }
            let code = &book[best.0 * rest.len()..][..rest.len()];
            rest.iter_mut().zip(code).for_each(|(r, c)| *r -= c);
            best.0 as u32
        };
        self.books.iter().map(pick).collect()
    }

    /// The sums of the codebooks' vectors for codes `[frames, K]`.
    ///
    /// # Errors
    /// When they are not whole frames, or a code is too large.
    pub(super) fn embed(&self, codes: &[u32]) -> Result<Vec<f32>, ModelError> {
        let wrong =
            |expected: String, found: String| Err(ModelError::Input { what: "codes to decode", expected, found });
        if !codes.len().is_multiple_of(self.books.len()) {
            return wrong(format!("whole frames of {}", self.books.len()), format!("{} codes", codes.len()));
        }
        let (width, most) = (self.config.hidden_size, self.config.codebook_size);
        if let Some(code) = codes.iter().find(|&&code| code as usize >= most) {
            return wrong(format!("below {most}"), code.to_string());
        }
        let mut out = vec![0.0; codes.len() / self.books.len() * width];
        for (out, codes) in out.chunks_exact_mut(width).zip(codes.chunks_exact(self.books.len())) {
            for (book, &code) in self.books.iter().zip(codes) {
                out.iter_mut().zip(&book[code as usize * width..]).for_each(|(o, v)| *o += v);
            }
        }
        Ok(out)
    }

    /// The samples of codes `[frames, K]`: [`hop`](EncodecConfig::hop) for each frame.
    ///
    /// # Errors
    /// When they are not whole frames, or a code is too large.
    pub fn decode(self: &Arc<Self>, codes: &[u32]) -> Result<Vec<f32>, ModelError> {
        let mut stream = DecodeStream::new(self.clone());
        let mut samples = Vec::with_capacity(codes.len() / self.books.len() * self.config.hop());
        for part in codes.chunks(WINDOW * self.books.len()) {
            samples.extend(stream.push(part)?);
        }
        samples.extend(stream.finish()?);
        Ok(samples)
    }
}

impl Side<Conv> {
    /// Samples to what the LSTM reads.
    fn narrow(&self, samples: &[f32]) -> Vec<f32> {
        let mut x = self.first.apply(samples);
        for (units, down) in &self.strides {
            units.iter().for_each(|unit| unit.apply(&mut x));
            elu(&mut x);
            x = down.apply(&x);
        }
        x
    }
}

impl Residual {
    fn apply(&self, x: &mut Vec<f32>) {
        let mut inner = x.clone();
        elu(&mut inner);
        inner = self.spread.apply(&inner);
        elu(&mut inner);
        let inner = self.point.apply(&inner);
        if let Some(shortcut) = &self.shortcut {
            *x = shortcut.apply(x);
        }
        affetto_engine::activation::add(x, &inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sound_in_windows_is_that_of_one_piece() {
        for name in ["plain", "shortcut"] {
            let file = |end: &str| format!("{}/tests/goldens/encodec-{name}.{end}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read(file("json")).unwrap();
            let config = EncodecConfig::from_json(&serde_json::from_slice(&text).unwrap()).unwrap();
            let checkpoint = Checkpoint::open(file("safetensors")).unwrap();
            let codec = Encodec::load(&checkpoint, &config, "").unwrap();
            let samples = 230 * config.hop() + 3;
            let sound: Vec<f32> = (0..samples).map(|i| (i as f32 * 0.37).sin() * (i as f32 * 0.0021).cos()).collect();
            let whole = codec.latents(&sound, usize::MAX).unwrap();
            assert_eq!(whole.len(), 231 * config.hidden_size);
            for window in [1, 20, WINDOW] {
                let parts = codec.latents(&sound, window).unwrap();
                let off = parts.iter().zip(&whole).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
                assert!(parts.len() == whole.len() && off <= 1e-5, "{name}, {window} frames at once: {off}");
            }
        }
    }
}
