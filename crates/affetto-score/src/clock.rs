//! Ticks to seconds by a table, for whoever asks for many notes: [`Score::seconds_at`] walks the tempo map each time.

use crate::score::{Score, TICKS_PER_QUARTER};

/// The tempo map of a score as a table of seconds.
#[derive(Clone, Debug)]
pub struct Clock {
    /// (tick, seconds there, seconds a tick from there on).
    points: Vec<(u32, f64, f64)>,
}

impl Clock {
    /// The table of a score. Tempos are kept within 1 and 5000 quarter notes per minute; one that is no number counts
    /// as 120.
    pub fn new(score: &Score) -> Clock {
        let mut points = vec![(0u32, 0.0, 0.5 / f64::from(TICKS_PER_QUARTER))];
        for change in &score.tempos {
            let bpm = if change.bpm.is_finite() && change.bpm > 0.0 { change.bpm.clamp(1.0, 5000.0) } else { 120.0 };
            let at = points.last().map_or(0.0, |p| p.1 + f64::from(change.tick.saturating_sub(p.0)) * p.2);
            points.push((change.tick, at, 60.0 / (bpm * f64::from(TICKS_PER_QUARTER))));
        }
        Clock { points }
    }

    /// Seconds from the start to `tick`.
    pub fn seconds(&self, tick: u32) -> f64 {
        let (from, at, per_tick) = self.points[self.points.partition_point(|p| p.0 <= tick).saturating_sub(1)];
        at + f64::from(tick.saturating_sub(from)) * per_tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::TempoChange;

    #[test]
    fn the_table_and_the_map_agree() {
        let tempos = [(0, 120.0), (480, 60.0), (1000, 93.5)].map(|(tick, bpm)| TempoChange { tick, bpm }).to_vec();
        let score = Score { tempos, ..Score::default() };
        let clock = Clock::new(&score);
        assert_eq!(clock.seconds(960), 1.5);
        for tick in [0, 1, 479, 480, 481, 999, 1000, 5000] {
            assert!((clock.seconds(tick) - score.seconds_at(tick)).abs() < 1e-9, "{tick}");
        }
    }
}
