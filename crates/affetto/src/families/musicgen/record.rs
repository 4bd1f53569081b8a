//! Activations over files of sound.

use std::path::Path;

use affetto_audio::resample::StreamResampler;
use affetto_audio::{AudioBuffer, AudioStream};

use super::MusicGenStudio;
use crate::error::{Error, Result};
use crate::melody::check_channels;
use crate::recording::{Recorded, check_window};

/// Least sound of a file, in seconds.
const MIN_SECONDS: f64 = 2.0;
/// The longest file, in seconds: an hour.
const MAX_SECONDS: f64 = 3600.0;
/// Below this peak (-80 dB of full scale) sound is silence.
const SILENCE: f32 = 1e-4;

impl MusicGenStudio {
    /// Reads a sound file through the codec and the language model, stretch by stretch; never more than one is held.
    pub fn record(&mut self, file: &Path, window_seconds: f64) -> Result<Vec<Recorded>> {
        let rate = self.config.frame_rate as f64;
        check_window(window_seconds, self.config.window_rows() as f64 / rate)?;
        let name = file.display().to_string();
        let bad = |reason: String| Error::Input { path: file.to_owned(), reason };
        // The decoder's errors name the file themselves.
        let told = |e: affetto_audio::AudioError| {
            let text = e.to_string();
            bad(text.strip_prefix(&format!("{name}: ")).unwrap_or(&text).to_owned())
        };
        let mut stream = AudioStream::open(file).map_err(told)?;
        affetto_audio::decode::check_length(file, MAX_SECONDS).map_err(told)?;
        let model = self.loaded()?;
        let prefix = match self.config.chroma {
            Some(_) => model.melody_prefix(None, &[])?.null,
            None => Vec::new(),
        };
        let frames = ((window_seconds * rate).round() as usize).max(1);
        let mut sides = Sides::new(self.sound.channels(), self.sound.sample_rate());
        let (mut found, mut made, mut peak) = (Vec::new(), 0, 0.0f32);
        let window = self.sound.samples(frames);
        let most = (MAX_SECONDS * f64::from(self.sound.sample_rate())) as usize;
        loop {
            let block = stream.next_block().map_err(told)?;
            let last = block.is_none();
            match block {
                Some(block) => {
                    check_channels(&name, &block)?;
                    sides.push(&block).map_err(told)?;
                }
                None => sides.finish().map_err(told)?,
            }
            if made + sides.samples() > most {
                return Err(bad(format!("longer than the limit of {MAX_SECONDS} s; give a shorter file")));
            }
            while sides.samples() >= window || (last && sides.samples() > 0) {
                let take = window.min(sides.samples());
                let sound = sides.take(take);
                let start = made;
                made += take;
                let loud = sound.channels.iter().flatten().fold(0.0f32, |most, x| most.max(x.abs()));
                peak = peak.max(loud);
                // A rest beside whole stretches is left out; alone it needs its least length.
                let least = if start > 0 { window / 2 } else { seconds(MIN_SECONDS, sound.sample_rate).min(window) };
                if take < least || loud < SILENCE {
                    continue;
                }
                let codes = self.sound.encode(&sound)?.map_err(bad)?;
                let pooled = model.lm().pooled(&codes, &prefix, None)?;
                let at = |samples: usize| samples as f64 / f64::from(sound.sample_rate);
                found.push(Recorded { start_seconds: at(start), seconds: at(take), pooled });
            }
            if last {
                break;
            }
        }
        let length = made as f64 / f64::from(self.sound.sample_rate());
        match found.is_empty() {
            false if length >= MIN_SECONDS => Ok(found),
            _ if length < MIN_SECONDS => {
                Err(bad(format!("{length:.2} s of sound, expected at least {MIN_SECONDS}; give more music")))
            }
            _ if peak < SILENCE => Err(bad("is silent; give music that sounds".into())),
            _ => Err(bad("its music is shorter than half a window; ask for shorter windows".into())),
        }
    }
}

fn seconds(seconds: f64, rate: u32) -> usize {
    (seconds * f64::from(rate)) as usize
}

/// The model's channels of a sound, at its rate, as they come.
struct Sides {
    rate: u32,
    count: usize,
    /// One for each channel, once the file's rate is known.
    resamplers: Vec<StreamResampler>,
    waiting: Vec<Vec<f32>>,
}

impl Sides {
    fn new(count: usize, rate: u32) -> Sides {
        Sides { rate, count, resamplers: Vec::new(), waiting: vec![Vec::new(); count] }
    }

    /// Samples that wait.
    fn samples(&self) -> usize {
        self.waiting.first().map_or(0, Vec::len)
    }

    fn push(&mut self, block: &AudioBuffer) -> affetto_audio::Result<()> {
        let both = self.count == 2 && block.channels.len() == 2;
        let channels = if both { block.channels.clone() } else { vec![block.mixdown()] };
        if self.resamplers.is_empty() {
            for _ in &channels {
                self.resamplers.push(StreamResampler::new(block.sample_rate, self.rate)?);
            }
        }
        for (i, channel) in channels.iter().enumerate() {
            self.waiting[i].extend(self.resamplers[i].push(channel)?);
        }
        self.double();
        Ok(())
    }

    fn finish(&mut self) -> affetto_audio::Result<()> {
        for (i, resampler) in std::mem::take(&mut self.resamplers).into_iter().enumerate() {
            self.waiting[i].extend(resampler.finish()?);
        }
        self.double();
        Ok(())
    }

    /// One channel is both sides of a stereo model.
    fn double(&mut self) {
        if let [left, right] = &mut self.waiting[..] {
            let known = right.len();
            if known < left.len() {
                right.extend_from_slice(&left[known..]);
            }
        }
    }

    fn take(&mut self, samples: usize) -> AudioBuffer {
        let channels = self.waiting.iter_mut().map(|channel| channel.drain(..samples).collect()).collect();
        AudioBuffer { sample_rate: self.rate, channels }
    }
}
