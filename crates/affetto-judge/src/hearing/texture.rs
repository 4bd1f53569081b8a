//! What sound is like beside its notes: loudness, brightness, change, from a log-mel picture.

use affetto_models::musicnn::BANDS;

/// Mel frames in a cell: 31 of 16 ms, about half a second.
const CELL_FRAMES: usize = 31;
/// Seconds of a cell.
pub const CELL_SECONDS: f64 = CELL_FRAMES as f64 * 0.016;
/// Band powers below this share of the loudest one seen in the cell are taken as it: 60 dB.
const FLOOR: f64 = 1e-6;
/// Bands up to here (about 250 Hz) are low, from [`HIGH_BAND`] (about 2.5 kHz) high.
const LOW_BAND: usize = 9;
const HIGH_BAND: usize = 58;

const CELL_NAMES: [&str; Cell::WIDTH] =
    ["level_db", "centroid", "spread", "flatness", "flux", "low_share", "high_share", "attack"];

/// Names of what [`features`] returns, in order.
pub fn feature_names() -> Vec<String> {
    let of = |kind: &str| CELL_NAMES.iter().map(|name| format!("texture_{name}_{kind}")).collect::<Vec<_>>();
    [of("mean"), of("sd")].concat()
}

/// Half a second of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    values: [f64; Cell::WIDTH],
}

impl Cell {
    /// Numbers of a cell.
    pub const WIDTH: usize = 8;

    /// A cell of its numbers, as [`Cell::values`] gives them.
    pub fn new(values: [f64; Cell::WIDTH]) -> Cell {
        Cell { values }
    }

    /// All its numbers: level in decibels, centroid, spread, flatness, flux, share of lows, share of highs, attack.
    pub fn values(&self) -> &[f64; Cell::WIDTH] {
        &self.values
    }

    /// Mean power in decibels, relative to full scale after the gain to the common loudness.
    pub fn level_db(&self) -> f64 {
        self.values[0]
    }
}

/// Makes cells of mel frames as they come.
#[derive(Clone, Debug, Default)]
pub struct CellMaker {
    /// Powers of the cell that is being filled, `[frames × BANDS]`.
    waiting: Vec<f64>,
    /// Logarithms of the frame before it.
    before: Option<Vec<f64>>,
}

impl CellMaker {
    /// Takes frames of a picture as [`affetto_audio::mel()`] makes them, `[frames × BANDS]`; gives the cells that are full.
    pub fn push(&mut self, mel: &[f32]) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &x in mel {
            self.waiting.push(((10f64.powf(f64::from(x))) - 1.0).max(0.0) / 10_000.0);
            if self.waiting.len() == CELL_FRAMES * BANDS {
                cells.push(self.cell());
            }
        }
        cells
    }

    /// The last cell, if it is at least half full.
    pub fn finish(mut self) -> Option<Cell> {
        (self.waiting.len() >= CELL_FRAMES * BANDS / 2).then(|| self.cell())
    }

    fn cell(&mut self) -> Cell {
        let rows: Vec<&[f64]> = self.waiting.chunks_exact(BANDS).collect();
        let mut mean = [0.0; BANDS];
        for row in &rows {
            for (m, x) in mean.iter_mut().zip(*row) {
                *m += x / rows.len() as f64;
            }
        }
        let total: f64 = mean.iter().sum::<f64>().max(1e-15);
        let loudest = mean.iter().copied().fold(1e-15, f64::max);
        let at = |i: usize| i as f64 / BANDS as f64;
        let centroid = mean.iter().enumerate().map(|(i, m)| at(i) * m).sum::<f64>() / total;
        let spread = (mean.iter().enumerate().map(|(i, m)| (at(i) - centroid).powi(2) * m).sum::<f64>() / total).sqrt();
        let logs = mean.iter().map(|m| m.max(loudest * FLOOR).ln());
        let flatness = logs.sum::<f64>() / BANDS as f64 - (total / BANDS as f64).ln();
        // How much louder bands get from frame to frame, on average and at most: onsets.
        let (mut flux, mut attack): (f64, f64) = (0.0, 0.0);
        for row in &rows {
            let now: Vec<f64> = row.iter().map(|x| x.max(loudest * FLOOR).log10()).collect();
            if let Some(before) = &self.before {
                let rise = now.iter().zip(before).map(|(n, b)| (n - b).max(0.0)).sum::<f64>() / BANDS as f64;
                flux += rise / rows.len() as f64;
                attack = attack.max(rise);
            }
            self.before = Some(now);
        }
        let share = |bands: &[f64]| bands.iter().sum::<f64>() / total;
        let values = [
            10.0 * total.log10(),
            centroid,
            spread,
            flatness,
            flux,
            share(&mean[..LOW_BAND]),
            share(&mean[HIGH_BAND..]),
            attack,
        ];
        self.waiting.clear();
        Cell { values }
    }
}

/// Mean and spread over cells of all their numbers, as many as [`feature_names`]; zeros without cells.
pub fn features(cells: &[Cell]) -> Vec<f64> {
    let n = cells.len().max(1) as f64;
    let mean = |k: usize| cells.iter().map(|c| c.values[k]).sum::<f64>() / n;
    let means: Vec<f64> = (0..Cell::WIDTH).map(mean).collect();
    let sd = |k: usize| (cells.iter().map(|c| (c.values[k] - means[k]).powi(2)).sum::<f64>() / n).sqrt();
    let sds: Vec<f64> = (0..Cell::WIDTH).map(sd).collect();
    [means, sds].concat()
}

#[cfg(test)]
mod tests {
    use affetto_audio::{MelSettings, mel};

    use super::*;

    fn cells(wave: impl Fn(f32) -> f32) -> Vec<Cell> {
        let x: Vec<f32> = (0..32_000).map(|i| wave(i as f32 / 16_000.0)).collect();
        let mut maker = CellMaker::default();
        let mut cells = maker.push(&mel(&x, &MelSettings::default()));
        cells.extend(maker.finish());
        cells
    }

    #[test]
    fn louder_brighter_and_struck_sounds_say_so() {
        let tone = |hz: f32, gain: f32| move |t: f32| gain * (std::f32::consts::TAU * hz * t).sin();
        let quiet = features(&cells(tone(200.0, 0.01)));
        let loud = features(&cells(tone(200.0, 0.1)));
        assert!((loud[0] - quiet[0] - 20.0).abs() < 0.5, "{} {}", loud[0], quiet[0]);
        let bright = features(&cells(tone(4000.0, 0.1)));
        assert!(bright[1] > loud[1] + 0.3 && loud[5] > 0.9 && bright[6] > 0.9);
        let pulsed =
            features(&cells(|t| 0.1 * (std::f32::consts::TAU * 440.0 * t).sin() * (-(t * 4.0).fract() * 20.0).exp()));
        assert!(pulsed[4] > 4.0 * loud[4], "{} {}", pulsed[4], loud[4]);
        assert_eq!(quiet.len(), feature_names().len());
    }

    #[test]
    fn silence_is_finite_and_pieces_do_not_matter() {
        assert!(features(&cells(|_| 0.0)).iter().chain(&features(&[])).all(|x| x.is_finite()));
        let x: Vec<f32> = (0..20_000).map(|i| (i as f32 * 0.2).sin()).collect();
        let picture = mel(&x, &MelSettings::default());
        let mut maker = CellMaker::default();
        let whole = maker.push(&picture);
        let mut maker = CellMaker::default();
        let pieces: Vec<Cell> = picture.chunks(BANDS * 7).flat_map(|piece| maker.push(piece)).collect();
        assert_eq!(whole, pieces);
    }
}
