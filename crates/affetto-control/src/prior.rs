//! The attribute prior: what tempo, key, meter, density and instruments go with words and a feeling.
//!
//! A small network reads the words, the feeling and the attributes known so far, each of which may
//! be missing, and gives a distribution for every attribute. Attributes that nobody fixed are drawn
//! one after the other, each told the ones before. Nothing here is a hand-written rule: the network
//! learns from labelled training windows (`affetto train prior`).

use affetto_engine::{Checkpoint, EngineError, Linear, Precision, activation};
use affetto_score::{Instrument, Key, Mode};

use crate::conditions::{
    KEY_CLASSES, MAX_INSTRUMENTS, MeterClass, SCALAR_FEATURES, TEXT_WIDTH, density_scalar, scalar_features,
    tempo_scalar,
};
use crate::emotion::Emotion;
use crate::finite::check_finite;

/// Tempo classes: [`TEMPO_BINS`] equal steps of log tempo from [`TEMPO_BINS_BPM`].0 to .1.
pub const TEMPO_BINS: usize = 24;
/// Slowest and fastest tempo the prior tells apart, quarter notes per minute.
pub const TEMPO_BINS_BPM: (f32, f32) = (40.0, 240.0);
/// Density classes: equal steps of log density over [`DENSITY_RANGE`].
pub const DENSITY_BINS: usize = 16;
/// Sparsest and densest, distinct onsets per second.
pub const DENSITY_RANGE: (f32, f32) = (0.25, 16.0);
/// Instrument classes: every instrument, and "no further one".
pub const INSTRUMENT_CLASSES: usize = Instrument::COUNT + 1;

/// Sizes of the network's five answers, in the order of its output: meter, key, instrument, tempo, density.
pub const HEADS: [usize; 5] = [MeterClass::ALL.len(), KEY_CLASSES, INSTRUMENT_CLASSES, TEMPO_BINS, DENSITY_BINS];
/// Width of the network's output: all answers side by side.
pub const OUTPUT_WIDTH: usize = HEADS[0] + HEADS[1] + HEADS[2] + HEADS[3] + HEADS[4];
/// Width of the network's input: see [`PriorContext::features`].
pub const INPUT_WIDTH: usize = (TEXT_WIDTH + 1)
    + (2 * SCALAR_FEATURES + 1)
    + (HEADS[0] + 1)
    + (KEY_CLASSES + 1)
    + (Instrument::COUNT + 1)
    + 2 * (SCALAR_FEATURES + 1);
/// Width of the network's two hidden layers.
pub const HIDDEN_WIDTH: usize = 256;

/// What the prior knows. `None` = not known.
#[derive(Clone, Debug, Default)]
pub struct PriorContext<'a> {
    /// MiniLM sentence embedding, [`TEXT_WIDTH`] wide.
    pub sentence: Option<&'a [f32]>,
    /// The feeling.
    pub emotion: Option<Emotion>,
    /// Meter.
    pub meter: Option<MeterClass>,
    /// Key.
    pub key: Option<Key>,
    /// Instruments so far.
    pub instruments: Vec<Instrument>,
    /// Whether `instruments` is the whole list.
    pub instruments_complete: bool,
    /// Quarter notes per minute.
    pub tempo_bpm: Option<f32>,
    /// Distinct onsets per second.
    pub density: Option<f32>,
}

impl PriorContext<'_> {
    /// The network's input, [`INPUT_WIDTH`] wide: for each fact its features and a flag that it is known.
    pub fn features(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(INPUT_WIDTH);
        let mut fact = |width: usize, value: Option<Vec<f32>>| {
            let known = value.is_some();
            let mut value = value.unwrap_or_default();
            value.resize(width, 0.0);
            out.extend(value);
            out.push(f32::from(u8::from(known)));
        };
        let one_hot = |width: usize, index: usize| {
            let mut v = vec![0.0; width];
            v[index.min(width - 1)] = 1.0;
            v
        };
        // A unit-length embedding has tiny components; scaled to about one each.
        let scale = (TEXT_WIDTH as f32).sqrt();
        fact(TEXT_WIDTH, self.sentence.map(|s| s.iter().map(|x| x * scale).collect()));
        fact(
            2 * SCALAR_FEATURES,
            self.emotion.map(|e| [scalar_features(e.valence), scalar_features(e.arousal)].concat()),
        );
        fact(HEADS[0], self.meter.map(|m| one_hot(HEADS[0], m.index())));
        fact(KEY_CLASSES, self.key.map(|k| one_hot(KEY_CLASSES, k.index())));
        let mut chosen = vec![0.0; Instrument::COUNT];
        for instrument in &self.instruments {
            chosen[usize::from(instrument.0).min(Instrument::COUNT - 1)] = 1.0;
        }
        fact(Instrument::COUNT, Some(chosen));
        // The instruments' flag says "complete"; the list itself may always be read.
        *out.last_mut().expect("a flag was pushed") = f32::from(u8::from(self.instruments_complete));
        let mut fact = |value: Option<f32>| {
            out.extend(value.map_or([0.0; SCALAR_FEATURES], scalar_features));
            out.push(f32::from(u8::from(value.is_some())));
        };
        fact(self.tempo_bpm.map(tempo_scalar));
        fact(self.density.map(density_scalar));
        debug_assert_eq!(out.len(), INPUT_WIDTH);
        out
    }
}

