//! Activations over files of notes.

use std::ops::Range;
use std::path::Path;

use affetto_models::decoder::DecoderLm;
use affetto_score::codec::{self, BAR, Row};
use affetto_score::{Clock, Score};

use super::{Recorded, check_window};
use crate::error::{Error, Result};
use crate::notes_file::read_midi;

/// Fewest notes of a file, and of a stretch: as in the windows the model learned from.
const MIN_NOTES: usize = 8;
/// The longest stretch that makes sense, in seconds: the model's window in rows ends most before.
const MAX_WINDOW_SECONDS: f64 = 600.0;

/// Whole bars of a score.
#[derive(Debug, PartialEq)]
struct Stretch {
    /// Rows.
    rows: Range<usize>,
    start_seconds: f64,
    seconds: f64,
}

/// Reads a MIDI file through the decoder, stretch by stretch.
pub fn record(lm: &DecoderLm, file: &Path, window_seconds: f64) -> Result<Vec<Recorded>> {
    check_window(window_seconds, MAX_WINDOW_SECONDS)?;
    let bad = |reason: String| Error::Input { path: file.to_owned(), reason };
    let score = read_midi(file)?;
    if score.notes.len() < MIN_NOTES {
        return Err(bad(format!("{} notes, expected at least {MIN_NOTES}; give more music", score.notes.len())));
    }
    let (rows, stretches) = stretches(&score, window_seconds, lm.config().max_window);
    if stretches.is_empty() {
        return Err(bad(format!("no stretch of {window_seconds} s has {MIN_NOTES} notes; ask for longer windows")));
    }
    let record = |stretch: Stretch| {
        let rows = &rows[stretch.rows];
        let mut codes: Vec<u32> = rows.iter().flatten().map(|&token| u32::from(token)).collect();
        // As generation reads the first row of a window.
        codes[BAR] = 0;
        let pooled = lm.pooled(&codes, &[], None)?;
        Ok(Recorded { start_seconds: stretch.start_seconds, seconds: stretch.seconds, pooled })
    };
    stretches.into_iter().map(record).collect()
}

/// The rows of a score, and its stretches of about `window` seconds and at most `most` rows. A stretch ends at the bar line
/// nearest to that; a rest of less than half of that is left out, and so is a stretch of few notes.
fn stretches(score: &Score, window: f64, most: usize) -> (Vec<Row>, Vec<Stretch>) {
    let clock = Clock::new(score);
    let encoded = codec::encode(score);
    let grid = codec::BarGrid::new(&encoded.frame, score.end());
    let seconds = |bar: usize| {
        let tick = grid.start(bar).max(0) as u64 * u64::from(codec::TICKS_PER_STEP);
        clock.seconds(tick.min(u64::from(u32::MAX)) as u32)
    };
    // The bar of each row; the rows alone do not tell it, since they shorten long rests.
    let step = |tick: u32| i64::from((tick + codec::TICKS_PER_STEP / 2) / codec::TICKS_PER_STEP);
    let mut bars: Vec<usize> = score.notes.iter().map(|note| grid.bar_of(step(note.onset))).collect();
    bars.sort_unstable();
    let last = bars.last().copied().unwrap_or(0);
    let mut found: Vec<Stretch> = Vec::new();
    let mut first = 0;
    while first < bars.len() {
        let (bar, start) = (bars[first], seconds(bars[first]));
        let mut end = bar + 1;
        // On to the next bar line while that is nearer to the length asked for.
        while end <= last
            && (seconds(end + 1) - start - window).abs() < (seconds(end) - start - window).abs()
            && bars.partition_point(|b| *b < end + 1) - first <= most
        {
            end += 1;
        }
        let rows = first..bars.partition_point(|b| *b < end);
        first = rows.end;
        let seconds = seconds(end) - start;
        let rest = first == bars.len() && !found.is_empty() && seconds < window / 2.0;
        // A single bar may have more rows than the model reads at once.
        let rows = rows.start..rows.end.min(rows.start + most);
        if rows.len() >= MIN_NOTES && !rest {
            found.push(Stretch { rows, start_seconds: start, seconds });
        }
    }
    (encoded.rows, found)
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, MeterChange, Note, TempoChange};

    use super::*;

    /// Eighths through bars of 4/4 at 120 BPM: 8 notes and 2 s a bar.
    fn eighths(bars: &[usize]) -> Score {
        let notes = bars.iter().flat_map(|bar| {
            (0..8).map(move |i| Note {
                onset: *bar as u32 * 1920 + i * 240,
                duration: 240,
                pitch: 60,
                velocity: 80,
                instrument: Instrument(0),
            })
        });
        let mut score = Score { notes: notes.collect(), ..Score::default() };
        score.tempos = vec![TempoChange { tick: 0, bpm: 120.0 }];
        score.meters = vec![MeterChange { tick: 0, numerator: 4, denominator: 4 }];
        score
    }

    fn spans(score: &Score, window: f64, most: usize) -> Vec<(Range<usize>, f64, f64)> {
        let (rows, found) = stretches(score, window, most);
        assert_eq!(rows.len(), score.notes.len());
        found.into_iter().map(|s| (s.rows, s.start_seconds, s.seconds)).collect()
    }

    #[test]
    fn stretches_are_whole_bars_of_about_the_length_asked_for() {
        let ten = eighths(&(0..10).collect::<Vec<_>>());
        assert_eq!(spans(&ten, 5.9, 400), [(0..24, 0.0, 6.0), (24..48, 6.0, 6.0), (48..72, 12.0, 6.0)]);
        // The rest of 2 s was left out; one of 4 s is kept, and so is a short whole.
        assert_eq!(spans(&ten, 8.0, 400).last(), Some(&(64..80, 16.0, 4.0)));
        assert_eq!(spans(&ten, 100.0, 400), [(0..80, 0.0, 20.0)]);
        // No more rows than the model reads at once.
        assert_eq!(spans(&ten, 8.0, 20)[..2], [(0..16, 0.0, 4.0), (16..32, 4.0, 4.0)]);
        assert_eq!(spans(&eighths(&[0]), 8.0, 6), [], "six rows are too few");
        assert_eq!(spans(&eighths(&[0, 1, 2]), 1.0, 9)[1], (8..16, 2.0, 2.0));
    }

    #[test]
    fn rests_are_skipped_however_long() {
        let gap = eighths(&[3, 4, 200, 201]);
        assert_eq!(spans(&gap, 4.0, 400), [(0..16, 6.0, 4.0), (16..32, 400.0, 4.0)]);
    }
}
