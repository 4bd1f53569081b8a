//! What is asked for.

use std::ops::RangeInclusive;

use affetto_control::steering::{Steer, SteerOptions};
use affetto_control::{EmotionCurve, MeterClass};
use affetto_score::{Instrument, Key};

use crate::compose::Ablation;
use crate::continuation::Continuation;
use crate::error::{Error, Result};
use crate::families::Family;
use crate::melody::Melody;
use crate::schedule;

/// The longest music that can be asked for, in seconds: one hour.
pub const MAX_DURATION_SECONDS: f64 = 3600.0;
/// The shortest music that can be asked for, in seconds.
pub const MIN_DURATION_SECONDS: f64 = 1.0;
/// The shortest sound that can be asked of a model that writes codes, in seconds.
pub const MIN_CODES_SECONDS: f64 = 0.1;
/// The length of music whose prompt names none, in seconds.
pub const DEFAULT_DURATION_SECONDS: f64 = 30.0;
/// Tempos that can be asked for, in quarter notes per minute.
pub const TEMPO_RANGE: RangeInclusive<f32> = 30.0..=300.0;
/// Densities that can be asked for, in distinct onsets per second.
pub const DENSITY_RANGE: RangeInclusive<f32> =
    affetto_control::prior::DENSITY_RANGE.0..=affetto_control::prior::DENSITY_RANGE.1;
/// The most instruments that can be asked for.
pub const MAX_INSTRUMENTS: usize = affetto_control::conditions::MAX_INSTRUMENTS;
/// The longest prompt that is accepted, in bytes. The model hears its first 24 word pieces.
pub const MAX_TEXT_BYTES: usize = 10_000;

/// How tokens are picked from what the model proposes. `None` = the model's own setting.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Weight of the conditions over their absence (classifier-free guidance); 1 = off. The default model's own grows
    /// with the feeling.
    pub guidance: Option<f32>,
    /// Above 1 bolder, below 1 safer.
    pub temperature: Option<f32>,
    /// Pick among this many likeliest tokens; 0 = all.
    pub top_k: Option<usize>,
    /// Pick among the likeliest tokens that make up this share; 1 = all.
    pub top_p: Option<f32>,
}

/// What is asked for: words, a feeling, and what else shall be fixed. All but the words may be left open; the
/// model then chooses by words and feeling.
///
/// ```
/// use affetto::{Emotion, Prompt};
/// let prompt = Prompt::new("a quiet piano at dusk")
///     .emotion(Emotion::new(0.3, -0.6).unwrap())
///     .duration_seconds(20.0)
///     .tempo_bpm(72.0)
///     .seed(7);
/// assert!(prompt.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub(crate) text: String,
    pub(crate) emotion: Option<EmotionCurve>,
    pub(crate) duration_seconds: f64,
    pub(crate) tempo_bpm: Option<f32>,
    pub(crate) key: Option<Key>,
    pub(crate) meter: Option<MeterClass>,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) density: Option<f32>,
    pub(crate) seed: Option<u64>,
    pub(crate) sampling: Sampling,
    pub(crate) ablation: Ablation,
    pub(crate) melody: Option<Melody>,
    pub(crate) continuation: Option<Continuation>,
    pub(crate) steers: Vec<Steer>,
    pub(crate) steer_options: SteerOptions,
}

impl Prompt {
    /// A prompt of words alone, for [`DEFAULT_DURATION_SECONDS`] of music.
    pub fn new(text: impl Into<String>) -> Prompt {
        Prompt {
            text: text.into(),
            emotion: None,
            duration_seconds: DEFAULT_DURATION_SECONDS,
            tempo_bpm: None,
            key: None,
            meter: None,
            instruments: Vec::new(),
            density: None,
            seed: None,
            sampling: Sampling::default(),
            ablation: Ablation::None,
            melody: None,
            continuation: None,
            steers: Vec::new(),
            steer_options: SteerOptions::default(),
        }
    }

    /// The feeling: one [`Emotion`](crate::Emotion), or an [`EmotionCurve`] over time. Without it the words are read for one.
    pub fn emotion(mut self, emotion: impl Into<EmotionCurve>) -> Prompt {
        self.emotion = Some(emotion.into());
        self
    }

    /// Length of the music in seconds, [`MIN_DURATION_SECONDS`] to [`MAX_DURATION_SECONDS`].
    pub fn duration_seconds(mut self, seconds: f64) -> Prompt {
        self.duration_seconds = seconds;
        self
    }

    /// Quarter notes per minute, in [`TEMPO_RANGE`]: the files' tempo exactly (MIDI counts whole microseconds a quarter).
    pub fn tempo_bpm(mut self, bpm: f32) -> Prompt {
        self.tempo_bpm = Some(bpm);
        self
    }

    /// Key.
    pub fn key(mut self, key: Key) -> Prompt {
        self.key = Some(key);
        self
    }