/// Class of a value among `bins` equal steps of its logarithm over `range`.
pub fn log_bin(value: f32, range: (f32, f32), bins: usize) -> usize {
    let share = (value.max(1e-6) / range.0).ln() / (range.1 / range.0).ln();
    ((share * bins as f32).floor().max(0.0) as usize).min(bins - 1)
}

/// The value a share `within` (0–1) through class `bin`; the inverse of [`log_bin`].
pub fn log_bin_value(bin: usize, within: f32, range: (f32, f32), bins: usize) -> f32 {
    range.0 * (range.1 / range.0).powf((bin as f32 + within) / bins as f32)
}

/// Uniform draws in [0, 1) behind one take's attributes. Keeping them while the feeling moves makes
/// tempo and density follow it smoothly, by their distributions' quantiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriorDraws {
    /// For the meter.
    pub meter: f32,
    /// For the key's mode, and for how minor a key is told where the mode follows the feeling: low for major.
    pub mode: f32,
    /// For its tonic.
    pub tonic: f32,
    /// For each instrument in turn.
    pub instruments: [f32; MAX_INSTRUMENTS],
    /// For the tempo.
    pub tempo: f32,
    /// For the density.
    pub density: f32,
}

/// How strongly a draw leans to the feeling and to the likely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriorSampling {
    /// Classifier-free guidance on the feeling: 1 = the distribution as learned.
    pub guidance: f32,
    /// Temperature of the draws of meter, key, instruments, tempo and density.
    pub temperature: [f32; HEADS.len()],
}

/// The attribute prior: two hidden layers of [`HIDDEN_WIDTH`] with GELU.
pub struct AttributePrior {
    fc1: Linear,
    fc2: Linear,
    heads: Linear,
}

impl AttributePrior {
    /// Loads `prior.{fc1,fc2,heads}.{weight,bias}`.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape, or holds numbers that are not finite.
    pub fn load(checkpoint: &Checkpoint) -> Result<AttributePrior, EngineError> {
        let layer = |name: &str, inputs, outputs| {
            Linear::load(checkpoint, &format!("prior.{name}"), outputs, inputs, true, Precision::F32)
        };
        check_finite(checkpoint, "prior.")?;
        Ok(AttributePrior {
            fc1: layer("fc1", INPUT_WIDTH, HIDDEN_WIDTH)?,
            fc2: layer("fc2", HIDDEN_WIDTH, HIDDEN_WIDTH)?,
            heads: layer("heads", HIDDEN_WIDTH, OUTPUT_WIDTH)?,
        })
    }

    /// Scores of every class of every attribute, [`OUTPUT_WIDTH`] wide.
    pub fn logits(&self, context: &PriorContext<'_>) -> Vec<f32> {
        let mut x = self.fc1.forward(&context.features(), 1);
        activation::gelu(&mut x);
        let mut x = self.fc2.forward(&x, 1);
        activation::gelu(&mut x);
        self.heads.forward(&x, 1)
    }

