//! Written bars → a score: repeats and endings played out, ties joined, short and long bars given meters.
//! Used by the reader of MusicXML.

use std::collections::HashMap;

use crate::chord::ChordSymbol;
use crate::error::{ScoreError, limits};
use crate::score::{Instrument, Key, KeyChange, MeterChange, Note, Score, TICKS_PER_QUARTER, TempoChange};

/// Most times a passage is played.
const MOST_PASSES: u8 = 8;
/// Ticks of a 1/64 note, the shortest beat a meter can have.
const SHORTEST_BEAT: u32 = TICKS_PER_QUARTER / 16;

/// A note as written in a bar.
#[derive(Clone, Debug)]
pub(crate) struct BarNote {
    /// Ticks from the bar line.
    pub offset: u32,
    pub duration: u32,
    pub pitch: u8,
    pub velocity: u8,
    pub instrument: Instrument,
    /// Ties join only notes of one part.
    pub part: u16,
    /// Continues in the next note of its pitch.
    pub tied_on: bool,
    /// Continues the note before of its pitch.
    pub tied_back: bool,
}

/// A bar as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bar {
    /// The meter in force, beats and beat value; `None` in free meter.
    pub meter: Option<(u8, u8)>,
    /// Ticks that the bar's contents take up.
    pub length: u32,
    pub repeat_start: bool,
    /// How often the passage that ends here is played; 0 where no repeat ends here.
    pub repeat_end: u8,
    /// Bit p: played in pass p (1, 2, ...). 0: in every pass.
    pub endings: u32,
    pub notes: Vec<BarNote>,
    /// By offset.
    pub tempos: Vec<(u32, f64)>,
    pub keys: Vec<(u32, Key)>,
    /// Ticks are offsets from the bar line.
    pub chords: Vec<ChordSymbol>,
}

impl Bar {
    /// Length by the meter, or of the contents in free meter.
    fn nominal(&self) -> u32 {
        self.meter.map_or(self.length, bar_ticks)
    }
}

/// Length of a bar of this meter, in ticks.
pub(crate) fn bar_ticks((numerator, denominator): (u8, u8)) -> u32 {
    MeterChange { tick: 0, numerator, denominator }.bar_ticks()
}

/// The order in which bars are played, as indices. At most [`limits::CHANGES`] bars.
fn play_order(bars: &[Bar]) -> Vec<usize> {
    let mut order = Vec::with_capacity(bars.len());
    let (mut at, mut start, mut pass) = (0, 0, 1u8);
    let mut in_ending = false;
    while at < bars.len() && order.len() < limits::CHANGES {
        let bar = &bars[at];
        let leaves_endings = in_ending && bar.endings == 0;
        if (bar.repeat_start && at != start) || leaves_endings {
            (start, pass) = (at, 1);
        }
        in_ending = bar.endings != 0;
        if bar.endings != 0 && bar.endings & (1 << pass) == 0 {
            at += 1;
            continue;
        }
        order.push(at);
        if bar.repeat_end > 0 {
            let times = if bar.endings != 0 { last_ending(bars, at) } else { bar.repeat_end };
            if pass < times.min(MOST_PASSES) {
                pass += 1;
                at = start;
                in_ending = false;
                continue;
            }
            if bar.endings == 0 {
                (start, pass) = (at + 1, 1);
            }
        }
        at += 1;
    }
    order
}

/// The highest pass named by the endings around bar `at`.
fn last_ending(bars: &[Bar], at: usize) -> u8 {
    let around = bars[at..].iter().take_while(|b| b.endings != 0 && !(b.repeat_start));
    let all = around.fold(0, |mask, b| mask | b.endings);
    (all.max(2).ilog2() as u8).max(2)
}

/// The smallest meter whose bar is at least `length` ticks, in the largest beat value that is exact.
fn meter_of_length(length: u32) -> (u8, u8) {
    let mut beats = length.div_ceil(SHORTEST_BEAT).max(1);
    let mut denominator = 64;
    while denominator > 1 && (beats > 255 || (denominator > 4 && beats.is_multiple_of(2))) {
        beats = beats.div_ceil(2);
        denominator /= 2;
    }
    (beats.min(255) as u8, denominator)
}

