//! Training windows, read by the model.

use affetto_models::decoder::{DecoderLm, Pooled};
use affetto_score::codec::{DRUM_PITCH_OFFSET, PITCH, Row};

use crate::corpora::Piece;
use crate::error::TrainError;
use crate::windows::{Drawn, ScoreWindows};

/// The step under which windows are drawn: none that training reaches.
const STEP: u64 = 1 << 40;

/// A window and the model's activations over it.
pub struct Heard {
    /// What was drawn.
    pub drawn: Drawn,
    /// The song it comes from.
    pub song: String,
    /// The activations.
    pub pooled: Pooled,
}

/// Draws windows and reads them without conditions; moved to a tonic, where one is given, and then only those whose key is
/// known. `progress` hears the share done.
pub fn hear(
    source: &ScoreWindows,
    lm: &DecoderLm,
    count: usize,
    tonic: Option<u8>,
    progress: &mut dyn FnMut(f32),
) -> Result<Vec<Heard>, TrainError> {
    let songs: std::collections::HashMap<&str, &str> =
        source.pieces().map(|piece: &Piece| (piece.id.as_str(), piece.song.as_str())).collect();
    let mut heard = Vec::with_capacity(count);
    for i in 0..count {
        let drawn = source.draw(STEP, i as u64);
        progress((i + 1) as f32 / count as f32);
        let shift = match (tonic, drawn.window.key) {
            (None, _) => 0,
            (Some(tonic), Some(key)) => toward(key.tonic, tonic),
            (Some(_), None) => continue,
        };
        let codes: Vec<u32> = drawn.window.rows.iter().flat_map(|row| transposed(row, shift).map(u32::from)).collect();
        let pooled = lm.pooled(&codes, &[], None).map_err(|e| TrainError::Data(e.to_string()))?;
        let song = songs.get(drawn.piece.as_str()).map_or(drawn.piece.clone(), |song| (*song).to_owned());
        heard.push(Heard { drawn, song, pooled });
    }
    Ok(heard)
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
    fn windows_move_the_shorter_way_and_drums_stay() {
        assert_eq!((toward(0, 7), toward(0, 6), toward(11, 0), toward(4, 4)), (-5, 6, 1, 0));
        assert_eq!(transposed(&[0, 0, 0, 60, 5, 9], -5), [0, 0, 0, 55, 5, 9]);
        let drum = [0, 0, 128, DRUM_PITCH_OFFSET + 36, 5, 9];
        assert_eq!(transposed(&drum, 3), drum);
    }
}