    /// Meter.
    pub fn meter(mut self, meter: MeterClass) -> Prompt {
        self.meter = Some(meter);
        self
    }

    /// Instruments, at most [`MAX_INSTRUMENTS`]; no others play. One named twice is meant once.
    pub fn instruments(mut self, instruments: impl Into<Vec<Instrument>>) -> Prompt {
        self.instruments.clear();
        for instrument in instruments.into() {
            if !self.instruments.contains(&instrument) {
                self.instruments.push(instrument);
            }
        }
        self
    }

    /// Distinct onsets per second, in [`DENSITY_RANGE`]; never more than sixteenths at the take's tempo.
    pub fn density(mut self, onsets_per_second: f32) -> Prompt {
        self.density = Some(onsets_per_second);
        self
    }

    /// Seed: the same prompt and seed give the same music. Without one, a seed is drawn.
    pub fn seed(mut self, seed: u64) -> Prompt {
        self.seed = Some(seed);
        self
    }

    /// Weight of the conditions over their absence, 1 to 10.
    pub fn guidance(mut self, weight: f32) -> Prompt {
        self.sampling.guidance = Some(weight);
        self
    }

    /// Boldness of the choices, above 0 to 3; 1 = as learned.
    pub fn temperature(mut self, temperature: f32) -> Prompt {
        self.sampling.temperature = Some(temperature);
        self
    }

    /// Pick among this many likeliest tokens; 0 = all.
    pub fn top_k(mut self, count: usize) -> Prompt {
        self.sampling.top_k = Some(count);
        self
    }

    /// Pick among the likeliest tokens that make up this share, above 0 to 1.
    pub fn top_p(mut self, share: f32) -> Prompt {
        self.sampling.top_p = Some(share);
        self
    }

    /// Which part of the system hears the feeling; for experiments.
    pub fn ablation(mut self, ablation: Ablation) -> Prompt {
        self.ablation = ablation;
        self
    }

    /// A melody to follow, for MusicGen models that read one. It begins anew where it ends.
    pub fn melody(mut self, melody: Melody) -> Prompt {
        self.melody = Some(melody);
        self
    }

    /// What the take shall begin with: notes for the family that writes notes, sound or codes for MusicGen models. The
    /// length asked for counts it in. What of tempo, key and instruments is not asked for stays as in the notes.
    pub fn continue_from(mut self, beginning: Continuation) -> Prompt {
        self.continuation = Some(beginning);
        self
    }

    /// A direction in the model's activations to follow; each call adds one.
    pub fn steer(mut self, steer: Steer) -> Prompt {
        self.steers.push(steer);
        self
    }

    /// How the directions act.
    pub fn steer_options(mut self, options: SteerOptions) -> Prompt {
        self.steer_options = options;
        self
    }

    /// Checks every value, for the family that writes notes.
    ///
    /// # Errors
    /// As [`check_for`](Self::check_for).
    pub fn check(&self) -> Result<()> {
        self.check_for(Family::Score)
    }

    /// Checks every value, and that the family hears all that is asked.
    ///
    /// # Errors
    /// [`Error::Prompt`] names the first that is outside its range, and the range; [`Error::Emotion`] what is wrong with
    /// the feeling; [`Error::Family`] what the family does not hear.
    pub fn check_for(&self, family: Family) -> Result<()> {
        if self.text.len() > MAX_TEXT_BYTES {
            return Err(Error::Prompt {
                what: "the prompt",
                found: format!("{} bytes long", self.text.len()),
                expected: format!("at most {MAX_TEXT_BYTES} (its first words are what is heard)"),
            });
        }
        let shortest = match family {
            Family::Score => MIN_DURATION_SECONDS,
            Family::MusicGen => MIN_CODES_SECONDS,
        };
        let durations = shortest..=MAX_DURATION_SECONDS;
        within("the duration", Some(self.duration_seconds), durations, " seconds (one hour)")?;
        self.heard_by(family)?;
        if let Some(curve) = &self.emotion {
            curve.check().map_err(|error| Error::Emotion(error.into()))?;
        }
        within("the tempo", self.tempo_bpm, TEMPO_RANGE, " quarter notes per minute")?;
        within("the density", self.density, DENSITY_RANGE, " onsets per second")?;
        within("guidance", self.sampling.guidance, 1.0..=10.0, "")?;
        within("the temperature", self.sampling.temperature, 0.01..=3.0, "")?;
        within("top-p", self.sampling.top_p, 0.01..=1.0, "")?;
        if self.instruments.len() > MAX_INSTRUMENTS {
            return Err(Error::Prompt {
                what: "the number of instruments",
                found: self.instruments.len().to_string(),
                expected: format!("at most {MAX_INSTRUMENTS}"),
            });
        }
        within("the key's tonic", self.key.map(|key| key.tonic), 0..=11, ", a pitch class from C")?;
        let last = Instrument::COUNT as u8 - 1;
        let beyond = self.instruments.iter().map(|instrument| instrument.0).find(|&number| number > last);
        within("an instrument", beyond, 0..=last, ", a General MIDI program or the drum kit")
    }

