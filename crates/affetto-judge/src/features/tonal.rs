//! Features of key, mode and harmony.

use super::timeline::TimedNote;
use super::{Moments, entropy};

/// Names of what [`features`] returns, in order.
pub(super) const NAMES: [&str; 29] = [
    "pitch_class_entropy",
    "major_minus_minor",
    "key_clarity",
    "local_major_minus_minor",
    "local_major_share",
    "third_major_minus_minor",
    "degree_flat2",
    "degree_2",
    "degree_flat3",
    "degree_3",
    "degree_4",
    "degree_sharp4",
    "degree_flat6",
    "degree_6",
    "degree_flat7",
    "degree_7",
    "out_of_scale_share",
    "chord_major_share",
    "chord_minor_share",
    "chord_diminished_augmented_share",
    "chord_major_minus_minor",
    "bass_third_major_minus_minor",
    "bass_fifth_share",
    "dissonance",
    "semitone_clash_share",
    "tritone_share",
    "low_thickness",
    "harmonic_change",
    "chord_on_tonic_share",
];

/// Krumhansl and Kessler's probe-tone ratings, C major and C minor.
const MAJOR: [f64; 12] = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
const MINOR: [f64; 12] = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];

/// A stretch of time in which the same notes sound.
pub(super) struct Slice {
    /// Start, in seconds.
    pub start: f64,
    /// Length, in seconds.
    pub seconds: f64,
    /// Pitch classes that sound, one bit each.
    pub classes: u16,
    /// Lowest and highest pitch.
    pub bass: u8,
    /// Highest pitch.
    pub top: u8,
    /// How many notes sound.
    pub sounding: u32,
    /// Weighted share of dissonant pairs among the pairs that sound (0 where fewer than two).
    pub dissonance: f64,
    /// Whether a semitone (or major seventh, minor ninth) sounds within two octaves.
    pub clash: bool,
    /// Whether a tritone sounds.
    pub tritone: bool,
    /// How many notes below C3 sound together.
    pub low: u32,
}

/// The slices of pitched `notes` (sorted by onset) until `end`: stretches without a note are left
/// out, notes are cut at `end`, and one held longer than 3 s is heard no longer.
pub(super) fn slices(notes: &[TimedNote], end: f64) -> Vec<Slice> {
    let until = |n: &TimedNote| n.end.min(n.onset + 3.0).min(end);
    let mut times: Vec<f64> = notes.iter().flat_map(|n| [n.onset, until(n)]).collect();
    times.sort_by(f64::total_cmp);
    let mut slices = Vec::new();
    let mut active: Vec<&TimedNote> = Vec::new();
    let mut next = 0;
    let mut at = 0;
    while at < times.len() {
        // Times closer than 30 ms belong together: a chord is rarely struck quite at once.
        let start = times[at];
        let mut following = at + 1;
        while following < times.len() && times[following] - start < 0.03 {
            following += 1;
        }
        let stop = times.get(following).copied().unwrap_or(start);
        at = following;
        while next < notes.len() && notes[next].onset < start + 0.03 {
            active.push(&notes[next]);
            next += 1;
        }
        active.retain(|n| until(n) > start + 0.03);
        if !active.is_empty() && stop > start {
            slices.push(slice(&active, start, stop - start));
        }
    }
    slices
}

fn slice(active: &[&TimedNote], start: f64, seconds: f64) -> Slice {
    let mut sounding: u128 = 0;
    for n in active {
        sounding |= 1 << n.pitch;
    }
    let pitches: Vec<u8> = (0..128).filter(|p| sounding >> p & 1 == 1).collect();
    let classes = pitches.iter().fold(0u16, |set, p| set | 1 << (p % 12));
    let (mut rough, mut pairs, mut clash, mut tritone) = (0.0, 0.0, false, false);
    for (i, &low) in pitches.iter().enumerate() {
        for &high in &pitches[i + 1..] {
            let gap = high - low;
            // Pairs far apart hardly rub.
            let near = if gap <= 14 { 1.0 } else { 0.5 };
            pairs += near;
            rough += near
                * match gap % 12 {
                    1 => 1.0,
                    11 => 0.7,
                    6 => 0.7,
                    2 | 10 => 0.3,
                    _ => 0.0,
                };
            clash |= matches!(gap % 12, 1 | 11) && gap <= 25;
            tritone |= gap % 12 == 6;
        }
    }
    Slice {
        start,
        seconds,
        classes,
        bass: pitches[0],
        top: pitches[pitches.len() - 1],
        sounding: pitches.len() as u32,
        dissonance: if pairs > 0.0 { rough / pairs } else { 0.0 },
        clash,
        tritone,
        low: pitches.iter().filter(|&&p| p < 48).count() as u32,
    }
}

