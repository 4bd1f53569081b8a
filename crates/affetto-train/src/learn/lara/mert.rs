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
            out.extend(by_seconds(&states.data, states.width, piece.len() as f64 / rate as f64, count));
        }
        Ok(out)
    }
}

/// The mean of each of `count` seconds of frames that share `length` seconds evenly. What is over goes with the last.
fn by_seconds(frames: &[f32], width: usize, length: f64, count: usize) -> Vec<f32> {
    let mut out = vec![0.0; count * width];
    let mut counts = vec![0.0f32; count];
    let total = frames.len() / width;
    for (i, frame) in frames.chunks_exact(width).enumerate() {
        let second = ((i as f64 + 0.5) / total as f64 * length) as usize;
        let second = second.min(count.saturating_sub(1));
        counts[second] += 1.0;
        out[second * width..][..width].iter_mut().zip(frame).for_each(|(sum, x)| *sum += x);
    }
    for (row, count) in out.chunks_exact_mut(width).zip(counts) {
        row.iter_mut().for_each(|x| *x /= count.max(1.0));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_belong_to_the_second_their_middle_lies_in() {
        let frames = [1.0, 0.0, 3.0, 0.0, 5.0, 8.0, 7.0, 8.0, 20.0, 1.0];
        assert_eq!(by_seconds(&frames, 2, 2.5, 3), [2.0, 0.0, 6.0, 8.0, 20.0, 1.0]);
        assert_eq!(by_seconds(&frames, 2, 2.4, 2), [2.0, 0.0, 32.0 / 3.0, 17.0 / 3.0]);
    }

    #[test]
    fn a_tiny_mert_hears() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../affetto-models/tests/goldens/mert/layer");
        let encoder = MertEncoder::open(folder, None).unwrap();
        assert_eq!((encoder.width(), encoder.hop_seconds()), (12, 1.0));
        let tone = |seconds: f64| {
            let samples = (0..(seconds * 24_000.0) as usize).map(|i| (i as f32 * 0.05).sin() * 0.3).collect();
            encoder.rows(&AudioBuffer::mono(24_000, samples)).unwrap()
        };
        assert_eq!((tone(0.4).len(), tone(0.6).len(), tone(1.0).len()), (0, 12, 12));
        assert!(tone(1.0).iter().all(|x| x.is_finite()) && tone(1.0).iter().any(|x| x.abs() > 1e-3));
        assert!(encoder.name().contains("layer 1"), "{}", encoder.name());
        let wrong = MertEncoder::open(folder, Some(3)).err().unwrap().to_string();
        assert!(wrong.contains("1 to 2"), "{wrong}");
    }
}
