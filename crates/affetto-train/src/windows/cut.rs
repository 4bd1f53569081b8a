//! A performance cut to a window: whole bars of at most so many rows, in up to four segments.

use affetto_control::SegmentConditions;
use affetto_control::conditions::{CLOSING_FAR, MAX_SEGMENTS};
use affetto_score::codec::{self, BAR, END_OF_PIECE, Row};
use affetto_score::{MeterChange, Score, TempoChange};

use crate::augment::Arrangement;
use crate::augment::dice::Dice;

/// Fewest notes of a window.
const MIN_ROWS: usize = 8;
/// Shortest segment that is cut on purpose, in seconds.
const MIN_SECONDS: f64 = 6.0;

/// A window without its labels.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Token rows; the last is the end of the piece where it lies inside.
    pub rows: Vec<Row>,
    /// Segment of each row.
    pub segment_of_row: Vec<u8>,
    /// Density and closing of each segment; no emotion yet.
    pub segments: Vec<SegmentConditions>,
    /// Start and end of each segment in seconds of the arrangement.
    pub spans: Vec<(f64, f64)>,
    /// The window's notes from its first bar on.
    pub score: Score,
}

/// Cuts `arrangement` from bar `context` on to at most `limit` rows; `ends` says that its last bar
/// is the piece's. `None` where fewer than two bars or eight notes fit.
pub fn cut(arrangement: &Arrangement, context: usize, ends: bool, limit: usize, dice: &mut Dice) -> Option<Cut> {
    let bars = &arrangement.bars[context.min(arrangement.bars.len() - 1)..];
    let origin = *bars.first()?;
    let whole = &arrangement.score;
    let mut score = Score {
        notes: whole.notes.iter().filter(|n| n.onset >= origin).copied().collect(),
        tempos: vec![TempoChange { tick: 0, bpm: whole.tempos[0].bpm }],
        meters: vec![MeterChange { tick: 0, ..whole.meters[0] }],
        keys: Vec::new(),
        pickup: if context == 0 { whole.pickup } else { 0 },
        title: None,
    };
    score.notes.iter_mut().for_each(|n| n.onset -= origin);
    let mut rows = codec::encode(&score).rows;
    let mut bar = 0;
    let bar_of_row: Vec<usize> = rows
        .iter()
        .map(|row| {
            bar += usize::from(row[BAR]);
            bar
        })
        .collect();
    // An onset just before the last bar line may round into the bar after it.
    let listed = bars.len() - 1;
    let available = bar_of_row.last().map_or(0, |b| b + 1);
    let complete = ends && rows.len() < limit;
    let count = if complete {
        available
    } else {
        // Rows up to `limit`; the bar the next row is in is not whole. A stretch that stops before
        // the piece's end has only whole bars, so all of them may be kept.
        let cap = rows.len().min(limit);
        if rows.len() > limit { bar_of_row[cap] } else { available }
    };
    let count = count.min(listed.max(1));
    rows.truncate(bar_of_row.partition_point(|b| *b < count));
    score.notes.truncate(rows.len());
    if count < 2 || rows.len() < MIN_ROWS {
        return None;
    }
    let per_tick = 60.0 / (whole.tempos[0].bpm * 480.0);
    let seconds = |bar: usize| f64::from(bars[bar.min(listed)]) * per_tick;
    let (edges, closing) = edges(count, complete, &seconds, dice);
    let mut segments = Vec::new();
    let mut spans = Vec::new();
    for (pair, closing) in edges.windows(2).zip(closing) {
        let span = (seconds(pair[0]), seconds(pair[1]));
        let (first, last) = (bars[pair[0]] - origin, bars[pair[1].min(listed)] - origin);
        let mut onsets: Vec<u32> = score.notes.iter().map(|n| n.onset).filter(|t| *t >= first && *t < last).collect();
        onsets.dedup();
        let density = onsets.len() as f64 / (span.1 - span.0).max(0.5);
        segments.push(SegmentConditions { emotion: None, density: Some(density as f32), closing: Some(closing) });
        spans.push(span);
    }
    let segment = |bar: usize| edges[1..].partition_point(|e| *e <= bar).min(segments.len() - 1) as u8;
    let mut segment_of_row: Vec<u8> = bar_of_row[..rows.len()].iter().map(|b| segment(*b)).collect();
    if complete {
        rows.push([0, END_OF_PIECE, 0, 0, 0, 0]);
        segment_of_row.push(segments.len() as u8 - 1);
    }
    Some(Cut { rows, segment_of_row, segments, spans, score })
}

/// Bar numbers where segments begin, then the end; and each segment's closing. At the end of a
/// piece the last bars are segments of their own, in one of several ways.
fn edges(count: usize, complete: bool, seconds: &impl Fn(usize) -> f64, dice: &mut Dice) -> (Vec<usize>, Vec<u8>) {
    // Lengths of the last segments and their closing, the last bar last.
    let tails: [&[(usize, u8)]; 4] =
        [&[(2, 3), (1, 1), (1, 0)], &[(1, 2), (1, 1), (1, 0)], &[(1, 1), (1, 0)], &[(3, 3), (1, 0)]];
    let mut tail: &[(usize, u8)] = &[];
    if complete {
        tail = tails[dice.below(tails.len())];
        let length: usize = tail.iter().map(|t| t.0).sum();
        if length + 2 > count {
            tail = &[(1, 0)];
        }
    }
    let main = count - tail.iter().map(|t| t.0).sum::<usize>();
    let start = seconds(0);
    let most = ((seconds(main) - start) / MIN_SECONDS) as usize;
    let most = most.min(main / 2).min(MAX_SEGMENTS - tail.len()).max(1);
    let parts = 1 + dice.below(most);
    let mut edges = vec![0];
    for part in 1..parts {
        let even = (main * part) as f32 / parts as f32;
        let jitter = dice.between(-0.25, 0.25) * main as f32 / parts as f32;
        let edge = (even + jitter).round() as usize;
        let last = edges.last().copied().unwrap_or(0);
        let long = |a: usize, b: usize| b >= a + 2 && seconds(b) - seconds(a) >= MIN_SECONDS * 0.8;
        if edge < main && long(last, edge) && long(edge, main) {
            edges.push(edge);
        }
    }
    edges.push(main);
    let mut closing = vec![CLOSING_FAR; edges.len() - 1];
    for (length, left) in tail {
        edges.push(edges.last().copied().unwrap_or(0) + length);
        closing.push(*left);
    }
    (edges, closing)
}
