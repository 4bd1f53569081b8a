//! A mel spectrogram coarse enough to be drawn, filled piece by piece: an hour of sound takes no more room than a minute.

use affetto_audio::{AudioBuffer, MelFilterbank, MelSettings, power_spectrogram};

use super::svg::{Ink, Svg};

/// Mel bands.
pub const BANDS: usize = 64;
/// Columns kept at most; when there would be more, neighbours are joined.
const MAX_COLUMNS: usize = 360;
/// Decibels below the loudest cell at which cells are left blank.
const RANGE_DB: f64 = 60.0;
/// Steps of darkness.
const LEVELS: usize = 6;
/// Highest frequency, in Hz.
const HIGHEST: f64 = 11_000.0;

/// Band powers over time, in equally long columns.
#[derive(Clone, Debug)]
pub struct Spectrogram {
    sample_rate: u32,
    n_fft: usize,
    high: f64,
    bank: MelFilterbank,
    /// Samples that do not fill a frame yet.
    rest: Vec<f32>,
    /// Summed band powers and the frames they are of.
    columns: Vec<([f32; BANDS], u32)>,
    frames_a_column: u32,
    frames: u64,
}

impl Spectrogram {
    /// An empty one, for samples at a rate in Hz (0 counts as 1).
    pub fn new(sample_rate: u32) -> Spectrogram {
        let sample_rate = sample_rate.max(1);
        // About 46 ms, enough to part the low bands.
        let n_fft = (sample_rate as usize / 22).next_power_of_two().clamp(256, 8192);
        let high = HIGHEST.min(f64::from(sample_rate) / 2.0);
        let settings = MelSettings { sample_rate, n_fft, hop: n_fft, bands: BANDS, low: 0.0, high };
        let bank = MelFilterbank::new(&settings);
        let (columns, rest) = (Vec::new(), Vec::new());
        Spectrogram { sample_rate, n_fft, high, bank, rest, columns, frames_a_column: 1, frames: 0 }
    }

    /// That of a whole sound.
    pub fn of(audio: &AudioBuffer) -> Spectrogram {
        let mut spectrogram = Spectrogram::new(audio.sample_rate);
        spectrogram.push(&audio.mixdown());
        spectrogram
    }

    /// Takes the next samples (one channel).
    pub fn push(&mut self, samples: &[f32]) {
        self.rest.extend(samples.iter().map(|x| if x.is_finite() { x.clamp(-16.0, 16.0) } else { 0.0 }));
        let whole = self.rest.len() / self.n_fft;
        if whole == 0 {
            return;
        }
        let ready: Vec<f32> = self.rest.drain(..whole * self.n_fft).collect();
        for frame in ready.chunks_exact(self.n_fft) {
            // Of the two frames centred on its ends and the one on its middle, that on its middle.
            let power = power_spectrogram(frame, self.n_fft, self.n_fft / 2);
            let mut bands = [0.0; BANDS];
            self.bank.apply(power.frame(1), &mut bands);
            self.add(&bands);
        }
    }

    fn add(&mut self, bands: &[f32; BANDS]) {
        match self.columns.last_mut().filter(|last| last.1 < self.frames_a_column) {
            Some(last) => {
                last.0.iter_mut().zip(bands).for_each(|(sum, x)| *sum += x);
                last.1 += 1;
            }
            None => self.columns.push((*bands, 1)),
        }
        self.frames += 1;
        if self.columns.len() > MAX_COLUMNS {
            let joined = self.columns.chunks(2).map(|pair| {
                let mut sum = pair[0];
                for (bands, frames) in &pair[1..] {
                    sum.0.iter_mut().zip(bands).for_each(|(s, x)| *s += x);
                    sum.1 += frames;
                }
                sum
            });
            self.columns = joined.collect();
            self.frames_a_column *= 2;
        }
    }

    /// Seconds of sound taken so far.
    pub fn seconds(&self) -> f64 {
        (self.frames as f64 * self.n_fft as f64 + self.rest.len() as f64) / f64::from(self.sample_rate)
    }

    /// Seconds of a column.
    fn column_seconds(&self) -> f64 {
        f64::from(self.frames_a_column) * self.n_fft as f64 / f64::from(self.sample_rate)
    }

