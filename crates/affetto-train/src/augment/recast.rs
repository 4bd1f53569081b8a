//! Parallel major and minor: the third, sixth and seventh degree moved by a semitone.

use affetto_score::{Key, Mode};

use super::dice::Dice;
use super::{Mood, Texture};
use crate::corpora::{Role, key};

/// The stated key where the notes confirm it, else the one they are clearly in; `None` where there is neither.
pub fn confirmed(texture: &Texture) -> Option<Key> {
    confirmed_by(&histogram(texture), texture.key)
}

fn confirmed_by(histogram: &[f32; 12], stated: Option<Key>) -> Option<Key> {
    let stated = stated.filter(|k| key::in_scale(histogram, *k) > 0.86 && key::fit(histogram, *k) > 0.45);
    stated.or_else(|| {
        let (found, fit) = key::best(histogram);
        (fit > 0.75 && key::in_scale(histogram, found) > 0.9).then_some(found)
    })
}

/// Sometimes turns the mode over; returns the key ([`confirmed`], then turned).
///
/// Major to minor lowers degrees 3, 6 and 7, the seventh kept raised in some performances
/// (harmonic minor); minor to major raises them.
pub fn recast(texture: &mut Texture, mood: Mood, dice: &mut Dice) -> Option<Key> {
    let histogram = histogram(texture);
    let key = confirmed_by(&histogram, texture.key)?;
    if key::in_scale(&histogram, key) < 0.92 {
        return Some(key);
    }
    let wanted = if key.mode == Mode::Major { 0.33 - 0.25 * mood.brightness } else { 0.18 + 0.18 * mood.brightness };
    if !dice.chance(wanted) {
        return Some(key);
    }
    let leading = dice.chance(0.55);
    let moved = |pitch: u8| -> i8 {
        match ((pitch + 12 - key.tonic) % 12, key.mode) {
            (4 | 9, Mode::Major) => -1,
            (11, Mode::Major) if !leading => -1,
            (3 | 8 | 10, Mode::Minor) => 1,
            _ => 0,
        }
    };
    for (note, _) in texture.notes.iter_mut().filter(|(_, r)| *r != Role::Drums) {
        note.pitch = note.pitch.saturating_add_signed(moved(note.pitch)).min(127);
    }
    for chord in &mut texture.chords {
        let root = chord.root.saturating_add_signed(moved(chord.root)) % 12;
        let tones = (0..12u8).filter(|t| chord.tones >> t & 1 == 1).fold(0u16, |bits, t| {
            let tone = (chord.root + t) % 12;
            let to = (tone + 12).saturating_add_signed(moved(tone)) % 12;
            bits | 1 << ((to + 12 - root) % 12)
        });
        chord.bass = (chord.bass + 12).saturating_add_signed(moved(chord.bass)) % 12;
        (chord.root, chord.tones) = (root, tones);
    }
    let mode = if key.mode == Mode::Major { Mode::Minor } else { Mode::Major };
    Some(Key { tonic: key.tonic, mode })
}

/// How long each pitch class sounds, drums aside.
fn histogram(texture: &Texture) -> [f32; 12] {
    key::histogram(texture.notes.iter().filter(|(_, r)| *r != Role::Drums).map(|(n, _)| n))
}
