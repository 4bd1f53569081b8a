//! Sound in memory.

/// Sound in memory: planar `f32` samples, full scale ±1.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioBuffer {
    /// Frames per second, in Hz.
    pub sample_rate: u32,
    /// One vector of samples per channel, all of the same length.
    pub channels: Vec<Vec<f32>>,
}

impl AudioBuffer {
    /// Silence: `channels` × `frames` zeros.
    pub fn silence(sample_rate: u32, channels: usize, frames: usize) -> Self {
        AudioBuffer { sample_rate, channels: vec![vec![0.0; frames]; channels] }
    }

    /// One channel.
    pub fn mono(sample_rate: u32, samples: Vec<f32>) -> Self {
        AudioBuffer { sample_rate, channels: vec![samples] }
    }

    /// Number of frames (samples per channel): the shortest channel's length, 0 without channels.
    pub fn frames(&self) -> usize {
        self.channels.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.sample_rate.max(1))
    }

    /// The mean of all channels, `[frames]`.
    pub fn mixdown(&self) -> Vec<f32> {
        let frames = self.frames();
        match self.channels.as_slice() {
            [] => Vec::new(),
            [only] => only.clone(),
            all => {
                let scale = 1.0 / all.len() as f32;
                let mut sum = vec![0.0f32; frames];
                for channel in all {
                    for (s, &x) in sum.iter_mut().zip(channel) {
                        *s += x;
                    }
                }
                sum.iter_mut().for_each(|s| *s *= scale);
                sum
            }
        }
    }

    /// The mixdown at another sample rate, as an analysis wants it.
    ///
    /// # Errors
    /// As [`crate::resample()`].
    pub fn mono_at(&self, sample_rate: u32) -> crate::Result<Vec<f32>> {
        crate::resample(&self.mixdown(), self.sample_rate, sample_rate)
    }

    /// The largest absolute sample value over all channels; 0 for an empty buffer.
    pub fn peak(&self) -> f32 {
        self.channels.iter().flatten().fold(0.0, |m, x| m.max(x.abs()))
    }

    /// Multiplies every sample by `gain`.
    pub fn scale(&mut self, gain: f32) {
        self.channels.iter_mut().flatten().for_each(|x| *x *= gain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixdown_is_the_mean_and_frames_the_shortest_channel() {
        let b = AudioBuffer { sample_rate: 10, channels: vec![vec![1.0, 0.0, 0.5], vec![0.0, 1.0]] };
        assert_eq!(b.frames(), 2);
        assert_eq!(b.mixdown(), [0.5, 0.5]);
        assert!((b.seconds() - 0.2).abs() < 1e-12);
        assert_eq!(b.peak(), 1.0);
        assert!(AudioBuffer::silence(0, 0, 0).mixdown().is_empty());
    }
}