/// Plays written bars out to a score (with the chord symbols over it).
///
/// A first bar shorter than its meter is a pick-up. Later short bars are joined with the next where both fill
/// one; what then still differs from its meter gets a meter of its own, except the last bar.
pub(crate) fn assemble(bars: &[Bar], title: Option<String>) -> Result<(Score, Vec<ChordSymbol>), ScoreError> {
    let order = play_order(bars);
    let state = carried(bars);
    let mut out = Assembly::default();
    let mut k = 0;
    let mut at = 0u32;
    while k < order.len() {
        let bar = &bars[order[k]];
        let nominal = bar.nominal();
        let next = order.get(k + 1).map(|&i| &bars[i]);
        let short = bar.length < nominal;
        let joined = match next {
            Some(next) if k > 0 && short && next.meter == bar.meter => bar.length + next.length == nominal,
            _ => false,
        };
        let is_last = next.is_none();
        let mut length = bar.length;
        if k == 0 && short && !is_last && bar.length > 0 {
            out.pickup = bar.length;
            out.meter(0, bar.meter);
        } else if joined || bar.length == nominal || (is_last && short) || bar.meter.is_none() {
            out.meter(at, bar.meter);
        } else {
            let meter = meter_of_length(bar.length);
            length = length.max(bar_ticks(meter));
            out.meter(at, Some(meter));
        }
        out.bar(at, bar, state[order[k]])?;
        at = advance(at, length)?;
        k += 1;
        if joined {
            out.bar(at, &bars[order[k]], state[order[k]])?;
            at = advance(at, bars[order[k]].length)?;
            k += 1;
        }
    }
    Ok(out.finish(title))
}

fn advance(at: u32, length: u32) -> Result<u32, ScoreError> {
    let next = at.saturating_add(length);
    limits::check("length in ticks", next as usize, limits::TICKS as usize)?;
    Ok(next)
}

/// Tempo and key in force at the start of each bar, in written order.
fn carried(bars: &[Bar]) -> Vec<(Option<f64>, Option<Key>)> {
    let mut now = (None, None);
    bars.iter()
        .map(|bar| {
            let before = now;
            now.0 = bar.tempos.last().map(|&(_, bpm)| bpm).or(now.0);
            now.1 = bar.keys.last().map(|&(_, key)| key).or(now.1);
            before
        })
        .collect()
}

#[derive(Default)]
struct Assembly {
    score: ScoreParts,
    pickup: u32,
    /// Index of the sounding note that a tie continues, by part and pitch.
    open: HashMap<(u16, Instrument, u8), usize>,
}

#[derive(Default)]
struct ScoreParts {
    notes: Vec<Note>,
    tempos: Vec<TempoChange>,
    meters: Vec<MeterChange>,
    keys: Vec<KeyChange>,
    chords: Vec<ChordSymbol>,
}

impl Assembly {
    fn meter(&mut self, tick: u32, meter: Option<(u8, u8)>) {
        let last = self.score.meters.last().map(|m| (m.numerator, m.denominator));
        let (numerator, denominator) = meter.or(last).unwrap_or((4, 4));
        if last != Some((numerator, denominator)) {
            self.score.meters.push(MeterChange { tick, numerator, denominator });
        }
    }

    fn tempo(&mut self, tick: u32, bpm: f64) {
        let tempos = &mut self.score.tempos;
        if tempos.last().is_some_and(|t| t.tick >= tick) {
            tempos.pop();
        }
        if tempos.last().is_none_or(|t| t.bpm != bpm) {
            tempos.push(TempoChange { tick, bpm });
        }
    }

    fn key(&mut self, tick: u32, key: Key) {
        let keys = &mut self.score.keys;
        if keys.last().is_some_and(|k| k.tick >= tick) {
            keys.pop();
        }
        if keys.last().is_none_or(|k| k.key != key) {
            keys.push(KeyChange { tick, key });
        }
    }

