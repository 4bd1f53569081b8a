//! Which tokens make a possible note: the masks of the score family's streams.
//!
//! A row's fields are sampled one decoder step apart (delay pattern), so a mask may rely on the fields of its own row
//! that come before, and on the same field of the row before, but not on later fields of that row.

use affetto_models::decoder::Progress;
use affetto_score::Instrument;
use affetto_score::codec::{
    BAR, DRUM_PITCH_OFFSET, DURATION, END_OF_PIECE, INSTRUMENT, PITCH, POSITION, Row, STEPS_PER_QUARTER, VELOCITY,
    duration_steps,
};

use super::plan::Plan;

/// Most notes that start together.
const MAX_CHORD: usize = 14;
/// Most bars advanced at once: no bar is without a row.
const MAX_ADVANCE: usize = 1;
/// Grid steps by which a take has begun: one quarter.
const FIRST_ONSET_STEPS: u32 = STEPS_PER_QUARTER;
/// Semitones beyond an instrument's comfortable range that are still written for it.
const BEYOND_RANGE: u16 = 3;
/// Keys of the General MIDI drum kit that sound.
const DRUM_KEYS: std::ops::RangeInclusive<u16> = 35..=81;

/// The rules of one take.
#[derive(Clone, Debug)]
pub struct Rules {
    bar_steps: u32,
    /// The first bar that is written: those before are given.
    first_bar: usize,
    /// The first row that is written.
    first_row: usize,
    last_bar: usize,
    end_step: u32,
    instruments: Vec<Instrument>,
}

/// A row's place: absolute bar, and what is known of its tokens (0 where nothing is).
#[derive(Clone, Copy, Debug, Default)]
struct Placed {
    bar: usize,
    row: Row,
}

/// The rows sampled so far, with absolute bars.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    bars: Vec<usize>,
    ended_at: Option<usize>,
}

impl Rows {
    /// Catches up with the bar advances that have been sampled.
    pub fn follow(&mut self, progress: &Progress) {
        while let Some(advance) = progress.code(self.bars.len(), BAR) {
            let before = self.bars.last().copied().unwrap_or(0);
            if advance >= u32::from(END_OF_PIECE) {
                self.ended_at.get_or_insert(self.bars.len());
            }
            let ends = advance >= u32::from(END_OF_PIECE);
            self.bars.push(before + if ends { 0 } else { advance as usize });
        }
    }

    /// The bar of the newest row that has one; bar 0 before the first.
    pub fn newest_bar(&self) -> usize {
        self.bars.last().copied().unwrap_or(0)
    }

    /// The bar of the newest of the first `rows` rows; bar 0 before the first.
    pub fn bar_before(&self, rows: usize) -> usize {
        rows.checked_sub(1).and_then(|row| self.bars.get(row)).copied().unwrap_or(0)
    }

    /// The bar of a row, once it is known.
    pub fn bar(&self, row: usize) -> Option<usize> {
        self.bars.get(row).copied()
    }

    /// The row that ends the piece, once it is known.
    pub fn ended_at(&self) -> Option<usize> {
        self.ended_at
    }

    fn placed(&self, progress: &Progress, row: usize) -> Placed {
        let token = |stream| progress.code(row, stream).unwrap_or(0) as u16;
        Placed { bar: self.bars.get(row).copied().unwrap_or(0), row: std::array::from_fn(token) }
    }
}

impl Rules {
    /// The rules of a plan with the instruments that may play (all, if empty).
    pub fn new(plan: &Plan, instruments: &[Instrument]) -> Rules {
        Rules {
            bar_steps: plan.bar_steps,
            first_bar: plan.given_bars,
            first_row: plan.given_rows,
            last_bar: plan.bars.len() - 1,
            end_step: plan.end_step,
            instruments: instruments.to_vec(),
        }
    }

    /// Exchanges the instruments that may play (all, if empty).
    pub fn let_play(&mut self, instruments: Vec<Instrument>) {
        self.instruments = instruments;
    }

    /// Sets `allowed[token]` for the token of `stream` in `row`. At least one token is always allowed.
    pub fn mask(&self, rows: &Rows, progress: &Progress, row: usize, stream: usize, allowed: &mut [bool]) {
        let current = rows.placed(progress, row);
        let before = row.checked_sub(1).map(|before| rows.placed(progress, before));
        match stream {
            POSITION => self.positions(progress, row, allowed),
            BAR => self.bars(current, before, allowed),
            INSTRUMENT => self.instruments(current, before, allowed),
            PITCH => pitches(current, before, allowed),
            DURATION => {
                let onset = self.step(current);
                allowed
                    .iter_mut()
                    .enumerate()
                    .for_each(|(t, ok)| *ok = t == 0 || onset + duration_steps(t as u16) <= self.end_step);
            }
            VELOCITY => allowed.iter_mut().enumerate().for_each(|(t, ok)| *ok = t >= 4),
            _ => allowed.fill(true),
        }
    }

    fn step(&self, placed: Placed) -> u32 {
        placed.bar as u32 * self.bar_steps + u32::from(placed.row[POSITION])
    }

