//! Which key a stretch of notes is in, by correlation with key profiles.

use affetto_score::{Key, Mode, Note};

/// How stable each degree sounds in major, after Krumhansl and Kessler (1982).
const MAJOR: [f32; 12] = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
/// The same in minor.
const MINOR: [f32; 12] = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];

/// Degrees of the major scale as a set of bits.
pub const MAJOR_SCALE: u16 = 0b1010_1011_0101;
/// Degrees of natural and harmonic minor together.
pub const MINOR_SCALE: u16 = 0b1101_1010_1101;

/// Duration of each pitch class over `notes`, drums left out.
pub fn histogram<'a>(notes: impl IntoIterator<Item = &'a Note>) -> [f32; 12] {
    let mut sums = [0.0; 12];
    for note in notes.into_iter().filter(|n| !n.instrument.is_drums()) {
        sums[usize::from(note.pitch % 12)] += (note.duration.min(1920) as f32).sqrt();
    }
    sums
}

/// Correlation of a pitch-class histogram with a key's profile.
pub fn fit(histogram: &[f32; 12], key: Key) -> f32 {
    let profile = if key.mode == Mode::Major { &MAJOR } else { &MINOR };
    let mean_h = histogram.iter().sum::<f32>() / 12.0;
    let mean_p = profile.iter().sum::<f32>() / 12.0;
    let (mut hp, mut hh, mut pp) = (0.0, 0.0, 0.0);
    for pitch in 0..12 {
        let h = histogram[pitch] - mean_h;
        let p = profile[(pitch + 12 - usize::from(key.tonic)) % 12] - mean_p;
        hp += h * p;
        hh += h * h;
        pp += p * p;
    }
    if hh <= 0.0 { 0.0 } else { hp / (hh * pp).sqrt() }
}

/// The best-fitting key and its correlation.
pub fn best(histogram: &[f32; 12]) -> (Key, f32) {
    let keys = (0..24).map(|i| Key { tonic: i % 12, mode: if i < 12 { Mode::Major } else { Mode::Minor } });
    keys.map(|key| (key, fit(histogram, key)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((Key { tonic: 0, mode: Mode::Major }, 0.0))
}

/// The share of a histogram that lies in the scale of `key`.
pub fn in_scale(histogram: &[f32; 12], key: Key) -> f32 {
    let scale = if key.mode == Mode::Major { MAJOR_SCALE } else { MINOR_SCALE };
    let total: f32 = histogram.iter().sum();
    let inside: f32 =
        (0..12).filter(|p| scale >> ((p + 12 - usize::from(key.tonic)) % 12) & 1 == 1).map(|p| histogram[p]).sum();
    if total <= 0.0 { 0.0 } else { inside / total }
}
