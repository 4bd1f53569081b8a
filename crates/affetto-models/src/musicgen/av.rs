//! The AV encoder of LARA-Gen (Mei et al. 2025, arXiv:2510.05875): a feeling as tokens beside the words.
//!
//! A multilayer perceptron makes k tokens as wide as the decoder from (arousal, valence); they follow the text's tokens
//! in the cross-attention sequence, and the other branch of guidance has none.

use std::path::Path;

use affetto_engine::{Checkpoint, Linear, Precision, activation};

use crate::error::ModelError;
use crate::folder::bad;

/// The file in a model's folder.
pub const AV_ENCODER_FILE: &str = "av_encoder.safetensors";
/// The most tokens a feeling may have.
const MAX_TOKENS: usize = 256;
/// Metadata: what stands between the layers.
pub const ACTIVATION_KEY: &str = "activation";
/// Metadata: which of the two inputs comes first.
pub const INPUTS_KEY: &str = "inputs";
/// Metadata: the range of the inputs.
pub const SCALE_KEY: &str = "scale";

/// What stands between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activation {
    Gelu,
    Relu,
    Silu,
    Tanh,
}

impl Activation {
    fn apply(self, x: &mut [f32]) {
        match self {
            Activation::Gelu => activation::gelu(x),
            Activation::Relu => x.iter_mut().for_each(|v| *v = v.max(0.0)),
            Activation::Silu => x.iter_mut().for_each(|v| *v /= 1.0 + (-*v).exp()),
            Activation::Tanh => x.iter_mut().for_each(|v| *v = v.tanh()),
        }
    }
}

/// Turns a feeling into tokens for the decoder's cross-attention.
pub struct AvEncoder {
    layers: Vec<Linear>,
    activation: Activation,
    valence_first: bool,
    /// Whether it was trained on the questionnaires' 1 to 9 and not on -1 to 1.
    one_to_nine: bool,
    width: usize,
}

impl AvEncoder {
    /// Reads a file for a decoder `width` wide.
    ///
    /// The file has linear layers and nothing else: matrices `NAME.weight` `[out, in]`, each with its `NAME.bias`
    /// `[out]` or none, that follow each other by their names (numbers in names count as numbers): from 2 inputs
    /// to k · `width` outputs. So `fc1`, `fc2` as `affetto train lara` writes them and torch's `0`, `2` or `net.0`,
    /// `net.2` are read alike. Its metadata may say `activation` (gelu, relu, silu, tanh; gelu without it), `inputs`
    /// (`arousal,valence` as published, also without it, or `valence,arousal`) and `scale` (`-1..1`, which is the
    /// published (x − 5)/4, or `1..9`).
    ///
    /// # Errors
    /// [`ModelError::Engine`] for a file that is not safetensors, [`ModelError::Folder`] for any other layout; it
    /// lists the tensors found.
    pub fn open(path: &Path, width: usize) -> Result<Self, ModelError> {
        AvEncoder::load(&Checkpoint::open(path)?, path, width)
    }

    /// As [`open`](Self::open), from a file that is read already; `path` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn load(file: &Checkpoint, path: &Path, width: usize) -> Result<Self, ModelError> {
        let activation = match file.metadata(ACTIVATION_KEY).unwrap_or("gelu") {
            "gelu" => Activation::Gelu,
            "relu" => Activation::Relu,
            "silu" => Activation::Silu,
            "tanh" => Activation::Tanh,
            other => return Err(bad(path, format!("activation {other:?}, expected gelu, relu, silu or tanh"))),
        };
        let valence_first = match file.metadata(INPUTS_KEY).unwrap_or("arousal,valence") {
            "arousal,valence" => false,
            "valence,arousal" => true,
            other => return Err(bad(path, format!("inputs {other:?}, expected arousal,valence or valence,arousal"))),
        };
        let one_to_nine = match file.metadata(SCALE_KEY).unwrap_or("-1..1") {
            "-1..1" => false,
            "1..9" => true,
            other => return Err(bad(path, format!("scale {other:?}, expected -1..1 or 1..9"))),
        };
        let mut names: Vec<&str> = file.names();
        names.sort_by_key(|name| numbered(name));
        let mut layers: Vec<Linear> = Vec::new();
        let mut used = 0;
        let mut inputs = 2;
        for layer in names.iter().filter_map(|name| name.strip_suffix(".weight")) {
            let &[outputs, ins] = file.shape(&format!("{layer}.weight"))? else {
                return Err(foreign(file, path, width));
            };
            if ins != inputs || outputs == 0 {
                return Err(foreign(file, path, width));
            }
            let bias = file.contains(&format!("{layer}.bias"));
            layers.push(Linear::load(file, layer, outputs, ins, bias, Precision::F32)?);
            used += 1 + usize::from(bias);
            inputs = outputs;
        }
        let tokens = inputs / width;
        let whole = inputs.is_multiple_of(width) && (1..=MAX_TOKENS).contains(&tokens);
        if layers.is_empty() || used != names.len() || !whole {
            return Err(foreign(file, path, width));
        }
        let encoder = AvEncoder { layers, activation, valence_first, one_to_nine, width };
        if encoder.encode(0.5, -0.5).iter().any(|x| !x.is_finite()) {
            return Err(bad(path, "numbers that are not finite in it; copy the file again"));
        }
        Ok(encoder)
    }

    /// Width of a token: the decoder's.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Tokens of a feeling, k.
    pub fn tokens(&self) -> usize {
        self.layers.last().map_or(0, Linear::outputs) / self.width
    }

    /// The tokens `[k, width]` of a feeling, both numbers from -1 to 1.
    pub fn encode(&self, valence: f32, arousal: f32) -> Vec<f32> {
        let scaled = |x: f32| if self.one_to_nine { 4.0 * x + 5.0 } else { x };
        let (valence, arousal) = (scaled(valence), scaled(arousal));
        let mut x = if self.valence_first { vec![valence, arousal] } else { vec![arousal, valence] };
        for (i, layer) in self.layers.iter().enumerate() {
            if i > 0 {
                self.activation.apply(&mut x);
            }
            x = layer.forward(&x, 1);
        }
        x
    }
}

/// A name by which numbers sort as numbers.
fn numbered(name: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for c in name.chars().chain([' ']) {
        if c.is_ascii_digit() {
            digits.push(c);
        } else {
            if !digits.is_empty() {
                out.push_str(&format!("{digits:0>12}"));
                digits.clear();
            }
            out.push(c);
        }
    }
    out
}

/// What to say of a file of another layout.
fn foreign(file: &Checkpoint, path: &Path, width: usize) -> ModelError {
    const SHOWN: usize = 16;
    let mut names = file.names();
    names.sort_by_key(|name| numbered(name));
    let shape = |name: &&str| format!("{name} {:?}", file.shape(name).unwrap_or_default());
    let mut list: Vec<String> = names.iter().take(SHOWN).map(shape).collect();
    if names.len() > SHOWN {
        list.push(format!("and {} more", names.len() - SHOWN));
    }
    bad(
        path,
        format!(
            "not an AV encoder of this model: expected linear layers alone, NAME.weight [out, in] with NAME.bias [out], \
             from 2 inputs to a multiple of {width} outputs (at most {MAX_TOKENS} tokens); found {}",
            list.join(", ")
        ),
    )
}
