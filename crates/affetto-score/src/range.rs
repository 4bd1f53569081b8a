//! How low and how high instruments go.

use std::ops::RangeInclusive;

use crate::Instrument;

impl Instrument {
    /// The keys a player is comfortable with: what arrangers write for the instrument. Programs of no particular range, and
    /// the drum kit, have the piano's without its extremes.
    pub fn comfortable_range(self) -> RangeInclusive<u8> {
        match self.0 {
            6 => 36..=89,
            8 => 60..=100,
            9 => 72..=103,
            10 => 60..=100,
            11 => 50..=89,
            12 => 43..=96,
            21 => 46..=93,
            24 | 25 => 40..=84,
            27 | 29 | 30 => 40..=86,
            32 | 33 => 28..=55,
            38 => 28..=60,
            40 => 55..=98,
            41 => 48..=84,
            42 => 36..=72,
            43 => 28..=58,
            44 | 48 | 49 => 36..=96,
            45 => 36..=88,
            46 => 28..=100,
            47 => 38..=57,
            52 => 40..=84,
            56 => 54..=84,
            57 => 40..=72,
            58 => 28..=60,
            60 => 41..=77,
            61 => 43..=84,
            65 => 49..=81,
            68 => 58..=88,
            70 => 34..=70,
            71 => 50..=88,
            72 => 74..=103,
            73 => 60..=96,
            74 => 65..=98,
            75 => 60..=96,
            80 | 81 => 40..=96,
            _ => 24..=103,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instrument_has_an_octave_and_a_bass_lies_below_a_flute() {
        for program in 0..=128 {
            let range = Instrument(program).comfortable_range();
            assert!(range.end() - range.start() >= 12, "{program}");
        }
        assert!(Instrument(33).comfortable_range().end() < Instrument(73).comfortable_range().start());
    }
}