/// Pitch-class weights of the notes that start in a span: seconds held, at most 1.5 each.
fn chroma(notes: &[TimedNote]) -> [f64; 12] {
    let mut chroma = [0.0; 12];
    for n in notes {
        chroma[usize::from(n.pitch % 12)] += (n.end - n.onset).clamp(0.05, 1.5);
    }
    chroma
}

/// How well each key fits: correlations of `chroma` with the 12 major and 12 minor profiles.
fn key_fit(chroma: &[f64; 12]) -> ([f64; 12], [f64; 12]) {
    let mut major = [0.0; 12];
    let mut minor = [0.0; 12];
    for tonic in 0..12 {
        let turned: Vec<f64> = (0..12).map(|i| chroma[(i + tonic) % 12]).collect();
        major[tonic] = crate::stats::pearson(&turned, &MAJOR);
        minor[tonic] = crate::stats::pearson(&turned, &MINOR);
    }
    (major, minor)
}

/// The fit of the best major key less that of the best minor key.
pub(super) fn major_minus_minor(notes: &[TimedNote]) -> f64 {
    let (major, minor) = key_fit(&chroma(notes));
    best(&major).1 - best(&minor).1
}

/// Index and value of the largest.
fn best(values: &[f64; 12]) -> (usize, f64) {
    let mut top = (0, values[0]);
    for (i, &v) in values.iter().enumerate().skip(1) {
        if v > top.1 {
            top = (i, v);
        }
    }
    top
}

/// (a - b) / (a + b), 0 where both vanish.
fn contrast(a: f64, b: f64) -> f64 {
    if a + b > 1e-9 { (a - b) / (a + b) } else { 0.0 }
}

/// What a one-second window of harmony sounds like: the root and kind of its best triad.
#[derive(Clone, Copy, PartialEq)]
enum Triad {
    Major,
    Minor,
    Altered,
}

fn triad(chroma: &[f64; 12], bass: usize) -> Option<(usize, Triad)> {
    let norm = chroma.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm <= 0.0 {
        return None;
    }
    let shapes = [(Triad::Major, 4, 7), (Triad::Minor, 3, 7), (Triad::Altered, 3, 6), (Triad::Altered, 4, 8)];
    let mut top: Option<(f64, usize, Triad)> = None;
    for root in 0..12 {
        for (kind, third, fifth) in shapes {
            let tones = [chroma[root], chroma[(root + third) % 12], chroma[(root + fifth) % 12]];
            if tones[1] <= 0.0 {
                continue;
            }
            // A missing fifth of a plain triad is filled in by ear; altered ones need all tones.
            if kind == Triad::Altered && tones.iter().any(|&t| t <= 0.0) {
                continue;
            }
            let plain = if kind == Triad::Altered { 0.9 } else { 1.0 };
            let on_bass = if root == bass { 1.1 } else { 1.0 };
            let fit = tones.iter().sum::<f64>() / (norm * 3f64.sqrt()) * plain * on_bass;
            if top.is_none_or(|t| fit > t.0) {
                top = Some((fit, root, kind));
            }
        }
    }
    top.filter(|t| t.0 > 0.6).map(|t| (t.1, t.2))
}

