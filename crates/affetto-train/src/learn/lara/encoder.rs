//! The networks that understand music, as LARA needs them: sound in, a row of features each few seconds out.

use std::path::Path;

use affetto_audio::{AudioBuffer, normalize};
use affetto_engine::Checkpoint;
use affetto_judge::hearing::LOUDNESS;
use affetto_models::musicnn::{MusiCnn, PENULTIMATE, POOLED, SAMPLE_RATE};

use super::mert::MertEncoder;
use crate::config::{Encoder, Features, LaraConfig};
use crate::error::TrainError;

/// True peak of sound before it is heard, in dBFS.
const CEILING: f64 = -1.0;
/// Seconds of one row of MusiCNN features: what it hears at once, without overlap.
const MUSICNN_SECONDS: f64 = 3.0;

/// A frozen music-understanding network.
pub trait SoundEncoder: Send + Sync {
    /// What it is and which of its features are taken, in words; part of a cache's identity.
    fn name(&self) -> String;
    /// Width of a row.
    fn width(&self) -> usize;
    /// Seconds of a row.
    fn hop_seconds(&self) -> f64;
    /// Features of a sound, row-major: row k tells of the time from k to k + 1 hops. A last part of less than half a
    /// hop is left out.
    ///
    /// # Errors
    /// Sound that can't be resampled or heard.
    fn rows(&self, sound: &AudioBuffer) -> Result<Vec<f32>, TrainError>;
}

/// The network a configuration names: MusiCNN from an assets folder, or MERT from `mert`, its folder or id in the
/// Hugging Face cache.
///
/// # Errors
/// Files that are missing or broken; MERT without its folder, or a folder without MERT.
pub fn open(assets: &Path, mert: Option<&str>, lara: &LaraConfig) -> Result<Box<dyn SoundEncoder>, TrainError> {
    match (lara.encoder, mert) {
        (Encoder::Musicnn, None) => Ok(Box::new(MusiCnnEncoder::open(assets, lara.features.unwrap_or_default())?)),
        (Encoder::Musicnn, Some(mert)) => {
            let what = "lara.encoder is \"musicnn\"; set it to \"mert\", or leave --mert out";
            Err(TrainError::Data(format!("--mert {mert} would not be heard: {what}")))
        }
        (Encoder::Mert, Some(mert)) => Ok(Box::new(MertEncoder::open(mert, lara.encoder_layer)?)),
        (Encoder::Mert, None) => {
            Err(TrainError::Data("lara.encoder is \"mert\": name its folder or id with --mert".into()))
        }
    }
}

/// MusiCNN, one window of 3 s after the other.
pub struct MusiCnnEncoder {
    network: MusiCnn,
    features: Features,
}

impl MusiCnnEncoder {
    /// Opens `musicnn/musicnn.safetensors` in an assets folder.
    ///
    /// # Errors
    /// A file that is missing or broken.
    pub fn open(assets: &Path, features: Features) -> Result<MusiCnnEncoder, TrainError> {
        let data = |e: &dyn std::fmt::Display| TrainError::Data(e.to_string());
        let checkpoint = Checkpoint::open(assets.join("musicnn/musicnn.safetensors")).map_err(|e| data(&e))?;
        Ok(MusiCnnEncoder { network: MusiCnn::load(&checkpoint).map_err(|e| data(&e))?, features })
    }
}

impl SoundEncoder for MusiCnnEncoder {
    fn name(&self) -> String {
        match self.features {
            Features::Penultimate => "MusiCNN, penultimate layer".to_owned(),
            Features::Pooled => "MusiCNN, pooled channels".to_owned(),
        }
    }

    fn width(&self) -> usize {
        match self.features {
            Features::Penultimate => PENULTIMATE,
            Features::Pooled => POOLED,
        }
    }

    fn hop_seconds(&self) -> f64 {
        MUSICNN_SECONDS
    }

    fn rows(&self, sound: &AudioBuffer) -> Result<Vec<f32>, TrainError> {
        let data = |e: &dyn std::fmt::Display| TrainError::Data(format!("sound for MusiCNN: {e}"));
        let mut sound = sound.clone();
        normalize(&mut sound, LOUDNESS, CEILING).map_err(|e| data(&e))?;
        let samples = sound.mono_at(SAMPLE_RATE).map_err(|e| data(&e))?;
        let hop = (MUSICNN_SECONDS * f64::from(SAMPLE_RATE)) as usize;
        let mut out = Vec::new();
        for part in samples.chunks(hop).filter(|part| part.len() >= hop / 2) {
            let heard = self.network.features(part).map_err(|e| data(&e))?.swap_remove(0);
            out.extend(match self.features {
                Features::Penultimate => heard.penultimate,
                Features::Pooled => heard.pooled,
            });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_would_not_hear_is_refused() {
        let open = |lines: &str, mert| {
            let lara: LaraConfig = toml::from_str(&format!("lambda = 1.0\n{lines}")).unwrap();
            open(Path::new("nowhere"), mert, &lara).err().unwrap().to_string()
        };
        assert!(open("", Some("some/mert")).contains("--mert some/mert would not be heard"));
        assert!(open("encoder = \"mert\"", None).contains("name its folder"));
    }
}
