//! Where an instrument stands: left and right, in the room, how loud.

use crate::Instrument;

/// An instrument's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// -1 left … 1 right.
    pub pan: f32,
    /// How far low keys go left and high keys right of it (a piano's width), 0–1.
    pub width: f32,
    /// Share sent into the room, 0–1.
    pub reverb: f32,
    /// Share sent into the chorus, 0–1.
    pub chorus: f32,
    /// Gain in dB that evens out how loud FluidR3's presets are at the same velocity.
    pub trim_db: f32,
}

/// The place of an instrument: orchestra seats from the listener's side for orchestral instruments,
/// a band's stage for the others.
pub fn placement(instrument: Instrument) -> Placement {
    let place = |pan, width, reverb, chorus| Placement { pan, width, reverb, chorus, trim_db: trim_db(instrument) };
    match instrument.0 {
        0..=3 => place(0.0, 0.45, 0.30, 0.0),
        4 | 5 => place(0.0, 0.30, 0.25, 0.35),
        6 | 7 => place(0.08, 0.30, 0.30, 0.0),
        8..=10 => place(-0.25, 0.25, 0.45, 0.0),
        11 => place(0.20, 0.30, 0.40, 0.10),
        12 | 13 => place(0.25, 0.30, 0.35, 0.0),
        14 | 15 => place(-0.20, 0.20, 0.45, 0.0),
        16..=18 => place(0.0, 0.10, 0.30, 0.30),
        19 | 20 => place(0.0, 0.20, 0.60, 0.0),
        21..=23 => place(-0.12, 0.15, 0.30, 0.10),
        24 => place(0.12, 0.08, 0.30, 0.0),
        25 => place(-0.22, 0.08, 0.28, 0.05),
        26 | 27 => place(0.25, 0.08, 0.28, 0.25),
        28..=31 => place(-0.25, 0.05, 0.22, 0.10),
        32 => place(0.05, 0.0, 0.18, 0.0),
        33..=39 => place(0.0, 0.0, 0.10, 0.0),
        40 | 110 => place(-0.35, 0.05, 0.42, 0.0),
        41 => place(0.12, 0.05, 0.42, 0.0),
        42 => place(0.32, 0.05, 0.40, 0.0),
        43 => place(0.45, 0.05, 0.35, 0.0),
        44 | 45 | 48..=51 => place(-0.05, 0.50, 0.45, 0.10),
        46 => place(-0.45, 0.20, 0.45, 0.0),
        47 => place(-0.15, 0.10, 0.50, 0.0),
        52..=54 => place(0.0, 0.30, 0.55, 0.15),
        55 => place(0.0, 0.0, 0.40, 0.0),
        56 | 59 => place(0.28, 0.0, 0.40, 0.0),
        57 => place(0.38, 0.0, 0.40, 0.0),
        58 => place(0.45, 0.0, 0.38, 0.0),
        60 => place(-0.28, 0.05, 0.50, 0.0),
        61..=63 => place(0.15, 0.15, 0.35, 0.10),
        64..=67 => place(0.12, 0.0, 0.35, 0.0),
        68 | 69 => place(0.08, 0.0, 0.42, 0.0),
        70 => place(0.18, 0.0, 0.40, 0.0),
        71 => place(-0.12, 0.0, 0.40, 0.0),
        72..=79 => place(-0.15, 0.0, 0.45, 0.0),
        80..=87 => place(0.05, 0.0, 0.28, 0.30),
        88..=103 => place(0.0, 0.25, 0.50, 0.40),
        104..=111 => place(0.15, 0.08, 0.32, 0.0),
        112..=127 => place(-0.1, 0.15, 0.35, 0.0),
        _ => place(0.0, 0.0, 0.16, 0.0),
    }
}

/// Measured: a broken chord at velocity 80 in each instrument's middle register, integrated loudness
/// brought to about -28 LUFS before the master gain (drums and basses 2 dB above, pads 2 below).
fn trim_db(instrument: Instrument) -> f32 {
    match instrument.0 {
        0..=3 | 24 | 25 | 38 => 4.0,
        6 | 7 | 11 | 12 | 13 | 16 => 3.0,
        8 | 9 | 21..=23 | 43 | 45..=47 => 2.0,
        32 => 1.0,
        10 | 50 | 51 | 57 | 72 | 80 => -3.0,
        39 | 61 => -4.0,
        49 | 58 | 70 => -2.0,
        56 | 60 | 73 => -1.0,
        74 => -5.0,
        89 => 4.0,
        128 => 7.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instrument_has_a_place_within_bounds() {
        for program in 0..=128 {
            let p = placement(Instrument(program));
            assert!(p.pan.abs() <= 1.0 && (0.0..=1.0).contains(&p.width), "{program}");
            assert!((0.0..=1.0).contains(&p.reverb) && (0.0..=1.0).contains(&p.chorus), "{program}");
            assert!(p.trim_db.abs() <= 8.0);
        }
        assert!(placement(Instrument(40)).pan < 0.0 && placement(Instrument(43)).pan > 0.0);
    }
}
