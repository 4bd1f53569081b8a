//! Notes to sound, with the SoundFont among the assets.

use affetto_audio::AudioBuffer;
use affetto_score::Score;

use crate::assets::Assets;
use crate::error::{Error, Result};

/// The sample rate of all sound, in Hz.
pub const SAMPLE_RATE: u32 = 44_100;

/// The SoundFont, opened when the first take is heard.
pub struct Sound {
    assets: Assets,
    threads: usize,
}

impl Sound {
    pub(crate) fn new(assets: Assets, threads: usize) -> Result<Sound> {
        Ok(Sound { assets, threads })
    }

    /// Renders a score to exactly `seconds` of sound.
    pub(crate) fn render(&self, _score: &Score, _seconds: f64) -> Result<AudioBuffer> {
        let _ = (&self.assets, self.threads);
        Err(Error::Render("the SoundFont is not wired yet".into()))
    }
}
