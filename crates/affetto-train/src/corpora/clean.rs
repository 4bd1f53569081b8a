//! Which pieces are fit to be kept, and how they are brought to one scale.

use affetto_judge::features;

use super::{Piece, Role};
use affetto_score::score::TICKS_PER_QUARTER;

/// Fewest notes of a piece that is kept.
pub const MIN_NOTES: usize = 60;

/// The piece if it is fit: enough notes, a playable range, bars the codec can hold, no gap of more
/// than 16 bars. Notes below 21 or above 108 are dropped, silence before the first bar with a note too.
pub fn clean(mut piece: Piece) -> Option<Piece> {
    let before = piece.score.notes.len();
    let kept: Vec<bool> = piece
        .score
        .notes
        .iter()
        .zip(&piece.roles)
        .map(|(n, r)| *r == Role::Drums || (21..=108).contains(&n.pitch))
        .collect();
    let mut flags = kept.iter();
    piece.score.notes.retain(|_| *flags.next().unwrap_or(&true));
    let mut flags = kept.iter();
    piece.roles.retain(|_| *flags.next().unwrap_or(&true));
    let notes = &piece.score.notes;
    if notes.len() < MIN_NOTES.min(before.max(MIN_NOTES)) || notes.len() * 10 < before * 9 {
        return None;
    }
    if piece.score.meters.iter().any(|m| !(240..=7 * 480).contains(&m.bar_ticks())) {
        return None;
    }
    if notes.windows(2).any(|w| w[1].onset - w[0].onset > 64 * TICKS_PER_QUARTER) {
        return None;
    }
    drop_leading_bars(&mut piece);
    Some(piece)
}

/// Moves everything to the left by the whole bars before the first note.
fn drop_leading_bars(piece: &mut Piece) {
    let first = piece.score.notes.first().map_or(0, |n| n.onset);
    let bars = piece.score.bar_starts(first);
    let start = bars.iter().rev().copied().find(|&b| b <= first).unwrap_or(0);
    if start == 0 {
        return;
    }
    let moved = |tick: u32| tick.saturating_sub(start);
    piece.score.pickup = 0;
    piece.score.notes.iter_mut().for_each(|n| n.onset = moved(n.onset));
    for chord in &mut piece.chords {
        (chord.start, chord.end) = (moved(chord.start), moved(chord.end));
    }
    piece.chords.retain(|c| c.end > c.start);
    piece.score.tempos.iter_mut().for_each(|t| t.tick = moved(t.tick));
    piece.score.meters.iter_mut().for_each(|m| m.tick = moved(m.tick));
    piece.score.keys.iter_mut().for_each(|k| k.tick = moved(k.tick));
    keep_last_at_zero(&mut piece.score.tempos, |t| t.tick);
    keep_last_at_zero(&mut piece.score.meters, |m| m.tick);
    keep_last_at_zero(&mut piece.score.keys, |k| k.tick);
}

/// Of several changes at tick 0 the last is in force.
fn keep_last_at_zero<T>(changes: &mut Vec<T>, tick: impl Fn(&T) -> u32) {
    let zeros = changes.iter().take_while(|c| tick(c) == 0).count();
    if zeros > 1 {
        changes.drain(..zeros - 1);
    }
}

/// Brings the velocities of a corpus to the mean and deviation the features expect. Pieces whose bars are not known follow
/// the others.
pub fn normalize_velocities(pieces: &mut [Piece]) {
    let counted = pieces.iter().filter(|p| p.velocity_known && p.bars_known);
    let (mean, sd) = features::velocity_statistics(counted.map(|p| &p.score));
    for piece in pieces {
        if piece.velocity_known {
            features::normalize_velocities(&mut piece.score, mean, sd);
        } else {
            piece.score.notes.iter_mut().for_each(|n| n.velocity = features::VELOCITY_MEAN as u8);
        }
    }
}

/// The nearest place on a musical grid: sixteenths first, then triplet eighths, then
/// thirty-seconds; unchanged where none is within `tolerance` ticks.
pub fn snap(tick: u32, tolerance: u32) -> u32 {
    let nearest = |step: u32| (tick + step / 2) / step * step;
    for (step, share) in [(120, 4), (160, 2), (60, 2)] {
        let to = nearest(step);
        if to.abs_diff(tick) * 4 <= tolerance * share {
            return to;
        }
    }
    tick
}
