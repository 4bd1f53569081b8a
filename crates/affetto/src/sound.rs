//! Notes to sound, with the SoundFont among the assets.

use affetto_audio::AudioBuffer;
use affetto_audio::loudness::{TARGET_LUFS, TRUE_PEAK_CEILING_DBFS};
use affetto_score::Score;
use affetto_score::synth::{RenderOptions, SoundFont, render};

use crate::assets::{Assets, SOUNDFONT};
use crate::error::{Error, Result};

/// The sample rate of all sound, in Hz.
pub const SAMPLE_RATE: u32 = 44_100;

/// The SoundFont, its samples decoded as they are needed.
pub struct Sound {
    font: SoundFont,
    threads: usize,
}

impl Sound {
    /// The SoundFont among `assets`; renders on `threads` threads, whose number never changes the sound.
    ///
    /// # Errors
    /// Names the file that is missing or broken.
    pub fn open(assets: &Assets, threads: usize) -> Result<Sound> {
        let font = SoundFont::from_bytes(assets.read(SOUNDFONT)?).map_err(|error| assets.broken(SOUNDFONT, error))?;
        Ok(Sound { font, threads })
    }

    /// Renders a score: stereo, exactly `seconds` long, at about -16 LUFS, true peak below -1 dBFS.
    ///
    /// # Errors
    /// [`Error::Render`], above all a damaged sample.
    pub fn render(&self, score: &Score, seconds: f64) -> Result<AudioBuffer> {
        let options = RenderOptions {
            sample_rate: SAMPLE_RATE,
            seconds: Some(seconds),
            threads: self.threads,
            ..RenderOptions::default()
        };
        let mut audio = render(&self.font, score, &options).map_err(|error| Error::Render(error.into()))?;
        affetto_audio::normalize(&mut audio, TARGET_LUFS, TRUE_PEAK_CEILING_DBFS)
            .map_err(|error| Error::Render(error.into()))?;
        Ok(audio)
    }
}
