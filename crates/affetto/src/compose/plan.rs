//! The plan of a take before its notes: bars, tempo map, and what holds in each bar.

use affetto_control::conditions::CLOSING_FAR;
use affetto_control::{Emotion, EmotionCurve, MeterClass};
use affetto_score::codec::{Frame, STEPS_PER_QUARTER, TICKS_PER_STEP};
use affetto_score::score::TICKS_PER_QUARTER;
use affetto_score::{Key, KeyChange, TempoChange};

use super::opening::Opening;
use crate::prompt::TEMPO_RANGE;

/// Silence kept for releases and reverb after the last note's end, in seconds (less in very short takes).
const TAIL_SECONDS: f64 = 1.6;
/// How far a free tempo may be bent so that whole bars fill the take.
const TEMPO_BEND: f64 = 0.05;

/// One bar of the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedBar {
    /// First grid step.
    pub start_step: u32,
    /// Seconds from the start of the take.
    pub start_seconds: f64,
    /// Quarter notes per minute.
    pub tempo_bpm: f64,
    /// The feeling at the middle of the bar, if any is asked.
    pub emotion: Option<Emotion>,
    /// Distinct onsets per second.
    pub density: Option<f32>,
    /// By how much the key is told to be minor rather than major (0 to 1), where that follows the feeling.
    pub minor_share: Option<f32>,
    /// Bars left until the end, [`CLOSING_FAR`] for that many or more.
    pub closing: u8,
}

/// What is fixed before the first note.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Tempo, meter and key of the take.
    pub frame: Frame,
    /// The bars; at least one.
    pub bars: Vec<PlannedBar>,
    /// Steps in a bar.
    pub bar_steps: u32,
    /// The grid step by which every note has ended.
    pub end_step: u32,
    /// The first bars, whose notes are given.
    pub given_bars: usize,
    /// Those notes' rows.
    pub given_rows: usize,
    /// Grid steps of bar 0 that come before tick 0: those that a pick-up lacks.
    pub lead_steps: u32,
}

impl Plan {
    /// The tick of a grid step.
    pub fn tick(&self, step: u32) -> u32 {
        step.saturating_sub(self.lead_steps) * TICKS_PER_STEP
    }

    /// The tick at which the first bar begins whose notes are not given.
    pub fn first_tick(&self) -> u32 {
        self.bars.get(self.given_bars).map_or(0, |bar| self.tick(bar.start_step))
    }

    /// The bar that a second lies in.
    pub fn bar_at(&self, seconds: f64) -> &PlannedBar {
        let after = self.bars.partition_point(|bar| bar.start_seconds <= seconds);
        &self.bars[after.saturating_sub(1)]
    }

    /// The second of a place in a bar, in grid steps from its bar line.
    pub fn seconds(&self, bar: usize, position: u32) -> f64 {
        let bar = &self.bars[bar.min(self.bars.len() - 1)];
        bar.start_seconds + f64::from(position) * 60.0 / (bar.tempo_bpm * f64::from(STEPS_PER_QUARTER))
    }
}

/// How the tempo, density and mode of a bar are found.
pub trait Movement {
    /// Quarter notes per minute at a feeling.
    fn tempo_bpm(&self, emotion: Option<Emotion>) -> f64;
    /// Distinct onsets per second at a feeling and tempo.
    fn density(&self, emotion: Option<Emotion>, tempo_bpm: f64) -> Option<f32>;
    /// By how much music of a feeling is told to be minor, 0 to 1; `None` where the mode does not follow the feeling.
    fn minor_share(&self, _: Option<Emotion>) -> Option<f32> {
        None
    }
    /// Whether the tempo was asked for, and so may not be bent.
    fn tempo_is_fixed(&self) -> bool;
}

/// The second by which the notes of so much music have ended.
pub fn notes_end(seconds: f64) -> f64 {
    seconds - TAIL_SECONDS.min(seconds * 0.3)
}

/// Lays out `seconds` of music, of which the bars of `opening` are given; its length must be below [`notes_end`].
pub fn plan(
    seconds: f64,
    meter: MeterClass,
    key: Option<Key>,
    emotion: Option<&EmotionCurve>,
    movement: &dyn Movement,
    opening: Option<&Opening>,
) -> Plan {
    let notes_end = notes_end(seconds);
    let bar_ticks = meter.meter().bar_ticks();
    let bar_quarters = f64::from(bar_ticks) / f64::from(TICKS_PER_QUARTER);
    let at = |seconds: f64| emotion.map(|curve| curve.at(seconds));
    let steady = emotion.is_none_or(EmotionCurve::is_constant);

    let mut bars: Vec<PlannedBar> = opening.map_or(Vec::new(), |given| given.bars.clone());
    let given_bars = bars.len();
    let mut start_seconds = opening.map_or(0.0, |given| given.end_seconds);
    let bar_steps = bar_ticks / TICKS_PER_STEP;
    let mut start_step = given_bars as u32 * bar_steps;
    let first_tempo = movement.tempo_bpm(at(start_seconds));
    let bend = match steady && !movement.tempo_is_fixed() {
        true => whole_bars_bend(notes_end, bar_quarters * 60.0 / first_tempo),
        false => 1.0,
    };
    // An asked tempo is the files' to the last digit; a free one is given no more digits than anyone reads.
    let settled = |bpm: f64| if movement.tempo_is_fixed() { bpm } else { hundredths(bpm) };
    while start_seconds < notes_end {
        // The feeling in the middle of the bar, with the bar's length guessed from its start.
        let guess = at(start_seconds);
        let half = bar_quarters * 30.0 / movement.tempo_bpm(guess);
        let emotion = at((start_seconds + half).min(notes_end));
        let tempo_bpm = match steady {
            true => settled(first_tempo * bend),
            false => settled(movement.tempo_bpm(emotion)),
        };
        bars.push(PlannedBar {
            start_step,
            start_seconds,
            tempo_bpm,
            emotion,
            density: movement.density(emotion, tempo_bpm).map(|density| density.min(fastest(tempo_bpm))),
            minor_share: movement.minor_share(emotion),
            closing: CLOSING_FAR,
        });
        start_seconds += bar_quarters * 60.0 / tempo_bpm;
        start_step += bar_steps;
    }
    let end_step = close(&mut bars, given_bars, notes_end, bar_steps);
    let frame = Frame { tempos: Vec::new(), meters: vec![meter.meter()], keys: Vec::new(), pickup: 0, title: None };
    let (given_rows, lead_steps) = opening.map_or((0, 0), |given| (given.rows.len(), given.lead_steps));
    let frame = opening.map_or(frame, |given| given.frame.clone());
    let mut plan = Plan { frame, bars, bar_steps, end_step, given_bars, given_rows, lead_steps };
    let first_tick = plan.first_tick();
    plan.frame.tempos.retain(|tempo| tempo.tick < first_tick);
    for bar in &plan.bars[given_bars..] {
        plan.frame.tempos.push(TempoChange { tick: plan.tick(bar.start_step), bpm: bar.tempo_bpm });
    }
    plan.frame.tempos.dedup_by(|later, earlier| later.bpm == earlier.bpm);
    plan.frame.keys.retain(|change| change.tick < first_tick);
    plan.frame.keys.extend(key.map(|key| KeyChange { tick: first_tick, key }));
    plan.frame.keys.dedup_by(|later, earlier| later.key == earlier.key);
    plan
}

