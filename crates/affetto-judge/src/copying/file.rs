//! A [`CopyIndex`] as bytes: the pieces' names and grid notes, times as differences.
//!
//! `affcopy1`, then for each piece: name length u16, name, note count u32, and for each note the steps
//! since the one before (LEB128) and the pitch. Little-endian. The runs are found anew when it is read.

use super::{CopyIndex, GridNote, run_hashes};

const MAGIC: &[u8; 8] = b"affcopy1";
/// The largest file read, in bytes.
pub const MAX_BYTES: u64 = 1 << 28;

impl CopyIndex {
    /// The pieces as bytes. Names are cut to what 16 bits count.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (name, notes) in self.names.iter().zip(&self.pieces) {
            let name: String = name.chars().take(1000).collect();
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend(name.into_bytes());
            bytes.extend((notes.len() as u32).to_le_bytes());
            let mut last = 0;
            for &(step, pitch) in notes {
                let mut rest = step - last;
                while rest >= 0x80 {
                    bytes.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                bytes.extend([rest as u8, pitch]);
                last = step;
            }
        }
        bytes
    }

    /// Reads what [`CopyIndex::to_bytes`] wrote, ready to be searched.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes, and where.
    pub fn from_bytes(bytes: &[u8]) -> Result<CopyIndex, String> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin with affcopy1")?;
        let mut index = CopyIndex::new();
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let (name, notes) = piece(&mut rest).ok_or_else(|| format!("the piece at byte {at} is damaged"))?;
            let piece = index.pieces.len() as u32;
            index.runs.extend(run_hashes(&notes).enumerate().map(|(i, hash)| (hash, piece, i as u32)));
            index.names.push(name);
            index.pieces.push(notes);
        }
        index.finish();
        Ok(index)
    }
}

fn piece(rest: &mut &[u8]) -> Option<(String, Vec<GridNote>)> {
    let length = u16::from_le_bytes(*take(rest)?);
    let (name, after) = rest.split_at_checked(usize::from(length))?;
    *rest = after;
    let count = u32::from_le_bytes(*take(rest)?) as usize;
    // A note has two bytes or more.
    let mut notes = Vec::with_capacity(count.min(rest.len() / 2));
    let mut step = 0u32;
    for _ in 0..count {
        let mut distance = 0u32;
        for shift in (0..).step_by(7) {
            let [byte] = *take(rest)?;
            distance = distance.checked_add(u32::from(byte & 0x7f).checked_shl(shift)?)?;
            if byte < 0x80 {
                break;
            }
        }
        let [pitch] = *take(rest)?;
        step = step.checked_add(distance)?;
        notes.push((step, pitch));
    }
    Some((String::from_utf8(name.to_vec()).ok()?, notes))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(head)
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, Note, Score};

    use super::*;

    fn tune(seed: u32) -> Score {
        let mut score = Score::default();
        for i in 0..120u32 {
            let pitch = 50 + ((i * i * (seed + 3) + i * 7) % 23) as u8;
            let onset = i * 240 + if i > 100 { 40_000 } else { 0 };
            score.notes.push(Note { onset, duration: 200, pitch, velocity: 70, instrument: Instrument::PIANO });
        }
        score
    }

    fn index() -> CopyIndex {
        let mut index = CopyIndex::new();
        (0..5).for_each(|i| index.add(&format!("tune {i}"), &tune(i)));
        index.finish();
        index
    }

    #[test]
    fn an_index_read_back_finds_the_same() {
        let index = index();
        let read = CopyIndex::from_bytes(&index.to_bytes()).unwrap();
        assert_eq!(read.len(), 5);
        assert_eq!(read.search(&tune(3)), index.search(&tune(3)));
        let count = read.count(&tune(3));
        assert!(count.windows > 0 && count.copied == count.windows, "{count:?}");
        assert_eq!(read.search(&tune(3))[0].piece.as_deref(), Some("tune 3"));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_but_never_panic() {
        let whole = index().to_bytes();
        assert!(CopyIndex::from_bytes(b"other").unwrap_err().contains("affcopy1"));
        let cut = CopyIndex::from_bytes(&whole[..whole.len() - 1]).unwrap_err();
        assert!(cut.contains("damaged"), "{cut}");
        for i in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[i] = 0xff;
            let _ = CopyIndex::from_bytes(&bytes);
            let _ = CopyIndex::from_bytes(&whole[..i]);
        }
    }
}