    fn positions(&self, progress: &Progress, row: usize, allowed: &mut [bool]) {
        let position = |row: usize| progress.code(row, POSITION);
        let crowded = row
            .checked_sub(MAX_CHORD)
            .and_then(|first| position(first).filter(|p| (first..row).all(|r| position(r) == Some(*p))));
        // The first note comes at once, and fits before the end; the first behind given ones comes in the first bar.
        let room = self.end_step.saturating_sub(self.first_bar as u32 * self.bar_steps);
        let soon = match row {
            0 => room.min(FIRST_ONSET_STEPS),
            row if row == self.first_row => room,
            _ => u32::MAX,
        };
        for (t, ok) in allowed.iter_mut().enumerate() {
            *ok = (t as u32) < self.bar_steps.min(soon) && crowded != Some(t as u32);
        }
    }

    /// Bars advanced, and the end. The model never chooses to end: the token is allowed where no further note fits into
    /// the plan, and then it is the only one. So a piece is as long as it was planned.
    fn bars(&self, current: Placed, before: Option<Placed>, allowed: &mut [bool]) {
        allowed.fill(false);
        let position = current.row[POSITION];
        let Some(before) = before else {
            allowed[0] = true;
            return;
        };
        for (advance, ok) in allowed.iter_mut().enumerate().take(MAX_ADVANCE + 1) {
            let bar = before.bar + advance;
            let onset = bar as u32 * self.bar_steps + u32::from(position);
            let in_order = advance > 0 || position >= before.row[POSITION];
            *ok = bar >= self.first_bar && bar <= self.last_bar && onset < self.end_step && in_order;
        }
        let nothing_fits = !allowed.contains(&true);
        allowed[usize::from(END_OF_PIECE)] = nothing_fits;
    }

    fn instruments(&self, current: Placed, before: Option<Placed>, allowed: &mut [bool]) {
        let listed = |t: usize| self.instruments.is_empty() || self.instruments.contains(&Instrument(t as u8));
        let together = before.filter(|b| same_onset(current, *b));
        // A row that starts with the one before comes after it in instrument order.
        let least = together.map_or(0, |b| usize::from(b.row[INSTRUMENT]));
        allowed.iter_mut().enumerate().for_each(|(t, ok)| *ok = listed(t) && t >= least);
        if !allowed.contains(&true) {
            allowed.iter_mut().enumerate().for_each(|(t, ok)| *ok = listed(t));
        }
    }
}

fn same_onset(current: Placed, before: Placed) -> bool {
    current.row[BAR] == 0 && current.row[POSITION] == before.row[POSITION]
}

fn pitches(current: Placed, before: Option<Placed>, allowed: &mut [bool]) {
    let drums = current.row[INSTRUMENT] == u16::from(Instrument::DRUMS.0);
    let range = Instrument(current.row[INSTRUMENT] as u8).comfortable_range();
    let (low, high) = (u16::from(*range.start()) - BEYOND_RANGE, u16::from(*range.end()) + BEYOND_RANGE);
    let playable = |t: u16| match drums {
        true => t >= DRUM_PITCH_OFFSET && DRUM_KEYS.contains(&(t - DRUM_PITCH_OFFSET)),
        false => (low..=high).contains(&t),
    };
    let above = before
        .filter(|b| same_onset(current, *b) && b.row[INSTRUMENT] == current.row[INSTRUMENT])
        .map_or(-1, |b| i32::from(b.row[PITCH]));
    allowed.iter_mut().enumerate().for_each(|(t, ok)| *ok = playable(t as u16) && t as i32 > above);
    if !allowed.contains(&true) {
        // Nothing lies above: a doubled note, which the composer drops.
        allowed.iter_mut().enumerate().for_each(|(t, ok)| *ok = playable(t as u16));
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::codec::Frame;

    use super::*;
    use crate::compose::plan::PlannedBar;

    #[test]
    fn only_those_play_who_may() {
        let frame = Frame { tempos: Vec::new(), meters: Vec::new(), keys: Vec::new(), pickup: 0, title: None };
        let bar = PlannedBar {
            start_step: 0,
            start_seconds: 0.0,
            tempo_bpm: 90.0,
            emotion: None,
            density: None,
            minor_share: None,
            closing: 0,
        };
        let (given_bars, given_rows, lead_steps) = (0, 0, 0);
        let plan = Plan { frame, bars: vec![bar], bar_steps: 96, end_step: 96, given_bars, given_rows, lead_steps };
        let (flute, violin) = (Instrument(73), Instrument(40));
        let mut rules = Rules::new(&plan, &[flute]);
        let players = |rules: &Rules| {
            let mut allowed = vec![true; 129];
            rules.instruments(Placed::default(), None, &mut allowed);
            (0..129).filter(|&t| allowed[t]).collect::<Vec<_>>()
        };
        assert_eq!(players(&rules), [73]);
        rules.let_play(vec![flute, violin]);
        assert_eq!(players(&rules), [40, 73]);
    }
}
