//! Which bars of a piece a window is made from.

use affetto_score::MeterChange;

use crate::augment::Texture;
use crate::augment::dice::Dice;
use crate::corpora::{Piece, Role};

/// Bars before the window that are kept for the label's context.
const CONTEXT_BARS: usize = 2;
/// Most bars of a stretch.
const MAX_BARS: usize = 64;

/// A piece with its bars listed once.
#[derive(Clone, Debug)]
pub struct Barred {
    /// The piece.
    pub piece: Piece,
    /// Start of every bar that has a note in it or before it, and the end of the last.
    pub bars: Vec<u32>,
    /// First note of each bar.
    first: Vec<usize>,
    /// Notes are a melody alone.
    alone: bool,
}

impl Barred {
    /// Lists the bars.
    pub fn new(piece: Piece) -> Barred {
        let last = piece.score.notes.last().map_or(0, |n| n.onset);
        let mut bars = piece.score.bar_starts(last);
        let meter = meter_at(&piece, *bars.last().unwrap_or(&0));
        let only_pickup = bars.len() == 1 && piece.score.pickup > 0;
        let end = if only_pickup { piece.score.pickup } else { bars.last().unwrap_or(&0) + meter.bar_ticks().max(1) };
        bars.push(end);
        let first = bars.iter().map(|b| piece.score.notes.partition_point(|n| n.onset < *b)).collect();
        let alone = piece.roles.iter().all(|r| *r == Role::Melody);
        Barred { piece, bars, first, alone }
    }

    /// Bars.
    pub fn len(&self) -> usize {
        self.bars.len() - 1
    }

    /// Never: a piece has a bar.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Draws a stretch of bars that holds a window of `rows` notes; returns it and how many of its
    /// first bars are context before the window.
    pub fn stretch(&self, rows: usize, dice: &mut Dice) -> (Texture, usize) {
        let count = self.len();
        // Where a window begins so that it is mostly full: melodies double under an accompaniment.
        let need = rows as f32 * if self.alone { 0.5 } else { 0.9 };
        let left = |bar: usize| (self.first[count] - self.first[bar]) as f32;
        let bars_with = |notes: f32| (0..count).take_while(|bar| left(*bar) >= notes).count();
        let start = match dice.below(100) {
            0..15 => 0,
            15..33 => bars_with(need * dice.between(0.5, 1.0)).min(count.saturating_sub(2)),
            _ => dice.below(bars_with(need * 0.8).max(1)),
        };
        let meter = meter_at(&self.piece, self.bars[start]);
        let same = |bar: usize| meter_at(&self.piece, self.bars[bar]).tick == meter.tick;
        let context = (1..=CONTEXT_BARS.min(start))
            .take_while(|back| same(start - back) && !(start - back == 0 && self.piece.score.pickup > 0))
            .last()
            .unwrap_or(0);
        // Drums and accompaniment add rows later: melodies need fewer notes, never more bars.
        let most = if self.alone { rows } else { rows + rows / 4 };
        let mut end = start;
        while end < count && end - start < MAX_BARS && same(end) && (self.first[end] - self.first[start]) < most {
            end += 1;
        }
        let from = start - context;
        (self.texture(from, end.max(start + 1), meter), context)
    }

    fn texture(&self, from: usize, to: usize, meter: MeterChange) -> Texture {
        let origin = self.bars[from];
        let range = self.first[from]..self.first[to];
        let notes = self.piece.score.notes[range.clone()].iter().zip(&self.piece.roles[range]).map(|(note, role)| {
            let mut note = *note;
            note.onset -= origin;
            (note, *role)
        });
        let limit = self.bars[to];
        let chords = self
            .piece
            .chords
            .iter()
            .filter(|c| c.end > origin && c.start < limit)
            .map(|c| {
                let mut chord = *c;
                (chord.start, chord.end) = (c.start.max(origin) - origin, c.end.min(limit) - origin);
                chord
            })
            .collect();
        let keys = &self.piece.score.keys;
        let key = keys.iter().rev().find(|k| k.tick <= origin).or(keys.first()).map(|k| k.key).or(self.piece.key);
        let tempos = &self.piece.score.tempos;
        let bpm = tempos.iter().rev().find(|t| t.tick <= origin).or(tempos.first()).map_or(120.0, |t| t.bpm);
        Texture {
            notes: notes.collect(),
            bars: self.bars[from..=to].iter().map(|b| b - origin).collect(),
            pickup: if from == 0 { self.piece.score.pickup } else { 0 },
            meter: MeterChange { tick: 0, ..meter },
            key,
            chords,
            bpm,
            ends: to == self.len(),
        }
    }
}

fn meter_at(piece: &Piece, tick: u32) -> MeterChange {
    let meters = &piece.score.meters;
    meters[meters.partition_point(|m| m.tick <= tick).saturating_sub(1)]
}
