//! The emotion predictor and the networks it hears with, among the assets.

use affetto::Assets;
use affetto_judge::hearing::Ears;
use affetto_judge::predictor::EmotionPredictor;
use affetto_models::basic_pitch::BasicPitch;
use affetto_models::musicnn::MusiCnn;

use crate::failure::Failure;

/// The predictor's file. It is fitted on research labels and under their licence, beside the permissive rest.
pub const PREDICTOR: &str = "research/emotion-predictor.json";
const MUSICNN: &str = "musicnn/musicnn.safetensors";
const BASIC_PITCH: &str = "basic-pitch/basic_pitch.safetensors";

/// The predictor that ships.
///
/// # Errors
/// A file that is missing or broken.
pub fn open(assets: &Assets) -> Result<EmotionPredictor, Failure> {
    let text = assets.read_text(PREDICTOR)?;
    EmotionPredictor::load(&text).map_err(|e| Failure::from(assets.broken(PREDICTOR, e)))
}

/// MusiCNN and Basic Pitch.
///
/// # Errors
/// A file that is missing or broken.
pub fn ears(assets: &Assets) -> Result<Ears, Failure> {
    let broken = |name: &str, e: &dyn std::fmt::Display| Failure::from(assets.broken(name, e));
    Ok(Ears {
        musicnn: MusiCnn::load(&assets.checkpoint(&[MUSICNN])?).map_err(|e| broken(MUSICNN, &e))?,
        basic_pitch: BasicPitch::load(&assets.checkpoint(&[BASIC_PITCH])?).map_err(|e| broken(BASIC_PITCH, &e))?,
    })
}