    /// Distribution of attribute `head` (index into [`HEADS`]) with guidance and temperature, `allowed` classes only.
    fn distribution(
        &self,
        context: &PriorContext<'_>,
        head: usize,
        sampling: PriorSampling,
        allowed: impl Fn(usize) -> bool,
    ) -> Vec<f32> {
        let start: usize = HEADS[..head].iter().sum();
        let range = start..start + HEADS[head];
        let mut logits = self.logits(context)[range.clone()].to_vec();
        if sampling.guidance != 1.0 && context.emotion.is_some() {
            // Away from the neutral feeling, not from none: without a feeling the prior means music as it was written, and
            // what sets performances apart from that has nothing to do with what is felt.
            let neutral = self.logits(&PriorContext { emotion: Some(Emotion::NEUTRAL), ..context.clone() });
            for (c, u) in logits.iter_mut().zip(&neutral[range]) {
                *c = u + sampling.guidance * (*c - u);
            }
        }
        let top = logits.iter().enumerate().filter(|(i, _)| allowed(*i)).map(|(_, l)| *l).fold(f32::MIN, f32::max);
        let temperature = sampling.temperature[head].max(1e-3);
        let mut p: Vec<f32> = logits
            .iter()
            .enumerate()
            .map(|(i, l)| if allowed(i) { ((l - top) / temperature).exp() } else { 0.0 })
            .collect();
        let total: f32 = p.iter().sum();
        p.iter_mut().for_each(|x| *x /= total);
        p
    }

    /// Draws meter, instruments and key where `context` lacks them, in this order, and completes it.
    pub fn complete_fixed(&self, context: &mut PriorContext<'_>, draws: &PriorDraws, sampling: PriorSampling) {
        if context.meter.is_none() {
            // "Other" gathers many meters and names none: it is only played when asked for.
            let p = self.distribution(context, 0, sampling, |i| i != MeterClass::Other.index());
            context.meter = Some(MeterClass::ALL[pick(&p, draws.meter).0]);
        }
        if !context.instruments_complete {
            while context.instruments.len() < MAX_INSTRUMENTS {
                let count = context.instruments.len();
                let p = self.distribution(context, 2, sampling, |i| {
                    let end = i == Instrument::COUNT;
                    if end { count > 0 } else { !context.instruments.contains(&Instrument(i as u8)) }
                });
                let choice = pick(&p, draws.instruments[count]).0;
                if choice == Instrument::COUNT {
                    break;
                }
                context.instruments.push(Instrument(choice as u8));
            }
            context.instruments_complete = true;
        }
        if context.key.is_none() {
            context.key = Some(pick_key(&self.distribution(context, 1, sampling, |_| true), draws));
        }
    }

    /// The share of minor among all keys for `context`, as learned: neither guidance nor temperature moves it.
    pub fn minor_share(&self, context: &PriorContext<'_>) -> f32 {
        let learned = PriorSampling { guidance: 1.0, temperature: [1.0; HEADS.len()] };
        self.distribution(context, 1, learned, |_| true)[KEY_CLASSES / 2..].iter().sum()
    }

    /// The tempo for `context`, quarter notes per minute.
    pub fn tempo_bpm(&self, context: &PriorContext<'_>, draws: &PriorDraws, sampling: PriorSampling) -> f32 {
        let p = self.distribution(context, 3, sampling, |_| true);
        let (bin, within) = pick(&p, draws.tempo);
        log_bin_value(bin, within, TEMPO_BINS_BPM, TEMPO_BINS)
    }

    /// The density for `context`, distinct onsets per second.
    pub fn density(&self, context: &PriorContext<'_>, draws: &PriorDraws, sampling: PriorSampling) -> f32 {
        let p = self.distribution(context, 4, sampling, |_| true);
        let (bin, within) = pick(&p, draws.density);
        log_bin_value(bin, within, DENSITY_RANGE, DENSITY_BINS)
    }
}

/// The class at quantile `draw` of a distribution, and how far through the class it lies (0–1).
fn pick(p: &[f32], draw: f32) -> (usize, f32) {
    let mut below = 0.0;
    let mut last = (0, 0.5);
    for (i, &share) in p.iter().enumerate() {
        if share > 0.0 {
            if draw < below + share {
                return (i, ((draw - below) / share).clamp(0.0, 1.0));
            }
            last = (i, 1.0);
        }
        below += share;
    }
    last
}