/// Finds the last grid step a note may sound to, drops a last bar too short to say anything, and numbers the closing
/// bars.
fn close(bars: &mut Vec<PlannedBar>, given: usize, notes_end: f64, bar_steps: u32) -> u32 {
    let steps_into = |bar: &PlannedBar| {
        let per_second = bar.tempo_bpm / 60.0 * f64::from(STEPS_PER_QUARTER);
        ((notes_end - bar.start_seconds) * per_second + 1e-6).floor().max(1.0) as u32
    };
    let last = *bars.last().expect("a plan has a bar");
    let mut end_step = last.start_step + steps_into(&last).min(bar_steps);
    if bars.len() > given + 1 && end_step - last.start_step < STEPS_PER_QUARTER {
        bars.pop();
        end_step = last.start_step;
    }
    for (left, bar) in bars.iter_mut().rev().take(usize::from(CLOSING_FAR)).enumerate() {
        bar.closing = left as u8;
    }
    end_step
}

/// Onsets per second of unbroken sixteenths: beyond them the model has learned nothing.
fn fastest(tempo_bpm: f64) -> f32 {
    (tempo_bpm / 60.0 * 4.0) as f32
}

/// Factor on the tempo that makes bars of `bar_seconds` fill `seconds` exactly, if a small one does; else 1.
fn whole_bars_bend(seconds: f64, bar_seconds: f64) -> f64 {
    let bars = (seconds / bar_seconds).round();
    let bend = bars * bar_seconds / seconds;
    if bars >= 1.0 && (1.0 - bend).abs() <= TEMPO_BEND { bend } else { 1.0 }
}

/// Two decimals, within the tempos that can be asked for.
fn hundredths(bpm: f64) -> f64 {
    ((bpm * 100.0).round() / 100.0).clamp(f64::from(*TEMPO_RANGE.start()), f64::from(*TEMPO_RANGE.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Steady(f64, bool);
    impl Movement for Steady {
        fn tempo_bpm(&self, emotion: Option<Emotion>) -> f64 {
            self.0 + f64::from(emotion.map_or(0.0, |e| e.arousal)) * 30.0
        }
        fn density(&self, _: Option<Emotion>, _: f64) -> Option<f32> {
            None
        }
        fn tempo_is_fixed(&self) -> bool {
            self.1
        }
    }

    #[test]
    fn an_asked_tempo_is_kept_exactly_and_notes_end_before_the_tail() {
        let plan = plan(30.0, MeterClass::FourFour, None, None, &Steady(92.456, true), None);
        assert_eq!(plan.frame.tempos, vec![TempoChange { tick: 0, bpm: 92.456 }]);
        let end = f64::from(plan.end_step) / 24.0 * 60.0 / 92.456;
        assert!(end <= 30.0 - 1.5 && end > 26.0, "{end}");
        assert_eq!(plan.bars.last().unwrap().closing, 0);
    }

    #[test]
    fn a_free_tempo_is_bent_to_whole_bars() {
        let plan = plan(30.0, MeterClass::FourFour, None, None, &Steady(100.0, false), None);
        assert_eq!(plan.end_step % plan.bar_steps, 0);
        let bpm = plan.frame.tempos[0].bpm;
        assert!((bpm / 100.0 - 1.0).abs() <= 0.051, "{bpm}");
    }

    #[test]
    fn a_curve_moves_the_tempo_bar_by_bar() {
        let curve = EmotionCurve::parse("0:0,-1 30:0,1").unwrap();
        let plan = plan(30.0, MeterClass::ThreeFour, None, Some(&curve), &Steady(100.0, false), None);
        let bpms: Vec<f64> = plan.frame.tempos.iter().map(|t| t.bpm).collect();
        assert!(bpms.len() > 5 && bpms.windows(2).all(|w| w[0] < w[1]), "{bpms:?}");
    }

    #[test]
    fn the_shortest_take_still_has_room_for_a_note() {
        let plan = plan(0.05, MeterClass::FourFour, None, None, &Steady(60.0, true), None);
        assert_eq!(plan.bars.len(), 1);
        assert!(plan.end_step >= 1);
    }
}
