//! Accompaniments for melodies under chords: patterns drawn anew for every window, roles known.

use affetto_score::{Instrument, Note};

use super::dice::Dice;
use super::harmony;
use super::{Mood, Texture, fold};
use crate::corpora::{Chord, Role};

/// How the chords are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Held as long as the chord lasts.
    Sustained,
    /// Struck on every beat.
    Beats,
    /// Bass on strong beats, chord on weak ones: waltz, march.
    OomPah,
    /// One tone after the other, eighths.
    Arpeggio,
    /// The same in sixteenths.
    FastArpeggio,
    /// Low, high, middle, high.
    Alberti,
    /// Root, fifth and tenth, then held.
    Broken,
    /// A syncopated strum.
    Strum,
    /// Bass alone.
    BassOnly,
    /// Tonic and fifth under everything.
    Drone,
    /// A chord under every melody note that falls on a beat.
    Hymn,
}

const PATTERNS: [(Pattern, f32, f32); 11] = [
    (Pattern::Sustained, 1.4, -1.0),
    (Pattern::Beats, 1.0, 0.6),
    (Pattern::OomPah, 1.6, 0.4),
    (Pattern::Arpeggio, 1.6, 0.0),
    (Pattern::FastArpeggio, 0.6, 0.8),
    (Pattern::Alberti, 1.0, 0.2),
    (Pattern::Broken, 1.0, -0.6),
    (Pattern::Strum, 1.0, 0.7),
    (Pattern::BassOnly, 0.6, -0.3),
    (Pattern::Drone, 0.4, -0.5),
    (Pattern::Hymn, 0.7, -0.3),
];

/// Adds an accompaniment to a texture of melody alone, by its chords or by chords found for it.
pub fn add(texture: &mut Texture, mood: Mood, dice: &mut Dice) {
    if texture.chords.is_empty() {
        let Some(key) = texture.key else { return };
        let halves = dice.chance(0.6);
        texture.chords = harmony::infer(texture.notes.iter().map(|(n, _)| n), &texture.bars, key, halves, texture.ends);
    }
    let weights = PATTERNS.iter().map(|(_, w, lean)| w * (1.2 * lean * mood.energy).exp());
    let pattern = PATTERNS[dice.weighted(weights)].0;
    let center = 54 + dice.range(-5, 6);
    let sevenths = dice.chance(0.6);
    let with_bass = pattern == Pattern::BassOnly || dice.chance(0.8);
    let lowest = texture.notes.iter().map(|(n, _)| n.pitch).min().unwrap_or(60);
    let ceiling = i32::from(lowest.max(55)) + 3;
    let mut made: Vec<(Note, Role)> = Vec::new();
    let mut voicing: Vec<u8> = Vec::new();
    let first_bar = texture.bars.get(usize::from(texture.pickup > 0)).copied().unwrap_or(0);
    for index in 0..texture.chords.len() {
        let chord = texture.chords[index];
        voicing = voice(&chord, center, sevenths, ceiling, &voicing);
        let root = fold(i32::from(chord.bass) + 36, 33, 47);
        for pair in texture.bars.windows(2) {
            let (start, end) = (chord.start.max(pair[0]).max(first_bar), chord.end.min(pair[1]));
            if start >= end {
                continue;
            }
            let cell = Cell { bar: pair[0], start, end, root, eighth_meter: texture.meter.denominator == 8 };
            play(pattern, &cell, &voicing, with_bass, texture, &mut made, dice);
        }
    }
    texture.notes.append(&mut made);
    texture.notes.sort_by_key(|(n, r)| (n.onset, *r, n.pitch));
}

/// Lowest root of a chord that is held as its symbol stands.
const LOWEST_ROOT: u8 = 48;

/// The chord symbols of a lead sheet as they stand: root position from the octave below middle C up, held.
pub fn held(chords: &[Chord], velocity: u8) -> impl Iterator<Item = Note> {
    chords.iter().filter(|c| c.end > c.start).flat_map(move |chord| {
        let root = LOWEST_ROOT + chord.root % 12;
        let (onset, duration) = (chord.start, chord.end - chord.start);
        (0..12).filter(|t| chord.tones >> t & 1 == 1).map(move |above| Note {
            onset,
            duration,
            pitch: root + above,
            velocity,
            instrument: Instrument::PIANO,
        })
    })
}

/// Adds the [`held`] chords of a lead sheet.
pub fn hold_chords(texture: &mut Texture) {
    texture.notes.extend(held(&texture.chords, 68).map(|note| (note, Role::Chords)));
    texture.notes.sort_by_key(|(n, r)| (n.onset, *r, n.pitch));
}

/// Part of a bar under one chord.
struct Cell {
    bar: u32,
    start: u32,
    end: u32,
    root: u8,
    eighth_meter: bool,
}

impl Cell {
    fn beat(&self) -> u32 {
        if self.eighth_meter { 720 } else { 480 }
    }
}

