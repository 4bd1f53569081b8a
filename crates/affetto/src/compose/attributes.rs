//! The attributes of a take: those that were asked for, and the others as the prior draws them.

use affetto_control::conditions::MAX_INSTRUMENTS;
use affetto_control::prior::{AttributePrior, HEADS, PriorContext, PriorDraws, PriorSampling};
use affetto_control::{Emotion, MeterClass};
use affetto_score::{Instrument, Key};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::Request;
use super::feeling::Pressure;
use super::mode::Leaning;
use super::plan::Movement;

/// Tells the prior's draws apart from others of the same seed.
const STREAM: u64 = 0x7072_696f_7264_7261;
/// Points along a take at which its feeling is averaged for what stays fixed throughout.
const AVERAGED_POINTS: usize = 16;

/// How the prior is drawn from, whatever the feeling.
#[derive(Clone, Copy, Debug)]
pub struct PriorSettings {
    /// Guidance on a strong feeling.
    pub guidance: f32,
    /// Temperature of each attribute's draw.
    pub temperature: [f32; HEADS.len()],
    /// How guidance grows with the feeling.
    pub pressure: Pressure,
    /// How a mode that nobody asked for is told.
    pub leaning: Leaning,
}

impl PriorSettings {
    pub(super) fn sampling(&self, emotion: Option<Emotion>) -> PriorSampling {
        PriorSampling { guidance: self.pressure.scale(self.guidance, emotion), temperature: self.temperature }
    }
}

/// What is settled for a whole take, and the prior that tempo, density and mode follow the feeling by.
pub struct Attributes<'a> {
    /// Meter.
    pub meter: MeterClass,
    /// Key.
    pub key: Key,
    /// Instruments.
    pub instruments: Vec<Instrument>,
    prior: &'a AttributePrior,
    context: PriorContext<'a>,
    draws: PriorDraws,
    settings: PriorSettings,
    asked_tempo: Option<f64>,
    asked_density: Option<f32>,
    /// Asked for, or that of a piece to go on from.
    key_is_given: bool,
    neutral: bool,
}

impl<'a> Attributes<'a> {
    /// Keeps what is asked for and draws the rest for the words and the mean feeling.
    pub fn settle(
        prior: &'a AttributePrior,
        request: &Request,
        sentence: Option<&'a [f32]>,
        settings: PriorSettings,
    ) -> Attributes<'a> {
        let draws = draw(request.seed);
        let neutral = request.ablation.neutral_attributes();
        let given_tempo = request.opening.as_ref().map(|given| given.tempo_bpm);
        let mut context = PriorContext {
            sentence: request.ablation.attributes_hear(sentence),
            emotion: match neutral {
                true => Some(Emotion::NEUTRAL),
                false => mean_emotion(request),
            },
            meter: request.meter,
            key: request.key,
            instruments: request.instruments.clone(),
            instruments_complete: !request.instruments.is_empty(),
            tempo_bpm: request.tempo_bpm.or(given_tempo.map(|bpm| bpm as f32)),
            density: request.density,
        };
        let sampling = settings.sampling(context.emotion);
        prior.complete_fixed(&mut context, &draws, sampling);
        Attributes {
            meter: context.meter.unwrap_or(MeterClass::FourFour),
            key: context.key.expect("the prior draws a key"),
            instruments: context.instruments.clone(),
            prior,
            context,
            draws,
            settings,
            asked_tempo: request.tempo_bpm.map(as_typed).or(given_tempo),
            asked_density: request.density,
            key_is_given: request.key.is_some(),
            neutral,
        }
    }

    fn at(&self, emotion: Option<Emotion>) -> (PriorContext<'a>, PriorSampling) {
        let emotion = if self.neutral { Some(Emotion::NEUTRAL) } else { emotion };
        (PriorContext { emotion, ..self.context.clone() }, self.settings.sampling(emotion))
    }
}

impl Movement for Attributes<'_> {
    fn tempo_bpm(&self, emotion: Option<Emotion>) -> f64 {
        match self.asked_tempo {
            Some(bpm) => bpm,
            None => {
                let (context, sampling) = self.at(emotion);
                f64::from(self.prior.tempo_bpm(&context, &self.draws, sampling)).round()
            }
        }
    }

    fn density(&self, emotion: Option<Emotion>, tempo_bpm: f64) -> Option<f32> {
        Some(self.asked_density.unwrap_or_else(|| {
            let (context, sampling) = self.at(emotion);
            let context = PriorContext { tempo_bpm: Some(tempo_bpm as f32), ..context };
            self.prior.density(&context, &self.draws, sampling)
        }))
    }

    fn minor_share(&self, emotion: Option<Emotion>) -> Option<f32> {
        if self.key_is_given {
            return None;
        }
        let (context, _) = self.at(emotion);
        let feeling = context.emotion?;
        let learned = |valence: f32| {
            let emotion = Some(Emotion { valence, ..feeling });
            self.prior.minor_share(&PriorContext { key: None, emotion, ..context.clone() })
        };
        Some(self.settings.leaning.minor_share(feeling.valence, self.draws.mode, learned))
    }

    fn tempo_is_fixed(&self) -> bool {
        self.asked_tempo.is_some()
    }
}

/// The decimal that was asked for: 92.456, where the nearest `f32` is 92.45600128…
fn as_typed(bpm: f32) -> f64 {
    bpm.to_string().parse().unwrap_or(f64::from(bpm))
}

fn mean_emotion(request: &Request) -> Option<Emotion> {
    let curve = request.emotion.as_ref()?;
    let mut mean = Emotion::NEUTRAL;
    for i in 0..AVERAGED_POINTS {
        let point = curve.at((i as f64 + 0.5) / AVERAGED_POINTS as f64 * request.duration_seconds);
        mean.valence += point.valence / AVERAGED_POINTS as f32;
        mean.arousal += point.arousal / AVERAGED_POINTS as f32;
    }
    Some(mean)
}

fn draw(seed: u64) -> PriorDraws {
    let mut rng = Pcg64Mcg::seed_from_u64(seed ^ STREAM);
    let mut uniform = || rng.random::<f32>();
    let mut instruments = [0.0; MAX_INSTRUMENTS];
    // One draw was the mode's; it stays unread, so that a seed's other draws are what they were.
    let (meter, _, tempo, density) = (uniform(), uniform(), uniform(), uniform());
    instruments.fill_with(&mut uniform);
    PriorDraws { meter, mode: evenly_spread(seed), tonic: uniform(), instruments, tempo, density }
}

/// A draw in [0, 1) that spreads any few seeds in a row evenly, so that some takes of one request show both modes as
/// often as many would: multiples of the golden ratio, modulo 1, from a half on.
fn evenly_spread(seed: u64) -> f32 {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let turned = seed.wrapping_mul(GOLDEN_RATIO).wrapping_add(1 << 63);
    (turned >> 40) as f32 / (1u32 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_in_a_row_spread_evenly() {
        for first in [0, 7, 30_000, u64::MAX - 3] {
            let mut draws: Vec<f32> = (0..8).map(|i| evenly_spread(first.wrapping_add(i))).collect();
            draws.sort_unstable_by(f32::total_cmp);
            assert!(draws[0] < 0.25 && draws[7] > 0.75 && draws[7] < 1.0, "{draws:?}");
            assert!(draws.windows(2).all(|pair| (0.05..0.25).contains(&(pair[1] - pair[0]))), "{draws:?}");
        }
    }

    #[test]
    fn an_asked_tempo_has_the_digits_that_were_asked() {
        assert_eq!(as_typed(92.456), 92.456);
        assert_eq!(as_typed(120.0), 120.0);
    }
}