/// A key from the distribution over all keys: the mode by its total share, major for low draws, then a tonic in that
/// mode by a draw of its own, so that a feeling that turns the mode leaves the tonic nearly alone.
fn pick_key(p: &[f32], draws: &PriorDraws) -> Key {
    let (major, minor) = p.split_at(KEY_CLASSES / 2);
    let (share, rest) = (major.iter().sum::<f32>(), minor.iter().sum::<f32>());
    // Shares may add up to a little less than 1; a draw above their sum must not choose a mode that has none.
    let is_major = draws.mode < share || rest <= 0.0;
    let (chosen, total, mode) = if is_major { (major, share, Mode::Major) } else { (minor, rest, Mode::Minor) };
    let tonics: Vec<f32> = chosen.iter().map(|x| x / total).collect();
    Key { tonic: pick(&tonics, draws.tonic).0 as u8, mode }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_follows_its_share_and_the_tonic_its_own_draw() {
        let index = |tonic, mode| Key { tonic, mode }.index();
        let mut p = vec![0.0; KEY_CLASSES];
        p[index(0, Mode::Major)] = 0.6;
        p[index(9, Mode::Minor)] = 0.3;
        p[index(2, Mode::Minor)] = 0.1;
        let drawn = |p: &[f32], mode, tonic| {
            let instruments = [0.0; MAX_INSTRUMENTS];
            pick_key(p, &PriorDraws { meter: 0.0, mode, tonic, instruments, tempo: 0.0, density: 0.0 })
        };
        for tonic in [0.0, 0.3, 0.6, 0.99] {
            assert_eq!(drawn(&p, 0.59, tonic), Key { tonic: 0, mode: Mode::Major });
            assert_eq!(drawn(&p, 0.61, tonic).mode, Mode::Minor);
        }
        assert_ne!(drawn(&p, 0.9, 0.01), drawn(&p, 0.9, 0.99));
        assert_eq!(drawn(&p, 0.65, 0.5), drawn(&p, 0.99, 0.5), "within a mode its draw changes nothing");
        // Shares that end just below 1 must not leave a high draw without a key.
        let mut alone = vec![0.0; KEY_CLASSES];
        alone[index(9, Mode::Major)] = 1.0 - 1e-6;
        assert_eq!(drawn(&alone, 1.0 - 1e-7, 0.5), Key { tonic: 9, mode: Mode::Major });
    }

    /// A prior that says the same of everything: its answers are its last biases.
    fn constant(answers: Vec<f32>) -> AttributePrior {
        use affetto_engine::PackedMatrix;
        let layer = |inputs: usize, outputs: usize, bias: Vec<f32>| {
            let weight = PackedMatrix::pack(&vec![0.0; inputs * outputs], outputs, inputs, Precision::F32).unwrap();
            Linear::new(weight, Some(bias)).unwrap()
        };
        AttributePrior {
            fc1: layer(INPUT_WIDTH, HIDDEN_WIDTH, vec![0.0; HIDDEN_WIDTH]),
            fc2: layer(HIDDEN_WIDTH, HIDDEN_WIDTH, vec![0.0; HIDDEN_WIDTH]),
            heads: layer(HIDDEN_WIDTH, OUTPUT_WIDTH, answers),
        }
    }

    #[test]
    fn the_share_of_minor_is_that_of_all_minor_keys() {
        // Odds of 3 on each minor key: three quarters of all keys.
        let mut answers = vec![0.0; OUTPUT_WIDTH];
        for tonic in 0..12 {
            answers[HEADS[0] + Key { tonic, mode: Mode::Minor }.index()] = 3.0f32.ln();
        }
        let share = constant(answers).minor_share(&PriorContext::default());
        assert!((share - 0.75).abs() < 1e-5, "{share}");
    }

    #[test]
    fn bins_and_values_are_inverse() {
        for bin in 0..TEMPO_BINS {
            let value = log_bin_value(bin, 0.5, TEMPO_BINS_BPM, TEMPO_BINS);
            assert_eq!(log_bin(value, TEMPO_BINS_BPM, TEMPO_BINS), bin);
        }
        assert_eq!(log_bin(0.0, DENSITY_RANGE, DENSITY_BINS), 0);
        assert_eq!(log_bin(1e9, DENSITY_RANGE, DENSITY_BINS), DENSITY_BINS - 1);
    }

    #[test]
    fn a_higher_draw_never_picks_a_lower_class() {
        let p = [0.0, 0.25, 0.0, 0.5, 0.25];
        assert_eq!(pick(&p, 0.0), (1, 0.0));
        assert_eq!(pick(&p, 0.5), (3, 0.5));
        assert_eq!(pick(&p, 0.99999).0, 4);
        assert_eq!(pick(&p, 1.5).0, 4);
    }

    #[test]
    fn features_have_their_width_and_flags() {
        let sentence = [0.1; TEXT_WIDTH];
        let empty = PriorContext::default().features();
        assert_eq!(empty.len(), INPUT_WIDTH);
        assert!(empty.iter().all(|&x| x == 0.0));
        let full = PriorContext {
            sentence: Some(&sentence),
            emotion: Some(Emotion::NEUTRAL),
            tempo_bpm: Some(90.0),
            ..PriorContext::default()
        };
        assert_eq!(full.features()[TEXT_WIDTH], 1.0);
    }
}
