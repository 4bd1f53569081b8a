//! What a Hugging Face configuration says of an EnCodec model.

use serde_json::Value;

use crate::error::ModelError;
use crate::json::Part;

/// The most samples in a frame.
const MAX_HOP: usize = 16_384;
/// The most steps that a residual unit's kernel may span, its gaps included.
const MAX_SPREAD: usize = 2048;

/// The sizes of an EnCodec model, with the names and defaults of its published configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodecConfig {
    /// Samples a second.
    pub sampling_rate: u32,
    /// Channels of the outermost convolutions; each stride doubles them.
    pub num_filters: usize,
    /// Channels between encoder and decoder: the width of a code.
    pub hidden_size: usize,
    /// Codes of a codebook.
    pub codebook_size: usize,
    /// Strides, in the decoder's order.
    pub upsampling_ratios: Vec<usize>,
    /// Kernel of the first convolution of either side.
    pub kernel_size: usize,
    /// Kernel of the last.
    pub last_kernel_size: usize,
    /// Kernel of the residual units.
    pub residual_kernel_size: usize,
    /// Residual units at each stride.
    pub num_residual_layers: usize,
    /// How much wider each unit's kernel is spread than the one's before.
    pub dilation_growth_rate: usize,
    /// How many times fewer channels a residual unit has inside.
    pub compress: usize,
    /// Layers of the LSTM.
    pub num_lstm_layers: usize,
    /// Whether `pad_mode` is `reflect`, as in the published model; zeros are put before and behind sound if it is
    /// `constant`, audiocraft's default.
    pub reflect: bool,
}

impl EncodecConfig {
    /// Reads a configuration with `model_type` `encodec`; keys that are absent have transformers' defaults.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the first key that is not supported.
    pub fn from_json(value: &Value) -> Result<Self, ModelError> {
        let part = Part::new(value, "audio_encoder")?;
        let kind = part.word("model_type", "encodec")?;
        if kind != "encodec" {
            return Err(part.wrong("model_type", "\"encodec\"", &kind.into()));
        }
        for (key, default) in [("use_causal_conv", true), ("normalize", false)] {
            if part.flag(key, default)? {
                return Err(part.wrong(key, "false", &true.into()));
            }
        }
        let norm = part.word("norm_type", "weight_norm")?;
        if norm != "weight_norm" {
            return Err(part.wrong("norm_type", "\"weight_norm\"", &norm.into()));
        }
        let reflect = match part.word("pad_mode", "reflect")? {
            "reflect" => true,
            "constant" => false,
            found => return Err(part.wrong("pad_mode", "\"reflect\" or \"constant\"", &found.into())),
        };
        for key in ["chunk_length_s", "overlap"] {
            if let Some(found) = part.get(key) {
                return Err(part.wrong(key, "nothing", found));
            }
        }
        let channels = part.size("audio_channels", 1, 64)?;
        if channels != 1 {
            return Err(part.wrong("audio_channels", "1", &channels.into()));
        }
        let hidden_size = part.size("hidden_size", 128, 16_384)?;
        let width = part.size("codebook_dim", hidden_size, 16_384)?;
        if width != hidden_size {
            return Err(part.wrong("codebook_dim", format!("{hidden_size}, the hidden_size"), &width.into()));
        }
        let mut ratios = vec![8, 5, 4, 2];
        if let Some(list) = part.get("upsampling_ratios") {
            let wrong = || part.wrong("upsampling_ratios", "1 to 8 numbers from 1 to 64", list);
            let read = |r: &Value| r.as_u64().filter(|r| (1..=64).contains(r)).map(|r| r as usize);
            ratios = list
                .as_array()
                .ok_or_else(wrong)?
                .iter()
                .map(|r| read(r).ok_or_else(wrong))
                .collect::<Result<_, _>>()?;
            if ratios.is_empty() || ratios.len() > 8 {
                return Err(wrong());
            }
        }
        let config = EncodecConfig {
            sampling_rate: part.size("sampling_rate", 24_000, 1 << 20)? as u32,
            num_filters: part.size("num_filters", 32, 1024)?,
            hidden_size,
            codebook_size: part.size("codebook_size", 1024, 65_536)?,
            upsampling_ratios: ratios,
            kernel_size: part.size("kernel_size", 7, 64)?,
            last_kernel_size: part.size("last_kernel_size", 7, 64)?,
            residual_kernel_size: part.size("residual_kernel_size", 3, 64)?,
            num_residual_layers: part.size("num_residual_layers", 1, 16)?,
            dilation_growth_rate: part.size("dilation_growth_rate", 2, 16)?,
            compress: part.size("compress", 2, 64)?,
            num_lstm_layers: part.size("num_lstm_layers", 2, 16)?,
            reflect,
        };
        let most = config.channels(config.upsampling_ratios.len());
        if most > 16_384 {
            return Err(part.wrong("num_filters", "fewer: at most 16384 channels", &config.num_filters.into()));
        }
        if config.hop() > MAX_HOP {
            let found = format!("{} samples a frame", config.hop());
            return Err(part.wrong("upsampling_ratios", format!("a product up to {MAX_HOP}"), &found.into()));
        }
        let growths = u32::try_from(config.num_residual_layers - 1).unwrap_or(u32::MAX);
        let widest = config.dilation_growth_rate.saturating_pow(growths);
        if widest.saturating_mul(config.residual_kernel_size) > MAX_SPREAD {
            let found = format!("a kernel of {} spread {widest} times", config.residual_kernel_size);
            return Err(part.wrong("dilation_growth_rate", format!("kernels up to {MAX_SPREAD} steps"), &found.into()));
        }
        if config.num_filters < config.compress {
            return Err(part.wrong("compress", "at most num_filters", &config.compress.into()));
        }
        Ok(config)
    }

    /// Samples of one frame: the product of the strides.
    pub fn hop(&self) -> usize {
        self.upsampling_ratios.iter().product()
    }

    /// Channels inside `strides` strides.
    pub(super) fn channels(&self, strides: usize) -> usize {
        self.num_filters << strides
    }

    /// Frames on either side of a frame that its samples depend on, the LSTM and the convolution next to it aside.
    pub(super) fn reach(&self) -> usize {
        let mut rate = 1.0;
        let mut reach = 1.0;
        for &ratio in &self.upsampling_ratios {
            reach += 1.0 / rate;
            rate *= ratio as f64;
            for unit in 0..self.num_residual_layers {
                let spread = self.dilation_growth_rate.saturating_pow(unit as u32);
                reach += (self.residual_kernel_size - 1).saturating_mul(spread) as f64 / rate;
            }
        }
        (reach + self.kernel_size.max(self.last_kernel_size) as f64 / rate).ceil() as usize
    }
}
