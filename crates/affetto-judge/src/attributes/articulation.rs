//! How far notes reach towards the next one of the same instrument.

use std::collections::BTreeMap;

use affetto_score::Instrument;

use crate::features::TimedNote;

/// Onsets of one instrument closer than this many seconds are one.
const SAME_ONSET: f64 = 0.035;
/// A gap longer than this many seconds is taken as this long: what follows a rest is no neighbour.
const LONGEST_GAP: f64 = 2.0;

/// The mean, over the pitched notes that another onset of their instrument follows, of the share of the gap in which they
/// sound, at most 1. 0.5 where no note has a follower. `notes` by onset.
pub(super) fn articulation(notes: &[(TimedNote, Instrument)]) -> f64 {
    let mut parts: BTreeMap<Instrument, Vec<&TimedNote>> = BTreeMap::new();
    for (note, instrument) in notes.iter().filter(|(n, _)| !n.drums) {
        parts.entry(*instrument).or_default().push(note);
    }
    let (mut sum, mut count) = (0.0, 0.0f64);
    for part in parts.values() {
        for (i, note) in part.iter().enumerate() {
            let next = part[i + 1..].iter().find(|other| other.onset - note.onset > SAME_ONSET);
            if let Some(next) = next {
                let gap = (next.onset - note.onset).min(LONGEST_GAP);
                sum += ((note.end - note.onset) / gap).clamp(0.0, 1.0);
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { 0.5 }
}
