//! Drum parts for bands: bars taken from Freedoom's own drums, or simple beats made by meter.

use affetto_score::{Instrument, Note};

use super::dice::Dice;
use super::{Mood, Texture};
use crate::corpora::{Corpus, Piece, Role, Split};

/// A bar of drums: (sixteenth-grid tick in the bar, key, velocity).
pub type Beat = Vec<(u16, u8, u8)>;

/// Two-bar beats in 4/4 from the training part of Freedoom.
#[derive(Clone, Debug, Default)]
pub struct DrumLibrary {
    beats: Vec<[Beat; 2]>,
}

const KICK: u8 = 36;
const SNARE: u8 = 38;
const STICK: u8 = 37;
const CLOSED: u8 = 42;
const OPEN: u8 = 46;
const RIDE: u8 = 51;
const CRASH: u8 = 49;

impl DrumLibrary {
    /// Every pair of 4/4 bars with a steady beat of 5 to 28 strokes a bar.
    pub fn new<'a>(pieces: impl Iterator<Item = &'a Piece>) -> DrumLibrary {
        let mut beats: Vec<[Beat; 2]> = Vec::new();
        for piece in pieces.filter(|p| p.corpus == Corpus::Freedoom && p.split() == Split::Train) {
            let meters = &piece.score.meters;
            if meters.len() != 1 || meters[0].bar_ticks() != 1920 {
                continue;
            }
            let strokes: Vec<&Note> = piece.score.notes.iter().filter(|n| n.instrument.is_drums()).collect();
            let bars = piece.score.end() / 1920;
            let beat = |bar: u32| -> Beat {
                let first = strokes.partition_point(|n| n.onset < bar * 1920);
                let own = strokes[first..].iter().take_while(|n| n.onset < (bar + 1) * 1920);
                own.filter(|n| (35..=59).contains(&n.pitch))
                    .map(|n| ((n.onset % 1920) as u16, n.pitch, n.velocity))
                    .collect()
            };
            let steady = |b: &Beat| {
                (5..=28).contains(&b.len()) && b.iter().any(|s| s.0 == 0) && b.iter().any(|s| matches!(s.1, 35 | 36))
            };
            let mut taken = 0;
            for bar in (0..bars.saturating_sub(1)).step_by(2) {
                let pair = [beat(bar), beat(bar + 1)];
                if pair.iter().all(steady) && !beats.contains(&pair) && taken < 24 {
                    beats.push(pair);
                    taken += 1;
                }
            }
        }
        DrumLibrary { beats }
    }

    /// Beats found.
    pub fn len(&self) -> usize {
        self.beats.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.beats.is_empty()
    }
}

/// Adds a drum part under the whole texture, sometimes entering after a few bars.
pub fn add(texture: &mut Texture, library: &DrumLibrary, mood: Mood, dice: &mut Dice) {
    let bar_ticks = texture.meter.bar_ticks();
    let first = usize::from(texture.pickup > 0) + if dice.chance(0.15) { 4 } else { 0 };
    let taken = bar_ticks == 1920 && !library.is_empty() && dice.chance(0.5);
    let pair = if taken {
        // Busier beats with more energy: the better of two draws.
        let (a, b) = (dice.pick(&library.beats), dice.pick(&library.beats));
        let busier = if a[0].len() > b[0].len() { a } else { b };
        let calmer = if a[0].len() > b[0].len() { b } else { a };
        if mood.energy > 0.0 { busier.clone() } else { calmer.clone() }
    } else {
        let beat = simple(texture, mood, dice);
        [beat.clone(), beat]
    };
    let fills = dice.chance(0.6);
    let bars: Vec<u32> = texture.bars.clone();
    let count = bars.len().saturating_sub(1);
    let mut strokes = Vec::new();
    for (i, bar) in bars.windows(2).enumerate().skip(first) {
        let stroke = |at: u32, pitch: u8, velocity: u8| {
            (Note { onset: bar[0] + at, duration: 120, pitch, velocity, instrument: Instrument::DRUMS }, Role::Drums)
        };
        if texture.ends && i + 1 == count {
            strokes.extend([stroke(0, KICK, 90), stroke(0, CRASH, 90)]);
            continue;
        }
        let fill = fills && i % 8 == 7;
        for &(at, key, velocity) in &pair[i % 2] {
            let at = u32::from(at);
            if at < bar[1] - bar[0] && !(fill && at * 4 >= bar_ticks * 3) {
                strokes.push(stroke(at, key, velocity));
            }
        }
        if fill {
            let from = bar_ticks * 3 / 4 / 120 * 120;
            for at in (from..bar_ticks).step_by(120) {
                strokes.push(stroke(at, *dice.pick(&[38, 45, 47, 43]), 80));
            }
        }
        if fills && i % 8 == 0 && i > 0 {
            strokes.push(stroke(0, CRASH, 88));
        }
    }
    texture.notes.append(&mut strokes);
}

/// A plain beat for any meter.
fn simple(texture: &Texture, mood: Mood, dice: &mut Dice) -> Beat {
    let bar = texture.meter.bar_ticks();
    let compound = texture.meter.denominator == 8;
    let beat = if compound { 720 } else { 480 };
    let beats = (bar / beat).max(1);
    let mut strokes: Vec<(u32, u8, u8)> = Vec::new();
    let soft = mood.energy < -0.3;
    let (snare, top) =
        if soft { (STICK, *dice.pick(&[CLOSED, RIDE])) } else { (SNARE, *dice.pick(&[CLOSED, CLOSED, RIDE, OPEN])) };
    for b in 0..beats {
        let at = b * beat;
        let back = if beats == 4 || beats == 2 { b % 2 == 1 } else { b > 0 };
        if back { strokes.push((at, snare, 84)) } else { strokes.push((at, KICK, 92)) }
    }
    let division = match () {
        () if compound => 240,
        () if mood.energy > 0.6 && dice.chance(0.4) => 120,
        () if mood.energy < -0.5 && dice.chance(0.5) => 480,
        () => 240,
    };
    strokes.extend((0..bar).step_by(division).map(|at| (at, top, if at % beat == 0 { 72 } else { 58 })));
    for _ in 0..dice.below(3) {
        let at = dice.below((bar / 120) as usize) as u32 * 120;
        if !strokes.iter().any(|s| s.0 == at && s.1 != top) {
            strokes.push((at, if dice.chance(0.7) { KICK } else { snare }, 66));
        }
    }
    strokes.sort_unstable();
    strokes.dedup_by_key(|s| (s.0, s.1));
    strokes.into_iter().map(|(at, key, velocity)| (at as u16, key, velocity)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_comes_from_the_drums_of_freedoom_only() {
        assert!(DrumLibrary::new(crate::corpora::tiny::pieces().iter()).is_empty());
    }
}
