//! `[lara]`: how hidden states are aligned with what a music-understanding network hears.

use serde::{Deserialize, Serialize};

/// The alignment loss and what it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaraConfig {
    /// Weight of the alignment loss beside the cross-entropy. With 0 the same loop is plain fine-tuning; the proxy
    /// still learns, from hidden states that learn nothing of it, so that their alignment can be compared.
    pub lambda: f32,
    /// Layer whose output is aligned, counted from 1; the last unless said otherwise.
    #[serde(default)]
    pub layer: Option<usize>,
    /// Seconds of a window.
    #[serde(default = "window_seconds")]
    pub window_seconds: f64,
    /// Hidden width of the proxy; twice the model's width unless said otherwise.
    #[serde(default)]
    pub proxy_hidden: Option<usize>,
    /// Linear layers of the proxy.
    #[serde(default = "proxy_layers")]
    pub proxy_layers: usize,
    /// Learning rate of the proxy, and of a MusicGen model's AV encoder, in multiples of the loop's: they begin from
    /// nothing beside a model that is trained already.
    #[serde(default = "proxy_rate")]
    pub proxy_rate: f64,
    /// The network that hears.
    #[serde(default)]
    pub encoder: Encoder,
    /// Layer of MERT whose states are taken, counted from 1; its middle one unless said otherwise. MusiCNN has none.
    #[serde(default)]
    pub encoder_layer: Option<usize>,
    /// What of MusiCNN is taken; its penultimate layer unless said otherwise. MERT has its layers.
    #[serde(default)]
    pub features: Option<Features>,
    /// How features are scaled before their directions are compared.
    #[serde(default)]
    pub scaling: Scaling,
    /// What of the language model learns.
    #[serde(default)]
    pub backbone: Backbone,
    /// Rank of the adapters where the backbone is `low-rank`, and there alone; 8 unless said otherwise.
    #[serde(default)]
    pub rank: Option<usize>,
    /// Training windows: drawn once by `window_seed`, heard once, then seen again in a new order each pass.
    #[serde(default = "windows")]
    pub windows: usize,
    /// Seed of the windows; the loop's own seed sets their order, and what is drawn while learning.
    #[serde(default = "window_seed")]
    pub window_seed: u64,
}

fn window_seconds() -> f64 {
    6.0
}

fn proxy_layers() -> usize {
    3
}

fn proxy_rate() -> f64 {
    8.0
}

/// Rank of adapters unless said otherwise.
const RANK: usize = 8;

fn windows() -> usize {
    2000
}

fn window_seed() -> u64 {
    1
}

/// A music-understanding network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoder {
    /// MusiCNN, which ships.
    #[default]
    Musicnn,
    /// MERT, from a folder.
    Mert,
}

/// What of MusiCNN is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Features {
    /// The dense layer under the tags, 200 wide.
    #[default]
    Penultimate,
    /// Maximum and mean over time of all its channels, 1506 wide.
    Pooled,
}

/// How features are scaled before their directions are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Not at all.
    None,
    /// Their mean over the training windows is taken off.
    Centre,
    /// Their mean is taken off, and each is divided by its deviation.
    #[default]
    Standardise,
}

/// What of the language model learns. Its condition encoder and the proxy always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backbone {
    /// Everything.
    #[default]
    Full,
    /// Adapters of low rank on the matrices of its layers.
    LowRank,
    /// Nothing.
    Frozen,
}

impl LaraConfig {
    /// The layer that is tapped, counted from 1, in a network of `layers`.
    pub fn tapped(&self, layers: usize) -> usize {
        self.layer.unwrap_or(layers)
    }

    /// The rank of the adapters.
    pub fn adapter_rank(&self) -> usize {
        self.rank.unwrap_or(RANK)
    }

    /// Checks the table against a network of `layers` layers.
    ///
    /// # Errors
    /// In words, what is impossible.
    pub fn check(&self, layers: usize) -> Result<(), String> {
        if !self.lambda.is_finite() || self.lambda < 0.0 {
            return Err(format!("lara.lambda {}, expected a number from 0", self.lambda));
        }
        if let Some(layer) = self.layer.filter(|layer| !(1..=layers).contains(layer)) {
            return Err(format!("lara.layer {layer}, expected 1 to {layers}, the model's layers"));
        }
        if !(0.1..=600.0).contains(&self.window_seconds) {
            return Err(format!("lara.window_seconds {}, expected 0.1 to 600", self.window_seconds));
        }
        if self.windows == 0 || self.proxy_hidden == Some(0) || self.proxy_layers == 0 || self.rank == Some(0) {
            return Err("lara.windows, proxy_hidden, proxy_layers and rank must be at least 1".into());
        }
        if !self.proxy_rate.is_finite() || self.proxy_rate <= 0.0 {
            return Err(format!("lara.proxy_rate {}, expected a number above 0", self.proxy_rate));
        }
        if self.encoder == Encoder::Musicnn && self.encoder_layer.is_some() {
            return Err("lara.encoder_layer is for MERT; of MusiCNN, lara.features says what is taken".into());
        }
        if self.encoder == Encoder::Mert && self.features.is_some() {
            return Err("lara.features is for MusiCNN; of MERT, lara.encoder_layer says what is taken".into());
        }
        if self.backbone != Backbone::LowRank && self.rank.is_some() {
            return Err("lara.rank is for adapters: set lara.backbone to \"low-rank\", or leave the rank out".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_defaults_and_refuses_the_impossible() {
        let config: LaraConfig = toml::from_str("lambda = 0.5").unwrap();
        assert_eq!((config.tapped(5), config.backbone, config.scaling), (5, Backbone::Full, Scaling::Standardise));
        assert_eq!(config.check(5), Ok(()));
        let tapped: LaraConfig = toml::from_str("lambda = 0.5\nlayer = 6\nbackbone = \"low-rank\"").unwrap();
        assert_eq!(tapped.backbone, Backbone::LowRank);
        assert!(tapped.check(5).unwrap_err().contains("1 to 5"));
        assert_eq!(tapped.check(6), Ok(()));
        assert!(toml::from_str::<LaraConfig>("lambda = 0.5\nlamda = 1").is_err());
        assert!(LaraConfig { lambda: f32::NAN, ..config.clone() }.check(5).is_err());
        assert!(LaraConfig { encoder_layer: Some(5), ..config.clone() }.check(5).is_err());
        assert!(LaraConfig { encoder: Encoder::Mert, encoder_layer: Some(5), ..config }.check(5).is_ok());
    }

    #[test]
    fn what_would_do_nothing_is_refused() {
        let check = |lines: &str| toml::from_str::<LaraConfig>(&format!("lambda = 1.0\n{lines}")).unwrap().check(5);
        assert!(check("encoder = \"mert\"\nfeatures = \"penultimate\"").unwrap_err().contains("lara.features"));
        assert!(check("rank = 8").unwrap_err().contains("lara.rank"));
        assert!(check("backbone = \"frozen\"\nrank = 8").is_err());
        assert_eq!(check("features = \"pooled\"\nbackbone = \"low-rank\"\nrank = 8"), Ok(()));
        assert_eq!(check("encoder = \"mert\""), Ok(()));
    }

    #[test]
    fn the_shipped_configurations_pass() {
        use crate::config::{MusicGenTrainConfig, TrainConfig};
        let configs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
        assert!(TrainConfig::read(&configs.join("lara.toml")).unwrap().lara.is_some());
        let config = MusicGenTrainConfig::read(&configs.join("lara-musicgen.toml")).unwrap();
        assert_eq!(config.lara.check(24), Ok(()));
    }
}