    /// Level of every cell, 0 (blank) to [`LEVELS`], `[columns][BANDS]`.
    fn levels(&self) -> Vec<[u8; BANDS]> {
        let db = |(sums, frames): &([f32; BANDS], u32)| sums.map(|s| 10.0 * f64::from(s / *frames as f32).log10());
        let all: Vec<[f64; BANDS]> = self.columns.iter().map(db).collect();
        let loudest = all.iter().flatten().copied().filter(|x| x.is_finite()).fold(f64::NEG_INFINITY, f64::max);
        let level = |x: f64| ((x - loudest + RANGE_DB) / RANGE_DB * LEVELS as f64).ceil().clamp(0.0, LEVELS as f64);
        all.iter().map(|column| column.map(|x| if x.is_finite() { level(x) as u8 } else { 0 })).collect()
    }

    /// Draws it into a field whose bottom left is `corner`, so many units a second wide and `height` high, with marks
    /// of frequency at its left.
    pub fn draw(&self, svg: &mut Svg, corner: (f64, f64), units_a_second: f64, height: f64) {
        let (left, bottom) = corner;
        let cell = height / BANDS as f64;
        let width = self.column_seconds() * units_a_second;
        let levels = self.levels();
        for level in 1..=LEVELS {
            let mut bars = Vec::new();
            for band in 0..BANDS {
                let y = bottom - (band as f64 + 0.5) * cell;
                let mut column = 0;
                while column < levels.len() {
                    let run = levels[column..].iter().take_while(|c| usize::from(c[band]) == level).count();
                    if run > 0 {
                        bars.push((left + column as f64 * width, y, run as f64 * width));
                    }
                    column += run.max(1);
                }
            }
            svg.bars(Ink::Voice(0), cell * 1.02, level as f64 / LEVELS as f64, bars);
        }
        for hz in [100.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0].into_iter().filter(|&hz| hz < self.high) {
            let y = bottom - affetto_audio::mel::to_mel(hz) / affetto_audio::mel::to_mel(self.high) * height;
            svg.text(Ink::Faint, super::Anchor::End, (left - 6.0, y + 4.0), &format!("{hz:.0}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, seconds: f64) -> Vec<f32> {
        let rate = 16_000.0;
        (0..(seconds * rate) as usize).map(|i| (std::f64::consts::TAU * hz * i as f64 / rate).sin() as f32).collect()
    }

    #[test]
    fn a_tone_is_loudest_in_its_band_and_silence_is_blank() {
        let mut s = Spectrogram::new(16_000);
        s.push(&sine(1000.0, 1.0));
        s.push(&vec![0.0; 16_000]);
        assert!((s.seconds() - 2.0).abs() < 1e-9);
        let levels = s.levels();
        let first = levels[2];
        let loudest: Vec<usize> = (0..BANDS).filter(|&b| usize::from(first[b]) == LEVELS).collect();
        // 1000 Hz is mel 15; 8000 Hz is mel 45.2: a third of the way up.
        assert!(!loudest.is_empty() && loudest.iter().all(|&b| (18..=24).contains(&b)), "{loudest:?}");
        assert!(levels[levels.len() - 2].iter().all(|&l| l == 0));
    }

    #[test]
    fn pieces_and_the_whole_are_alike_and_long_sound_stays_small() {
        let sound = sine(440.0, 30.0);
        let mut pieces = Spectrogram::new(16_000);
        sound.chunks(777).for_each(|piece| pieces.push(piece));
        let whole = Spectrogram::of(&AudioBuffer::mono(16_000, sound));
        assert_eq!(pieces.levels(), whole.levels());
        assert!(whole.columns.len() <= MAX_COLUMNS && whole.frames_a_column == 2, "{}", whole.frames_a_column);
        let mut svg = Svg::new(100.0, 100.0, "x");
        whole.draw(&mut svg, (0.0, 100.0), 3.0, 100.0);
        let text = svg.finish();
        assert!(text.contains("<path") && text.len() < 60_000, "{}", text.len());
        let mut empty = Svg::new(1.0, 1.0, "x");
        Spectrogram::new(0).draw(&mut empty, (0.0, 1.0), 1.0, 1.0);
        assert!(!empty.finish().contains("<path"));
    }
}