/// The features of the pitched notes (sorted by onset) that start in `[start, end)`.
pub(super) fn features(notes: &[TimedNote], slices: &[Slice], start: f64, end: f64) -> Vec<f64> {
    let whole = chroma(notes);
    let total: f64 = whole.iter().sum::<f64>().max(1e-9);
    let (major, minor) = key_fit(&whole);
    let (major_tonic, major_fit) = best(&major);
    let (minor_tonic, minor_fit) = best(&minor);
    let tonic = if major_fit >= minor_fit { major_tonic } else { minor_tonic };
    let fits = Moments::of(major.iter().chain(&minor).copied());
    let clarity = major_fit.max(minor_fit) - fits.mean - fits.sd;
    let degree = |d: usize| whole[(tonic + d) % 12] / total;

    // Mode of local windows: 4 s, every 2 s.
    let mut local = Vec::new();
    let mut at = start;
    while at == start || at + 3.0 <= end {
        let from = notes.partition_point(|n| n.onset < at);
        let to = notes.partition_point(|n| n.onset < at + 4.0);
        let Some(next) = notes.get(from) else { break };
        if to == from {
            // Silence: on to the first window that holds the next note.
            at = (start + ((next.onset - 4.0 - start) / 2.0).floor() * 2.0).max(at) + 2.0;
            continue;
        }
        if to - from >= 4 {
            let (ma, mi) = key_fit(&chroma(&notes[from..to]));
            local.push(best(&ma).1 - best(&mi).1);
        }
        at += 2.0;
    }
    let local_mean = Moments::of(local.iter().copied()).mean;
    let local_share =
        if local.is_empty() { 0.5 } else { local.iter().filter(|&&x| x > 0.0).count() as f64 / local.len() as f64 };

    // Chords of one second windows, from what sounds in them.
    struct Window {
        second: f64,
        chroma: [f64; 12],
        bass: u8,
    }
    let mut windows: Vec<Window> = Vec::new();
    for s in slices {
        let second = (s.start - start).floor();
        if windows.last().is_none_or(|w| w.second != second) {
            windows.push(Window { second, chroma: [0.0; 12], bass: 127 });
        }
        let Some(w) = windows.last_mut() else { continue };
        for c in 0..12 {
            if s.classes >> c & 1 == 1 {
                w.chroma[c] += s.seconds;
            }
        }
        w.bass = w.bass.min(s.bass);
    }
    let (mut ma, mut mi, mut altered, mut on_tonic, mut heard) = (0.0, 0.0, 0.0, 0.0, 0.0f64);
    let mut change = Vec::new();
    for (i, w) in windows.iter().enumerate() {
        if let Some((root, kind)) = triad(&w.chroma, usize::from(w.bass % 12)) {
            heard += 1.0;
            on_tonic += f64::from(u8::from(root == tonic));
            match kind {
                Triad::Major => ma += 1.0,
                Triad::Minor => mi += 1.0,
                Triad::Altered => altered += 1.0,
            }
        }
        if i > 0 {
            change.push(1.0 - cosine(&windows[i - 1].chroma, &w.chroma));
        }
    }
    let of_heard = |x: f64| x / heard.max(1.0);

    // Intervals above the bass, and clashes, weighted by time.
    let mut above = [0.0; 12];
    for s in slices {
        for c in 0..12u16 {
            if s.classes >> c & 1 == 1 {
                above[usize::from((c + 12 - u16::from(s.bass % 12)) % 12)] += s.seconds;
            }
        }
    }
    let over_bass: f64 = above[1..].iter().sum::<f64>().max(1e-9);
    let together = |f: &dyn Fn(&Slice) -> f64| {
        Moments::weighted(slices.iter().filter(|s| s.sounding >= 2).map(|s| (f(s), s.seconds))).mean
    };
    let out = 1.0
        - [0, 2, 5, 7].map(degree).iter().sum::<f64>()
        - if major_fit >= minor_fit {
            [4, 9, 11].map(degree).iter().sum::<f64>()
        } else {
            [3, 8, 10, 11].map(degree).iter().sum::<f64>()
        };

    vec![
        entropy(&whole),
        major_fit - minor_fit,
        clarity,
        local_mean,
        local_share,
        contrast(degree(4), degree(3)),
        degree(1),
        degree(2),
        degree(3),
        degree(4),
        degree(5),
        degree(6),
        degree(8),
        degree(9),
        degree(10),
        degree(11),
        if notes.is_empty() { 0.0 } else { out },
        of_heard(ma),
        of_heard(mi),
        of_heard(altered),
        of_heard(ma - mi),
        contrast(above[4], above[3]),
        above[7] / over_bass,
        together(&|s| s.dissonance),
        together(&|s| f64::from(u8::from(s.clash))),
        together(&|s| f64::from(u8::from(s.tritone))),
        Moments::weighted(slices.iter().map(|s| (f64::from(s.low), s.seconds))).mean,
        Moments::of(change).mean,
        of_heard(on_tonic),
    ]
}

fn cosine(a: &[f64; 12], b: &[f64; 12]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    let norm = |v: &[f64; 12]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = norm(a) * norm(b);
    if scale > 0.0 { dot / scale } else { 0.0 }
}
