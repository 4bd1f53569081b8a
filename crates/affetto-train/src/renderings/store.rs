//! What was heard in a rendering, in a file: a second fit, or one after a kill, need not hear again.

use std::path::Path;

use affetto_judge::features::{TimedNote, Timeline};
use affetto_judge::hearing::{HeardWindow, Hearing, texture::Cell};
use affetto_models::musicnn::PENULTIMATE;

use crate::whole;

/// First bytes of a file: the layout's name and number.
const MAGIC: &[u8; 8] = b"AFHEAR01";
/// Numbers of a note in a file.
const NOTE_WIDTH: usize = 4;

/// Writes what was heard: counts, then all numbers as little-endian `f32`.
pub fn write(hearing: &Hearing) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for count in [hearing.windows.len(), hearing.cells.len(), hearing.notes.notes().len()] {
        bytes.extend((count as u32).to_le_bytes());
    }
    let mut put = |x: f32| bytes.extend(x.to_le_bytes());
    put(hearing.seconds as f32);
    for window in &hearing.windows {
        put(window.middle as f32);
        window.penultimate.iter().for_each(|&x| put(x));
    }
    for cell in &hearing.cells {
        cell.values().iter().for_each(|&x| put(x as f32));
    }
    for note in hearing.notes.notes() {
        [note.onset as f32, note.end as f32, f32::from(note.pitch), f32::from(note.velocity)]
            .into_iter()
            .for_each(&mut put);
    }
    bytes
}

/// Reads what [`write`] wrote; `None` for anything else.
pub fn read(bytes: &[u8]) -> Option<Hearing> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (counts, numbers) = rest.split_at_checked(12)?;
    let count = |k: usize| u32::from_le_bytes([counts[4 * k], counts[4 * k + 1], counts[4 * k + 2], counts[4 * k + 3]]);
    let (windows, cells, notes) = (count(0) as usize, count(1) as usize, count(2) as usize);
    let expected = [(1, 1), (windows, 1 + PENULTIMATE), (cells, Cell::WIDTH), (notes, NOTE_WIDTH)];
    let expected = expected.iter().try_fold(0usize, |sum, &(n, width)| sum.checked_add(n.checked_mul(width)?))?;
    if numbers.len() != expected.checked_mul(4)? {
        return None;
    }
    let mut numbers = numbers.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut take = |n: usize| numbers.by_ref().take(n).collect::<Vec<f32>>();
    let seconds = f64::from(take(1)[0]);
    let windows =
        (0..windows).map(|_| HeardWindow { middle: f64::from(take(1)[0]), penultimate: take(PENULTIMATE) }).collect();
    let cells = (0..cells)
        .map(|_| {
            let values = take(Cell::WIDTH);
            Cell::new(std::array::from_fn(|k| f64::from(values[k])))
        })
        .collect();
    let notes = (0..notes)
        .map(|_| {
            let n = take(NOTE_WIDTH);
            let (onset, end) = (f64::from(n[0]), f64::from(n[1]));
            TimedNote { onset, end, pitch: n[2] as u8, velocity: n[3] as u8, drums: false }
        })
        .collect();
    Some(Hearing { seconds, windows, cells, notes: Timeline::from_notes(notes) })
}

/// Reads a file; `None` where it is missing or not whole.
pub fn open(path: &Path) -> Option<Hearing> {
    read(&std::fs::read(path).ok()?)
}

/// Writes a file, whole or not at all.
///
/// # Errors
/// The system's.
pub fn save(path: &Path, hearing: &Hearing) -> std::io::Result<()> {
    whole::write(path, &write(hearing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_comes_back_and_damage_is_seen() {
        let note = TimedNote { onset: 0.5, end: 1.25, pitch: 61, velocity: 77, drums: false };
        let hearing = Hearing {
            seconds: 2.5,
            windows: vec![HeardWindow { middle: 1.5, penultimate: vec![0.25; PENULTIMATE] }],
            cells: vec![Cell::new([0.5; Cell::WIDTH]); 3],
            notes: Timeline::from_notes(vec![note]),
        };
        let bytes = write(&hearing);
        let back = read(&bytes).unwrap();
        assert_eq!((back.seconds, &back.windows, &back.cells), (2.5, &hearing.windows, &hearing.cells));
        assert_eq!(back.notes.notes(), [note]);
        assert!(
            read(&bytes[..bytes.len() - 1]).is_none() && read(&bytes[1..]).is_none() && read(b"AFHEAR01").is_none()
        );
        let mut huge = bytes;
        huge[8..12].fill(0xff);
        assert!(read(&huge).is_none());
    }
}
