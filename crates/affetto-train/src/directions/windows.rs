//! Training windows, read by the model.

use affetto_models::decoder::{DecoderLm, Pooled};
use affetto_score::codec::{DRUM_PITCH_OFFSET, PITCH, Row};
use affetto_score::{Key, Mode};

use crate::corpora::Piece;
use crate::error::TrainError;
use crate::windows::{Drawn, Making, ScoreWindows};

/// The step under which windows are drawn: none that training reaches.
const STEP: u64 = 1 << 40;

/// A window and the model's activations over it.
pub struct Heard {
    /// What was drawn.
    pub drawn: Drawn,
    /// The song it comes from.
    pub song: String,
    /// Whether it was moved to the relative key.
    pub is_relative: bool,
    /// The activations.
    pub pooled: Pooled,
}

/// In which keys windows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// As they were drawn.
    AsDrawn,
    /// Moved to a tonic, a pitch class from C; only those whose key is known.
    On {
        /// The tonic.
        tonic: u8,
        /// Whether each is read once more in the key that shares its notes with the tonic's other mode: major ones as that
        /// of the tonic's minor, minor ones as that of its major. Then no set of notes is major or minor by itself.
        relatives: bool,
    },
}

/// Draws performances, which have all instruments and feelings, each with its song. `progress` hears the share done.
pub fn draw(source: &ScoreWindows, count: usize, progress: &mut dyn FnMut(f32)) -> Vec<(Drawn, String)> {
    let songs: std::collections::HashMap<&str, &str> =
        source.pieces().map(|piece: &Piece| (piece.id.as_str(), piece.song.as_str())).collect();
    let one = |i: usize| {
        let drawn = source.made(Making::Performed, STEP, i as u64);
        progress((i + 1) as f32 / count as f32);
        let song = songs.get(drawn.piece.as_str()).map_or(drawn.piece.clone(), |song| (*song).to_owned());
        (drawn, song)
    };
    (0..count).map(one).collect()
}

/// Reads windows without conditions. `progress` hears the share done.
pub fn hear(
    windows: &[(Drawn, String)],
    lm: &DecoderLm,
    keys: Keys,
    progress: &mut dyn FnMut(f32),
) -> Result<Vec<Heard>, TrainError> {
    let mut heard = Vec::with_capacity(windows.len());
    for (i, (drawn, song)) in windows.iter().enumerate() {
        progress((i + 1) as f32 / windows.len() as f32);
        for (shift, is_relative) in shifts(keys, drawn.window.key) {
            let moved = drawn.window.rows.iter().flat_map(|row| transposed(row, shift).map(u32::from));
            let codes: Vec<u32> = moved.collect();
            let pooled = lm.pooled(&codes, &[], None).map_err(|e| TrainError::Data(e.to_string()))?;
            heard.push(Heard { drawn: drawn.clone(), song: song.clone(), is_relative, pooled });
        }
    }
    Ok(heard)
}

/// By how many semitones a window of a key is moved each time it is read, and whether that leads to the relative key.
fn shifts(keys: Keys, key: Option<Key>) -> Vec<(i32, bool)> {
    match (keys, key) {
        (Keys::AsDrawn, _) => vec![(0, false)],
        (Keys::On { tonic, relatives }, Some(key)) => {
            let relative = relatives.then(|| (toward(key.tonic, relative(tonic, key.mode)), true));
            std::iter::once((toward(key.tonic, tonic), false)).chain(relative).collect()
        }
        (Keys::On { .. }, None) => Vec::new(),
    }
}

/// The tonic on which a window of this mode has the notes of the other mode on `tonic`.
fn relative(tonic: u8, mode: Mode) -> u8 {
    match mode {
        Mode::Major => (tonic + 3) % 12,
        Mode::Minor => (tonic + 9) % 12,
    }
}

/// Semitones from one pitch class to another, the shorter way: -5 to 6.
fn toward(from: u8, to: u8) -> i32 {
    let up = (i32::from(to) - i32::from(from)).rem_euclid(12);
    if up > 6 { up - 12 } else { up }
}

/// A row with its pitch moved; drums stay.
fn transposed(row: &Row, semitones: i32) -> Row {
    let mut moved = *row;
    if row[PITCH] < DRUM_PITCH_OFFSET {
        moved[PITCH] = (i32::from(row[PITCH]) + semitones).clamp(0, i32::from(DRUM_PITCH_OFFSET) - 1) as u16;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_windows_are_read_on_the_tonic_and_where_asked_in_the_relative_key() {
        let on_d = |relatives| Keys::On { tonic: 2, relatives };
        let (major, minor) = ([Mode::Major, Mode::Minor]).map(|mode| Some(Key { tonic: 0, mode })).into();
        assert_eq!(shifts(on_d(false), major), [(2, false)]);
        // D minor's notes are F major's, D major's are B minor's.
        assert_eq!(shifts(on_d(true), major), [(2, false), (5, true)]);
        assert_eq!(shifts(on_d(true), minor), [(2, false), (-1, true)]);
        assert_eq!((shifts(on_d(true), None), shifts(Keys::AsDrawn, None)), (vec![], vec![(0, false)]));
    }

    #[test]
    fn windows_move_the_shorter_way_and_drums_stay() {
        assert_eq!((toward(0, 7), toward(0, 6), toward(11, 0), toward(4, 4)), (-5, 6, 1, 0));
        // C minor has E flat major's notes, C major those of A minor.
        assert_eq!((relative(0, Mode::Major), relative(0, Mode::Minor)), (3, 9));
        assert_eq!(transposed(&[0, 0, 0, 60, 5, 9], -5), [0, 0, 0, 55, 5, 9]);
        let drum = [0, 0, 128, DRUM_PITCH_OFFSET + 36, 5, 9];
        assert_eq!(transposed(&drum, 3), drum);
    }
}
