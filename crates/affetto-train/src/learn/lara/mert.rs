//! MERT as LARA hears by it: the states of one layer, a row each second.

use affetto_audio::AudioBuffer;
use affetto_engine::Precision;
use affetto_models::ModelFolder;
use affetto_models::mert::{CHUNK_SECONDS, Mert};

use super::encoder::SoundEncoder;
use crate::error::TrainError;

/// MERT-v1 from a folder. Pieces of [`CHUNK_SECONDS`] know nothing of each other, as in LARA-Gen.
pub struct MertEncoder {
    network: Mert,
    layer: usize,
    name: String,
}

fn data(error: impl std::fmt::Display) -> TrainError {
    TrainError::Data(error.to_string())
}

impl MertEncoder {
    /// Opens a folder, or a model of the Hugging Face cache by its id; `layer` counts from 1, its middle one unless said
    /// otherwise.
    ///
    /// # Errors
    /// What is missing or different; a layer there is not.
    pub fn open(path_or_id: &str, layer: Option<usize>) -> Result<MertEncoder, TrainError> {
        let folder = ModelFolder::open(path_or_id).map_err(data)?;
        let network = Mert::from_folder(&folder, Precision::F32).map_err(data)?;
        let layers = network.config().num_hidden_layers;
        let layer = layer.unwrap_or(layers.div_ceil(2));
        if !(1..=layers).contains(&layer) {
            return Err(TrainError::Data(format!("lara.encoder_layer {layer}, expected 1 to {layers}, MERT's layers")));
        }
        let name = format!("{}, {} bytes of weights, layer {layer}", folder.name(), folder.bytes());
        Ok(MertEncoder { network, layer, name })
    }
}

impl SoundEncoder for MertEncoder {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn width(&self) -> usize {
        self.network.config().hidden_size
    }

    fn hop_seconds(&self) -> f64 {
        1.0
    }

    fn rows(&self, sound: &AudioBuffer) -> Result<Vec<f32>, TrainError> {
        let rate = self.network.sample_rate() as usize;
        let samples = sound.mono_at(self.network.sample_rate()).map_err(data)?;
        let mut out = Vec::new();
        // A last second that is not half full is left out.
        let seconds = (samples.len() + rate / 2) / rate;
        for piece in samples.chunks(CHUNK_SECONDS * rate).take(seconds.div_ceil(CHUNK_SECONDS)) {
            let states = self.network.hidden_states(piece, &[self.layer]).map_err(data)?.swap_remove(0);
            let count = (seconds - out.len() / states.width).min(CHUNK_SECONDS);
            let length = piece.len() as f64 / rate as f64;
            for second in 0..count {
                let within = |frame: usize| {
                    let at = (frame as f64 + 0.5) / states.frames as f64 * length;
                    (at as usize).min(count - 1) == second
                };
                let frames: Vec<usize> = (0..states.frames).filter(|&frame| within(frame)).collect();
                let mean = |i: usize| frames.iter().map(|f| states.data[f * states.width + i]).sum::<f32>();
                out.extend((0..states.width).map(|i| mean(i) / frames.len().max(1) as f32));
            }
        }
        Ok(out)
    }
}
