//! What is asked for, family by family: words and instruments that a real piece of the family could have.

use affetto::{Emotion, Instrument, Prompt};

use crate::args::AskedFeelings;

/// Words and General MIDI programs (128 = drums).
type Wish = (&'static str, &'static [u8]);

const PIANO: &[u8] = &[0];
const POP: &[Wish] = &[("pop song, piano", PIANO), ("piano ballad", PIANO), ("a modern love song for piano", PIANO)];
const LEAD_SHEET: &[Wish] = &[
    ("old song, melody with chords", PIANO),
    ("jazz standard, lead sheet melody with chords", PIANO),
    ("a vintage song as a lead sheet, piano", PIANO),
];
const CHORALE: &[Wish] = &[
    ("chorale", &[52]),
    ("a hymn on the organ", &[19]),
    ("four-part chorale, string quartet", &[40, 41, 42]),
    ("sacred music, choir", &[52]),
];
const FOLK: &[Wish] = &[
    ("folk dance, solo violin", &[40]),
    ("a folk tune on solo flute", &[73]),
    ("irish jig, solo recorder", &[74]),
    ("traditional melody, solo clarinet", &[71]),
];
const BAND: &[Wish] = &[
    ("full band with drums", &[30, 33, 128]),
    ("game music, rock band with drums", &[29, 30, 33, 128]),
    ("action game soundtrack", &[30, 48, 33, 128]),
];
const ANY: &[Wish] = &[("instrumental music", &[])];

fn wishes(family: &str) -> &'static [Wish] {
    match family {
        "pop909" => POP,
        "openewld" => LEAD_SHEET,
        "chorales" => CHORALE,
        "folk" => FOLK,
        "freedoom" => BAND,
        _ => ANY,
    }
}

/// Whether there are words for a family.
#[cfg(test)]
pub fn knows(family: &str) -> bool {
    wishes(family) != ANY
}

/// The request of take `number` for a family: its wishes by turns, with a feeling where `feelings` says so.
pub fn request(family: &str, number: u64, feelings: AskedFeelings) -> Prompt {
    let wishes = wishes(family);
    let (words, instruments) = wishes[(number % wishes.len() as u64) as usize];
    let instruments: Vec<Instrument> = instruments.iter().map(|&i| Instrument(i)).collect();
    let prompt = Prompt::new(words).instruments(instruments);
    match feelings {
        AskedFeelings::Words => prompt,
        AskedFeelings::Plane => prompt.emotion(point(number)),
    }
}

/// Point `number` of a sequence that fills [-0.8, 0.8]² evenly (Halton's, in bases 2 and 3).
fn point(number: u64) -> Emotion {
    let at = |base| 1.6 * radical_inverse(number + 1, base) - 0.8;
    Emotion { valence: at(2), arousal: at(3) }
}

/// The digits of `n` in `base`, mirrored at the point.
fn radical_inverse(mut n: u64, base: u64) -> f32 {
    let (mut value, mut unit) = (0.0, 1.0);
    while n > 0 {
        unit /= base as f32;
        value += (n % base) as f32 * unit;
        n /= base;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_is_covered_and_every_request_can_be_made() {
        let mut cells = [[0usize; 4]; 4];
        for number in 0..100 {
            let prompt = request("folk", number, AskedFeelings::Plane);
            assert!(prompt.check().is_ok());
            let emotion = prompt.asked_emotion().unwrap().at(0.0);
            assert_eq!(emotion, point(number));
            assert!(request("folk", number, AskedFeelings::Words).asked_emotion().is_none());
            assert!(emotion.valence.abs() <= 0.8 && emotion.arousal.abs() <= 0.8);
            let cell = |x: f32| (((x + 0.8) / 0.4) as usize).min(3);
            cells[cell(emotion.valence)][cell(emotion.arousal)] += 1;
        }
        assert!(cells.iter().flatten().all(|&n| (4..=9).contains(&n)), "{cells:?}");
        let words = |number| request("folk", number, AskedFeelings::Words).text().to_owned();
        assert_ne!(words(0), words(1));
        assert!(!knows("polka") && knows("chorales"));
    }
}
