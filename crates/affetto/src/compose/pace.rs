//! Keeps a take at the onset density that its plan has.
//!
//! A model that is told a density follows it loosely: what it has just written weighs more with it. So it is told more
//! than is meant where it fell behind, and less where it ran ahead; also where a direction made it, unless the density
//! gives way to that. What counts is what is played: of a lone wind, the top line of what is written.

use affetto_models::decoder::Progress;
use affetto_score::codec::{DURATION, INSTRUMENT, PITCH, POSITION, duration_steps};
use affetto_score::{Instrument, Note};

use super::clean;
use super::plan::Plan;
use super::rules::Rows;

/// Bars that are looked back upon.
const MEMORY_BARS: usize = 4;
/// Onsets that both what is meant and what is written are credited with, so that few of them say little.
const CREDIT_ONSETS: f64 = 4.0;
/// Power of the ratio of meant to written onsets by which what is told is changed.
const GAIN: f64 = 2.0;
/// The most that is told beyond what is meant, as a factor; below it, its inverse. It may be more than a tempo has room
/// for: it pushes, and is not there to be played.
const MOST: f64 = 3.0;

/// The onsets that are written, bar by bar.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Rows that are counted.
    rows: usize,
    /// The place of the last of them, as (bar, position).
    place: Option<(usize, u32)>,
    /// Distinct onsets of each bar from the plan's first on.
    onsets: Vec<u32>,
    /// Where a lone wind plays: its line.
    line: Option<Line>,
    /// The bar that was last asked for, and what it is told.
    settled: Option<(usize, Option<f32>)>,
}

/// The top line of what a lone wind is given to play, as far as its notes are whole.
#[derive(Clone, Debug)]
struct Line {
    player: Instrument,
    /// Rows that are looked at.
    rows: usize,
    /// The last note of the line; times in grid steps.
    last: Option<Note>,
    /// The highest note so far of the onset that is looked at, and its bar.
    top: Option<(Note, usize)>,
}

impl Line {
    /// Looks at a note that begins in `bar`. Returns the bar of the onset before it, if that is not of the line.
    fn follow(&mut self, note: Note, bar: usize) -> Option<usize> {
        let (top, its_bar) = *self.top.get_or_insert((note, bar));
        if top.onset >= note.onset {
            if note.pitch > top.pitch {
                self.top = Some((note, bar));
            }
            return None;
        }
        self.top = Some((note, bar));
        if self.last.as_ref().is_some_and(|last| clean::lies_under(last, &top)) {
            return Some(its_bar);
        }
        self.last = Some(top);
        None
    }
}

impl Pace {
    /// The pace of a take that `players` play, whose first `given_rows` rows are given.
    pub fn of(players: &[Instrument], given_rows: usize) -> Pace {
        let line = |player| Line { player, rows: given_rows, last: None, top: None };
        Pace { line: clean::lone_wind(players).map(line), ..Pace::default() }
    }

    /// Catches up with the rows that have a place, in bars of `bar_steps`.
    pub fn follow(&mut self, rows: &Rows, progress: &Progress, bar_steps: u32) {
        while let (Some(bar), Some(position)) = (rows.bar(self.rows), progress.code(self.rows, POSITION)) {
            self.rows += 1;
            self.count(bar, position);
        }
        while let Some(line) = &mut self.line
            && let (Some(bar), Some(duration)) = (rows.bar(line.rows), progress.code(line.rows, DURATION))
        {
            let code = |stream| progress.code(line.rows, stream).unwrap_or(0);
            if code(INSTRUMENT) != u32::from(line.player.0) {
                // A direction let others join: from here on all onsets count.
                self.line = None;
                return;
            }
            let note = Note {
                onset: bar as u32 * bar_steps + code(POSITION),
                duration: duration_steps(duration as u16),
                pitch: code(PITCH) as u8,
                velocity: 0,
                instrument: line.player,
            };
            line.rows += 1;
            if let Some(bar) = line.follow(note, bar) {
                self.onsets[bar] -= 1;
            }
        }
    }

    /// The density to tell the model in `bar`, in distinct onsets per second; none where the plan has none. It is settled
    /// when a bar is first asked for.
    pub fn told(&mut self, plan: &Plan, bar: usize) -> Option<f32> {
        match self.settled {
            Some((settled, density)) if settled == bar => density,
            _ => self.settled.insert((bar, self.settle(plan, bar))).1,
        }
    }