    fn bar(&mut self, at: u32, bar: &Bar, (tempo, key): (Option<f64>, Option<Key>)) -> Result<(), ScoreError> {
        for (tick, bpm) in tempo.map(|bpm| (0, bpm)).into_iter().chain(bar.tempos.iter().copied()) {
            self.tempo(at + tick.min(bar.length), bpm);
        }
        for (tick, key) in key.map(|key| (0, key)).into_iter().chain(bar.keys.iter().copied()) {
            self.key(at + tick.min(bar.length), key);
        }
        for chord in &bar.chords {
            self.score.chords.push(ChordSymbol { tick: at + chord.tick.min(bar.length), ..chord.clone() });
        }
        let notes = &mut self.score.notes;
        limits::check("notes", notes.len() + bar.notes.len() + self.score.chords.len(), limits::NOTES)?;
        for note in &bar.notes {
            let onset = at.saturating_add(note.offset);
            let slot = (note.part, note.instrument, note.pitch);
            let continued =
                if note.tied_back { self.open.remove(&slot).filter(|&i| notes[i].end() == onset) } else { None };
            let index = match continued {
                Some(index) => {
                    notes[index].duration += note.duration;
                    index
                }
                None => {
                    notes.push(Note {
                        onset,
                        duration: note.duration.max(1),
                        pitch: note.pitch,
                        velocity: note.velocity,
                        instrument: note.instrument,
                    });
                    notes.len() - 1
                }
            };
            if note.tied_on {
                self.open.insert(slot, index);
            }
        }
        Ok(())
    }

    fn finish(self, title: Option<String>) -> (Score, Vec<ChordSymbol>) {
        let ScoreParts { notes, mut tempos, mut meters, keys, chords } = self.score;
        if tempos.first().is_none_or(|t| t.tick > 0) {
            tempos.insert(0, TempoChange { tick: 0, bpm: 120.0 });
            tempos.dedup_by_key(|t| t.bpm);
        }
        if meters.is_empty() {
            meters.push(MeterChange { tick: 0, numerator: 4, denominator: 4 });
        }
        let mut score = Score { notes, tempos, meters, keys, pickup: self.pickup, title };
        score.sort();
        (score, chords)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(text: &str) -> Vec<Bar> {
        // "<" repeat start, ">" repeat end, digit: ending; one word a bar.
        text.split_whitespace()
            .map(|word| Bar {
                meter: Some((4, 4)),
                length: 1920,
                repeat_start: word.contains('<'),
                repeat_end: if word.contains('>') { 2 } else { 0 },
                endings: word.chars().filter_map(|c| c.to_digit(10)).fold(0, |m, d| m | 1 << d),
                ..Bar::default()
            })
            .collect()
    }

    #[test]
    fn repeats_and_endings_are_played_out() {
        assert_eq!(play_order(&bars(". .> . .>")), [0, 1, 0, 1, 2, 3, 2, 3]);
        assert_eq!(play_order(&bars(". <. .> .")), [0, 1, 2, 1, 2, 3]);
        assert_eq!(play_order(&bars("<. 1> 2 .")), [0, 1, 0, 2, 3]);
        assert_eq!(play_order(&bars("<. 1> 2> 3 .")), [0, 1, 0, 2, 0, 3, 4]);
        assert_eq!(play_order(&bars(". 1> 2 . .>")), [0, 1, 0, 2, 3, 4, 3, 4]);
        assert_eq!(play_order(&bars("<. 1> 2> <. 1> 2>")), [0, 1, 0, 2, 3, 4, 3, 5]);
        assert_eq!(play_order(&bars("<. 12> 3 .")), [0, 1, 0, 1, 0, 2, 3]);
    }

    #[test]
    fn uneven_bars_keep_bar_lines_in_step() {
        let mut piece = bars("< . . > .");
        for (bar, length) in piece.iter_mut().zip([480, 1920, 960, 1440, 1920]) {
            bar.length = length;
        }
        let (score, _) = assemble(&piece, None).unwrap();
        // Pick-up 1, 4, then a 2/4 bar, 3 + the pick-up again as one bar, 4, 2/4, 3/4, last.
        assert_eq!(score.pickup, 480);
        let meters: Vec<_> = score.meters.iter().map(|m| (m.tick, m.numerator, m.denominator)).collect();
        assert_eq!(meters, [(0, 4, 4), (2400, 2, 4), (3360, 4, 4), (7200, 2, 4), (8160, 3, 4), (9600, 4, 4)]);
    }

    #[test]
    fn meters_of_odd_lengths() {
        assert_eq!(meter_of_length(1440), (3, 4));
        assert_eq!(meter_of_length(240 * 5), (5, 8));
        assert_eq!(meter_of_length(31), (1, 32));
        assert!(bar_ticks(meter_of_length(480 * 200 + 1)) > 480 * 200);
    }
}
