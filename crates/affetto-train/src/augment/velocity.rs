//! Loudness: drawn where a corpus has none, moved and scaled where it has.

use super::dice::Dice;
use super::{Mood, Texture};
use crate::corpora::{Piece, Role};

/// Softest and loudest mean of a window.
const MEAN: (f32, f32) = (25.0, 120.0);

/// Settles every velocity. The mean of the window is drawn from N(72, 20); where velocities are
/// flat they get a slow contour, metrical accents and noise, the melody above the rest.
pub fn shape(piece: &Piece, texture: &mut Texture, mood: Mood, dice: &mut Dice) {
    let mean = (72.0 + 15.0 * mood.energy + 16.0 * dice.normal()).clamp(MEAN.0, MEAN.1);
    let contrast = dice.between(0.5, 1.15);
    let own: f32 =
        texture.notes.iter().map(|(n, _)| f32::from(n.velocity)).sum::<f32>() / texture.notes.len().max(1) as f32;
    let accent = dice.between(0.0, 9.0);
    let lead = dice.between(2.0, 14.0);
    let swell = dice.between(0.0, 10.0);
    let phrase = *dice.pick(&[2.0f32, 4.0, 4.0, 8.0]) * texture.meter.bar_ticks() as f32;
    let offset = dice.unit();
    let noise = dice.between(0.5, 3.5);
    let beat = if texture.meter.denominator == 8 { 720 } else { 480 };
    let mut bar = 0;
    for i in 0..texture.notes.len() {
        let (note, role) = &mut texture.notes[i];
        while bar + 1 < texture.bars.len() && note.onset >= texture.bars[bar + 1] {
            bar += 1;
        }
        while bar > 0 && note.onset < texture.bars[bar] {
            bar -= 1;
        }
        let mut v = mean + dice.normal() * noise;
        if piece.velocity_known && *role != Role::Drums {
            v += (f32::from(note.velocity) - own) * contrast;
        } else {
            let within = note.onset - texture.bars[bar].min(note.onset);
            v += accent
                * if within == 0 {
                    0.8
                } else if within.is_multiple_of(beat) {
                    0.2
                } else {
                    -0.5
                };
            v += match role {
                Role::Melody => lead * 0.6,
                Role::Inner => -lead * 0.2,
                Role::Chords => -lead * 0.6,
                Role::Bass => -lead * 0.2,
                Role::Drums => (f32::from(note.velocity) - 78.0) * 0.6,
            };
            v += swell * (std::f32::consts::TAU * (note.onset as f32 / phrase + offset)).sin();
        }
        note.velocity = v.round().clamp(12.0, 127.0) as u8;
    }
}
