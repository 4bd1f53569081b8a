//! One compact file of pieces: gzip over a length-prefixed JSON head and 10-byte notes per piece.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use affetto_score::{Instrument, Key, KeyChange, MeterChange, Note, Score, TempoChange};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::{Chord, Corpus, CorpusError, Piece, Role};
use crate::whole;

const MAGIC: &[u8; 8] = b"affetto2";
/// Largest cache unpacked: 1 GiB.
const MAX_BYTES: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Head {
    id: String,
    song: String,
    corpus: Corpus,
    style: String,
    tempos: Vec<TempoChange>,
    meters: Vec<MeterChange>,
    keys: Vec<KeyChange>,
    pickup: u32,
    title: Option<String>,
    chords: Vec<Chord>,
    key: Option<Key>,
    tempo_known: bool,
    velocity_known: bool,
    bars_known: bool,
    notes: usize,
}

/// Writes pieces to `path`, whole or not at all.
///
/// # Errors
///
/// [`CorpusError::Io`].
pub fn write(path: &Path, pieces: &[Piece]) -> Result<(), CorpusError> {
    let io = |source| CorpusError::Io { path: path.to_owned(), source };
    let mut bytes = MAGIC.to_vec();
    for piece in pieces {
        let head = Head {
            id: piece.id.clone(),
            song: piece.song.clone(),
            corpus: piece.corpus,
            style: piece.style.clone(),
            tempos: piece.score.tempos.clone(),
            meters: piece.score.meters.clone(),
            keys: piece.score.keys.clone(),
            pickup: piece.score.pickup,
            title: piece.score.title.clone(),
            chords: piece.chords.clone(),
            key: piece.key,
            tempo_known: piece.tempo_known,
            velocity_known: piece.velocity_known,
            bars_known: piece.bars_known,
            notes: piece.score.notes.len(),
        };
        let json = serde_json::to_vec(&head).map_err(|e| io(e.into()))?;
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(json);
        for (note, role) in piece.score.notes.iter().zip(&piece.roles) {
            bytes.extend(note.onset.to_le_bytes());
            bytes.extend((note.duration.min(u32::from(u16::MAX)) as u16).to_le_bytes());
            let role = Role::ALL.iter().position(|r| r == role).unwrap_or(0) as u8;
            bytes.extend([note.pitch, note.velocity, note.instrument.0, role]);
        }
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(&bytes).map_err(io)?;
    let packed = encoder.finish().map_err(io)?;
    whole::write(path, &packed).map_err(io)
}

/// Reads the pieces of the cache at `path`.
///
/// # Errors
///
/// [`CorpusError`] where it is missing, damaged or larger than 1 GiB.
pub fn read(path: &Path) -> Result<Vec<Piece>, CorpusError> {
    let io = |source| CorpusError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = BufReader::new(File::open(path).map_err(io)?);
    GzDecoder::new(file).take(MAX_BYTES).read_to_end(&mut bytes).map_err(io)?;
    parse(&bytes).map_err(|what| CorpusError::Damaged { path: path.to_owned(), what })
}

fn parse(bytes: &[u8]) -> Result<Vec<Piece>, String> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin with affetto2, as those of this version do")?;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or("cut short")?;
        let length = u32::from_le_bytes(*length) as usize;
        let (json, after) = after.split_at_checked(length).ok_or("cut short")?;
        let head: Head = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let size = head.notes.checked_mul(10).ok_or("a count too large")?;
        let (table, after) = after.split_at_checked(size).ok_or("cut short")?;
        rest = after;
        let mut notes = Vec::with_capacity(head.notes);
        let mut roles = Vec::with_capacity(head.notes);
        for row in table.as_chunks::<10>().0 {
            notes.push(Note {
                onset: u32::from_le_bytes([row[0], row[1], row[2], row[3]]),
                duration: u32::from(u16::from_le_bytes([row[4], row[5]])),
                pitch: row[6],
                velocity: row[7],
                instrument: Instrument(row[8]),
            });
            roles.push(*Role::ALL.get(usize::from(row[9])).ok_or("an unknown role")?);
        }
        if head.tempos.is_empty() || head.meters.is_empty() {
            return Err(format!("{} has no tempo or meter", head.id));
        }
        pieces.push(Piece {
            id: head.id,
            song: head.song,
            corpus: head.corpus,
            style: head.style,
            score: Score {
                notes,
                tempos: head.tempos,
                meters: head.meters,
                keys: head.keys,
                pickup: head.pickup,
                title: head.title,
            },
            roles,
            chords: head.chords,
            key: head.key,
            tempo_known: head.tempo_known,
            velocity_known: head.velocity_known,
            bars_known: head.bars_known,
        });
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_and_damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pieces.gz");
        let pieces = super::super::tiny::pieces();
        write(&path, &pieces).unwrap();
        assert_eq!(read(&path).unwrap(), pieces);
        let mut plain = Vec::new();
        GzDecoder::new(File::open(&path).unwrap()).read_to_end(&mut plain).unwrap();
        assert!(parse(&plain[..plain.len() - 3]).is_err());
        assert!(parse(b"something else").is_err());
    }
}