    fn settle(&self, plan: &Plan, bar: usize) -> Option<f32> {
        let meant_here = plan.bars[bar].density?;
        let past = plan.given_bars.max(bar.saturating_sub(MEMORY_BARS))..bar;
        let mut meant = CREDIT_ONSETS;
        for bars in past.clone().map(|b| &plan.bars[b..b + 2]) {
            let seconds = bars[1].start_seconds - bars[0].start_seconds;
            meant += f64::from(bars[0].density.unwrap_or(meant_here)) * seconds;
        }
        let written = CREDIT_ONSETS + past.map(|b| f64::from(self.onsets.get(b).copied().unwrap_or(0))).sum::<f64>();
        let factor = (meant / written).powf(GAIN).clamp(1.0 / MOST, MOST);
        Some((f64::from(meant_here) * factor) as f32)
    }

    fn count(&mut self, bar: usize, position: u32) {
        if self.place.replace((bar, position)) != Some((bar, position)) {
            self.onsets.resize(self.onsets.len().max(bar + 1), 0);
            self.onsets[bar] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::codec::Frame;

    use super::*;
    use crate::compose::plan::PlannedBar;

    /// Bars of two seconds, at three onsets a second.
    fn plan(given_bars: usize) -> Plan {
        let bar = |number: u32| PlannedBar {
            start_step: number * 96,
            start_seconds: 2.0 * f64::from(number),
            tempo_bpm: 120.0,
            emotion: None,
            density: Some(3.0),
            minor_share: None,
            closing: 0,
        };
        let frame = Frame { tempos: Vec::new(), meters: Vec::new(), keys: Vec::new(), pickup: 0, title: None };
        let bars: Vec<PlannedBar> = (0..12).map(bar).collect();
        Plan { frame, bars, bar_steps: 96, end_step: 12 * 96, given_bars, given_rows: 0, lead_steps: 0 }
    }

    /// Bars with so many onsets each, every one a chord of two notes.
    fn written(onsets: &[u32]) -> Pace {
        let mut pace = Pace::default();
        for (bar, &count) in onsets.iter().enumerate() {
            (0..count).for_each(|i| (0..2).for_each(|_| pace.count(bar, i * 6)));
        }
        pace
    }

    #[test]
    fn who_keeps_the_pace_is_told_what_is_meant() {
        assert_eq!(Pace::default().told(&plan(0), 0), Some(3.0));
        assert_eq!(written(&[6, 6, 6]).told(&plan(0), 3), Some(3.0));
        let mut plan = plan(0);
        plan.bars.iter_mut().for_each(|bar| bar.density = None);
        assert_eq!(written(&[6]).told(&plan, 1), None);
    }

    #[test]
    fn who_falls_behind_is_told_more_and_who_runs_ahead_less() {
        // Meant: 4 + 6 onsets with the credit; written: 4 + 1, and 4 + 8.
        assert_eq!(written(&[1]).told(&plan(0), 1), Some(9.0), "a factor of 4 would be beyond the most");
        let ahead = written(&[8]).told(&plan(0), 1).unwrap();
        assert!((ahead - 3.0 * (10.0f32 / 12.0).powi(2)).abs() < 1e-5, "{ahead}");
        assert_eq!(written(&[40, 40]).told(&plan(0), 2), Some(1.0));
    }

    #[test]
    fn what_is_long_past_and_what_was_given_does_not_count() {
        assert_eq!(written(&[40, 6, 6, 6, 6]).told(&plan(0), 5), Some(3.0));
        assert_eq!(written(&[40, 40]).told(&plan(2), 2), Some(3.0));
    }

    #[test]
    fn what_lies_under_a_lone_winds_line_does_not_count() {
        let note =
            |onset, duration, pitch| Note { onset, duration, pitch, velocity: 80, instrument: Instrument::PIANO };
        // A chord under a held note that other notes move under, then two that are of the line.
        let rows = [(0, 96, 72), (0, 96, 60), (24, 24, 64), (48, 48, 65), (96, 24, 71), (120, 24, 74), (144, 24, 70)];
        let mut pace = Pace::of(&[Instrument(73)], 0);
        let line = pace.line.as_mut().unwrap();
        let left: Vec<_> =
            rows.iter().filter_map(|&(on, d, p)| line.follow(note(on, d, p), on as usize / 96)).collect();
        assert_eq!(left, [0, 0]);
        assert_eq!(line.last, Some(note(120, 24, 74)));
        assert!(Pace::of(&[Instrument(73), Instrument(0)], 0).line.is_none(), "two are not alone");
    }

    #[test]
    fn what_a_bar_is_told_is_settled_once() {
        let mut pace = written(&[6]);
        assert_eq!(pace.told(&plan(0), 1), Some(3.0));
        (0..12).for_each(|i| pace.count(0, 60 + i));
        assert_eq!(pace.told(&plan(0), 1), Some(3.0));
        assert!(pace.told(&plan(0), 2).unwrap() < 3.0, "18 onsets where 12 are meant");
    }
}