/// Chord tones around `center`, below `ceiling`, near the voicing before.
fn voice(chord: &Chord, center: i32, sevenths: bool, ceiling: i32, before: &[u8]) -> Vec<u8> {
    let middle = if before.is_empty() {
        center
    } else {
        let mean = before.iter().map(|p| i32::from(*p)).sum::<i32>() / before.len() as i32;
        (mean + center) / 2
    };
    let mut tones: Vec<u8> = (0..12u8).filter(|t| chord.tones >> t & 1 == 1).collect();
    if tones.len() > 3 && !sevenths {
        tones.truncate(3);
    }
    let top = (middle + 6).min(ceiling.max(52));
    let mut pitches: Vec<u8> =
        tones.iter().map(|t| fold(i32::from((chord.root + t) % 12) + 48, top - 11, top)).collect();
    pitches.sort_unstable();
    pitches.dedup();
    pitches
}

fn play(
    pattern: Pattern,
    cell: &Cell,
    voicing: &[u8],
    with_bass: bool,
    texture: &Texture,
    made: &mut Vec<(Note, Role)>,
    dice: &mut Dice,
) {
    let mut strike = |onset: u32, duration: u32, pitches: &[u8], role: Role| {
        for &pitch in pitches {
            let note = Note { onset, duration: duration.max(60), pitch, velocity: 72, instrument: Instrument::PIANO };
            made.push((note, role));
        }
    };
    let length = cell.end - cell.start;
    let beat = cell.beat();
    let fifth = fold(i32::from(cell.root) + 7, 33, 50);
    if with_bass && !matches!(pattern, Pattern::OomPah | Pattern::BassOnly | Pattern::Drone | Pattern::Broken) {
        strike(cell.start, length, &[cell.root], Role::Bass);
    }
    let beats = (cell.start..cell.end).step_by(beat as usize);
    match pattern {
        Pattern::Sustained => strike(cell.start, length, voicing, Role::Chords),
        Pattern::Beats => beats.for_each(|at| strike(at, beat.min(cell.end - at), voicing, Role::Chords)),
        Pattern::OomPah => {
            for at in beats {
                let place = (at - cell.bar) / beat;
                let long = beat.min(cell.end - at);
                if cell.eighth_meter {
                    let low = if place.is_multiple_of(2) { cell.root } else { fifth };
                    strike(at, 240.min(long), &[low], Role::Bass);
                    if at + 480 < cell.end {
                        strike(at + 480, 240, voicing, Role::Chords);
                    }
                } else if place == 0 || (place == 2 && texture.bars_are(1920)) || at == cell.start {
                    let low = if place == 2 && dice.chance(0.5) { fifth } else { cell.root };
                    strike(at, long, &[low], Role::Bass);
                } else {
                    strike(at, long, voicing, Role::Chords);
                }
            }
        }
        Pattern::Arpeggio | Pattern::FastArpeggio | Pattern::Alberti => {
            let step = if pattern == Pattern::FastArpeggio { 120 } else { 240 };
            let n = voicing.len().max(1);
            let order: Vec<usize> = match pattern {
                Pattern::Alberti => vec![0, n - 1, n / 2, n - 1],
                _ => (0..n).chain((1..n.saturating_sub(1)).rev()).collect(),
            };
            for (i, at) in (cell.start..cell.end).step_by(step as usize).enumerate() {
                let pitch = voicing[order[i % order.len()].min(n - 1)];
                strike(at, step.min(cell.end - at), &[pitch], Role::Chords);
            }
        }
        Pattern::Broken => {
            let tenth = voicing.last().copied().unwrap_or(60);
            let line = [cell.root, fifth, tenth.max(fifth)];
            for (i, pitch) in line.into_iter().enumerate() {
                let at = cell.start + 240 * i as u32;
                if at < cell.end {
                    strike(at, cell.end - at, &[pitch], if i == 0 { Role::Bass } else { Role::Chords });
                }
            }
        }
        Pattern::Strum => {
            for offset in [0u32, 480, 720, 1200, 1440, 1680] {
                let at = cell.bar + offset;
                if at >= cell.start && at < cell.end {
                    strike(at, 240.min(cell.end - at), voicing, Role::Chords);
                }
            }
        }
        Pattern::BassOnly => {
            strike(cell.start, (length / 2).max(240).min(length), &[cell.root], Role::Bass);
            if length >= 960 {
                strike(cell.start + length / 2 / 240 * 240, length / 2, &[fifth], Role::Bass);
            }
        }
        Pattern::Drone => {
            if let Some(key) = texture.key
                && cell.start == cell.bar
            {
                let low = fold(i32::from(key.tonic) + 36, 36, 50);
                strike(cell.start, texture.bar_end(cell.bar) - cell.bar, &[low, low + 7], Role::Bass);
            }
        }
        Pattern::Hymn => {
            let on_beats: Vec<u32> = texture
                .notes
                .iter()
                .map(|(n, _)| n.onset)
                .filter(|t| (cell.start..cell.end).contains(t) && (t - cell.bar).is_multiple_of(beat))
                .chain([cell.end])
                .collect();
            if on_beats.len() == 1 {
                strike(cell.start, length, voicing, Role::Chords);
            }
            for pair in on_beats.windows(2).filter(|p| p[1] > p[0]) {
                strike(pair[0], pair[1] - pair[0], voicing, Role::Chords);
            }
        }
    }
}

impl Texture {
    fn bars_are(&self, ticks: u32) -> bool {
        self.meter.bar_ticks() == ticks
    }

    fn bar_end(&self, start: u32) -> u32 {
        self.bars.iter().copied().find(|b| *b > start).unwrap_or(start + self.meter.bar_ticks())
    }
}