    /// Refuses what the family does not hear.
    fn heard_by(&self, family: Family) -> Result<()> {
        let notes = "hear no such control; put it into the words";
        let unheard: &[(bool, &str, &'static str)] = match family {
            Family::Score => &[
                (self.melody.is_some(), "--melody", "follow no melody; name a MusicGen melody model with --model"),
                (
                    self.continuation.as_ref().is_some_and(|from| from.notes().is_none()),
                    "--continue",
                    "go on from notes (.mid, .musicxml, or the .json of a take of theirs); name a MusicGen model with --model \
                     to go on from sound",
                ),
                (
                    schedule::has_parts(&self.text),
                    "words along time (TIME: WORDS | TIME: WORDS)",
                    "read one text for the whole take; give the feeling along time with --emotion, or name a MusicGen \
                     model with --model",
                ),
            ],
            Family::MusicGen => &[
                (self.tempo_bpm.is_some(), "--tempo", notes),
                (self.key.is_some(), "--key", notes),
                (self.meter.is_some(), "--meter", notes),
                (!self.instruments.is_empty(), "--instruments", notes),
                (self.density.is_some(), "--density", notes),
                (
                    self.continuation.as_ref().is_some_and(|from| from.notes().is_some()),
                    "--continue",
                    "go on from sound, or the .json of a take of theirs; leave out --model to go on from notes",
                ),
            ],
        };
        match unheard.iter().find(|(asked, ..)| *asked) {
            Some(&(_, what, reason)) => Err(Error::Family { what: what.to_owned(), family: family.name(), reason }),
            None if family == Family::MusicGen => schedule::read_for(&self.text, self.duration_seconds).map(drop),
            None => Ok(()),
        }
    }

    /// The feeling asked for outright, if any.
    pub fn asked_emotion(&self) -> Option<&EmotionCurve> {
        self.emotion.as_ref()
    }

    /// The words.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    what: &'static str,
    value: Option<T>,
    range: RangeInclusive<T>,
    unit: &str,
) -> Result<()> {
    match value {
        Some(found) if !range.contains(&found) => Err(Error::Prompt {
            what,
            found: found.to_string(),
            expected: format!("a number from {} to {}{unit}", range.start(), range.end()),
        }),
        _ => Ok(()),
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Prompt {
        Prompt::new(text)
    }
}

#[cfg(test)]
mod tests {
    use affetto_control::Emotion;
    use affetto_score::Mode;

    use super::*;

    #[test]
    fn an_instrument_named_twice_is_meant_once() {
        let prompt = Prompt::new("x").instruments(vec![Instrument(73), Instrument(73), Instrument(0)]);
        assert_eq!(prompt.instruments, [Instrument(73), Instrument(0)]);
        assert!(Prompt::new("x").instruments(vec![Instrument(0); 9]).check().is_ok());
    }

    #[test]
    fn values_outside_their_ranges_are_named() {
        let message = |prompt: Prompt| prompt.check().unwrap_err().to_string();
        assert!(Prompt::new("x").check().is_ok());
        assert!(message(Prompt::new("x").duration_seconds(0.0)).starts_with("the duration is 0; expected"));
        assert!(message(Prompt::new("x").duration_seconds(36000.0)).contains("3600 seconds (one hour)"));
        assert!(message(Prompt::new("x").duration_seconds(f64::NAN)).contains("duration"));
        assert!(message(Prompt::new("x").tempo_bpm(1000.0)).contains("30 to 300 quarter notes"));
        assert!(message(Prompt::new("x").density(0.0)).contains("0.25 to 16"));
        assert!(message(Prompt::new("x").guidance(f32::INFINITY)).contains("guidance"));
        assert!(message(Prompt::new("x").temperature(0.0)).contains("temperature"));
        assert!(message(Prompt::new("x").top_p(1.5)).contains("top-p is 1.5"));
        assert!(
            message(Prompt::new("x").instruments((0..9).map(Instrument).collect::<Vec<_>>())).contains("at most 8")
        );
        assert!(message(Prompt::new("x").instruments([Instrument(129)])).contains("an instrument is 129"));
        let key = Key { tonic: 12, mode: Mode::Major };
        assert!(message(Prompt::new("x").key(key)).contains("tonic is 12; expected a number from 0 to 11"));
        let far = Emotion { valence: 5.0, arousal: 0.0 };
        assert!(message(Prompt::new("x").emotion(far)).contains("valence is 5; expected a number from -1 to 1"));
        let lost = Emotion { valence: 0.0, arousal: f32::NAN };
        assert!(message(Prompt::new("x").emotion(lost)).contains("arousal is NaN"));
        assert!(message(Prompt::new("x".repeat(20_000))).contains("20000 bytes"));
    }
}
