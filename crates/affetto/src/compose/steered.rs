//! Directions at work while notes are written: how strong each is at the note being written, and which conditions give
//! way to them.

use affetto_control::steering::{Controller, Freed};
use affetto_control::{Conditions as Told, ToldKey};
use affetto_score::Instrument;

use super::Request;

/// Steps in which the mode gives way: each makes the model's conditions anew.
const MODE_SHARES: u8 = 16;
/// From so many on the mode counts as free, and that is stated which is heard.
const MODE_HEARD: u8 = MODE_SHARES / 2;

/// Conditions that give way for now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Freedom {
    /// The key is not told.
    pub key: bool,
    /// How open it is whether the key is major or minor, in [`MODE_SHARES`]: all of them where either is told alike.
    pub mode: u8,
    /// The density is not told.
    pub density: bool,
    /// The instruments are not told, and these may join those of the plan; where the list is empty, all may.
    pub instruments: Option<Vec<Instrument>>,
}

impl Freedom {
    /// What is told of `told`.
    pub fn withhold(&self, mut told: Told) -> Told {
        let open = f32::from(self.mode) / f32::from(MODE_SHARES);
        let opened = |told: ToldKey| ToldKey { other_mode: told.other_mode + open * (0.5 - told.other_mode), ..told };
        told.key = told.key.filter(|_| !self.key).map(opened);
        told.segment.density = told.segment.density.filter(|_| !self.density);
        if self.instruments.is_some() {
            told.instruments.clear();
        }
        told
    }

    /// Who may play where the plan has `planned`; the empty list stands for all.
    pub fn players(&self, planned: &[Instrument]) -> Vec<Instrument> {
        match self.instruments.as_deref() {
            None => planned.to_vec(),
            Some([]) => Vec::new(),
            Some(_) if planned.is_empty() => Vec::new(),
            Some(joining) => {
                let mut players = planned.to_vec();
                players.extend(joining.iter().filter(|joins| !planned.contains(joins)));
                players
            }
        }
    }
}

/// The conditions that nobody asked for, which may give way.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    key: bool,
    density: bool,
    instruments: bool,
}

impl Open {
    /// Those of a request.
    pub fn of(request: &Request) -> Open {
        Open {
            key: request.key.is_none(),
            density: request.density.is_none(),
            instruments: request.instruments.is_empty(),
        }
    }
}

/// Where a take's key was free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyFree {
    /// First second at which the key, or its mode at least half, was free.
    pub from_seconds: f64,
    /// Last such second.
    pub to_seconds: f64,
    /// Whether it was the mode alone: the tonic was told throughout.
    pub mode_only: bool,
}

/// The directions of a take.
pub struct Steered {
    controller: Controller,
    open: Open,
    seconds: f64,
    freedom: Freedom,
    key_free: Option<KeyFree>,
    instruments_were_free: bool,
}

impl Steered {
    /// Directions whose strengths `controller` tells.
    pub fn new(controller: Controller, open: Open) -> Steered {
        Steered {
            controller,
            open,
            seconds: 0.0,
            freedom: Freedom::default(),
            key_free: None,
            instruments_were_free: false,
        }
    }

    /// Goes to the second of the note being written; what gives way there.
    pub fn go_to(&mut self, seconds: f64) -> &Freedom {
        self.seconds = seconds;
        let (freed, programs) = self.controller.freed(seconds);
        let joining = || programs.iter().map(|&program| Instrument(program)).collect();
        self.freedom = Freedom {
            key: self.open.key && freed.contains(&Freed::Key),
            mode: if self.open.key {
                (self.controller.mode_freed(seconds) * f32::from(MODE_SHARES)).round() as u8
            } else {
                0
            },
            density: self.open.density && freed.contains(&Freed::Density),
            instruments: (self.open.instruments && freed.contains(&Freed::Instruments)).then(joining),
        };
        if self.freedom.key || self.freedom.mode >= MODE_HEARD {
            self.key_free = Some(KeyFree {
                from_seconds: self.key_free.map_or(seconds, |free| free.from_seconds),
                to_seconds: seconds,
                mode_only: !self.freedom.key && self.key_free.is_none_or(|free| free.mode_only),
            });
        }
        self.instruments_were_free |= self.freedom.instruments.is_some();
        &self.freedom
    }

    /// The strengths at that second, by what the probes read.
    pub fn strengths(&mut self, readings: &[f32], strengths: &mut [f32]) {
        self.controller.strengths(self.seconds, readings, strengths);
    }

    /// Where the key, or its mode, was free, if it ever was.
    pub fn key_free(&self) -> Option<KeyFree> {
        self.key_free
    }

    /// Whether other instruments than the plan's were ever let in.
    pub fn instruments_were_free(&self) -> bool {
        self.instruments_were_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_may_join_play_with_the_planned_ones() {
        let (piano, violin) = (Instrument::PIANO, Instrument(40));
        let players = |joining: Option<Vec<Instrument>>, planned: &[Instrument]| {
            Freedom { instruments: joining, ..Freedom::default() }.players(planned)
        };
        assert_eq!(players(None, &[piano]), [piano]);
        assert_eq!(players(Some(vec![violin, piano]), &[piano]), [piano, violin]);
        assert_eq!(players(Some(Vec::new()), &[piano]), []);
        assert_eq!(players(Some(vec![violin]), &[]), [], "where all may play, all may still");
    }

    #[test]
    fn what_gives_way_is_not_told() {
        let told = Told {
            key: Some(affetto_score::Key { tonic: 4, mode: affetto_score::Mode::Major }.into()),
            instruments: vec![Instrument::PIANO],
            tempo_bpm: Some(90.0),
            ..Told::default()
        };
        assert_eq!(Freedom::default().withhold(told.clone()), told);
        let mode = Freedom { mode: MODE_SHARES, ..Freedom::default() };
        let open = told.key.map(|told| ToldKey { other_mode: 0.5, ..told });
        assert_eq!(mode.withhold(told.clone()), Told { key: open, ..told.clone() });
        let leaning = |other_mode| Told { key: told.key.map(|told| ToldKey { other_mode, ..told }), ..told.clone() };
        assert_eq!(Freedom::default().withhold(leaning(0.9)), leaning(0.9));
        let half = Freedom { mode: MODE_SHARES / 2, ..Freedom::default() };
        assert_eq!(half.withhold(leaning(0.75)), leaning(0.625), "half way from where it was to open");
        let free = Freedom { key: true, mode: MODE_SHARES, density: true, instruments: Some(Vec::new()) };
        assert_eq!(free.withhold(told), Told { tempo_bpm: Some(90.0), ..Told::default() });
    }
}
