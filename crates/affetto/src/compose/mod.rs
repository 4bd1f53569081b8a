//! From a request to notes: settle what nobody fixed, plan the bars, let the model write under the rules, add
//! micro-timing.

mod attributes;
mod clean;
mod expression;
mod feeling;
mod guide;
mod mode;
mod notes;
pub(crate) mod opening;
mod pace;
mod plan;
mod rules;
mod settings;
mod steered;

use std::sync::Arc;

use affetto_control::encoder::ConditionEncoder;
use affetto_control::prior::AttributePrior;
use affetto_control::steering::{Steer, SteerOptions};
use affetto_control::{Conditions, EmotionCurve, MeterClass, SegmentConditions, ToldKey};
use affetto_engine::Precision;
use affetto_models::decoder::{DecoderConfig, DecoderLm, Guide, Settings, Take, generate_many};
use affetto_models::minilm::{MiniLm, TextStates};
use affetto_score::codec::{BAR, EncodedScore, Row, STREAMS, VOCABULARY};
use affetto_score::{Instrument, Key, Score};
use serde::Deserialize;

use self::attributes::Attributes;
use self::guide::ScoreGuide;
use self::opening::Opening;
use self::settings::Defaults;
use self::steered::{Open, Steered};
use crate::assets::{Assets, SCORE_CONFIG, SCORE_MODEL, TEXT_EMBEDDINGS, TEXT_ENCODER, TEXT_VOCABULARY};
use crate::error::{Error, Result};
use crate::prompt::Sampling;

/// How the projections are held in memory while writing.
const PRECISION: Precision = Precision::Bf16;
/// More notes a second than any take is allowed on average.
const MAX_NOTES_PER_SECOND: f64 = 60.0;

/// Which part of the system hears the feeling: for measuring where adherence comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ablation {
    /// Both hear it.
    #[default]
    None,
    /// The attributes are drawn for a neutral feeling; only the language model hears the asked one.
    NeutralAttributes,
    /// The language model hears no feeling; only the attributes follow the asked one (and guidance grows with it).
    ModelWithoutEmotion,
    /// No part is told a feeling, not even the one asked for: it is in the prompt's words alone, which the language
    /// model and the attributes read as any others.
    WordsOnly,
    /// As [`Ablation::WordsOnly`], and the attributes are drawn for a neutral feeling and without the words.
    WordsOnlyNeutralAttributes,
}

impl Ablation {
    /// Whether the feeling is told in words alone.
    pub(crate) fn is_words_only(self) -> bool {
        matches!(self, Ablation::WordsOnly | Ablation::WordsOnlyNeutralAttributes)
    }

    /// Whether the attributes are drawn for a neutral feeling.
    fn neutral_attributes(self) -> bool {
        matches!(self, Ablation::NeutralAttributes | Ablation::WordsOnlyNeutralAttributes)
    }

    /// The sentence that the attributes are drawn for.
    fn attributes_hear(self, sentence: Option<&[f32]>) -> Option<&[f32]> {
        sentence.filter(|_| self != Ablation::WordsOnlyNeutralAttributes)
    }
}

/// What is asked of the model. `None` or empty = the model chooses.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt's words.
    pub text: String,
    /// The feeling over time.
    pub emotion: Option<EmotionCurve>,
    /// Length of the music, in seconds.
    pub duration_seconds: f64,
    /// Quarter notes per minute.
    pub tempo_bpm: Option<f32>,
    /// Key.
    pub key: Option<Key>,
    /// Meter.
    pub meter: Option<MeterClass>,
    /// Instruments.
    pub instruments: Vec<Instrument>,
    /// Distinct onsets per second.
    pub density: Option<f32>,
    /// Seed of all that is drawn.
    pub seed: u64,
    /// How tokens are picked.
    pub sampling: Sampling,
    /// Who hears the feeling.
    pub ablation: Ablation,
    /// The piece that the music begins with, shorter than it shall be. What of tempo, key and instruments is not asked
    /// for is its own, and so is the meter.
    pub opening: Option<Arc<Opening>>,
    /// Directions to follow.
    pub steers: Vec<Steer>,
    /// How they act.
    pub steer_options: SteerOptions,
}

/// What the model made.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The notes, as they are played.
    pub score: Score,
    /// The notes on the grid, before micro-timing.
    pub written: Score,
    /// The tokens as the model wrote them, one row a note, the delay undone; a lone wind plays the top line of them.
    pub rows: Vec<Row>,
    /// Quarter notes per minute.
    pub tempo_bpm: f32,
    /// Key.
    pub key: Key,
    /// Meter.
    pub meter: MeterClass,
    /// Instruments.
    pub instruments: Vec<Instrument>,
    /// Distinct onsets per second, from the start to the last note's end.
    pub density: f32,
    /// Notes that were given, where it begins with some.
    pub given: Option<usize>,
}

/// The score model, ready to write.
pub struct Composer {
    text: MiniLm,
    lm: Arc<DecoderLm>,
    encoder: ConditionEncoder,
    prior: AttributePrior,
    defaults: Defaults,
    name: String,
}

/// What the model's configuration file says about generating with it.
#[derive(Clone, Debug, Deserialize)]
struct ModelFile {
    name: String,
    decoder: DecoderConfig,
    generation: Defaults,
}

impl Composer {
    /// Loads the model to run on `threads` threads.
    ///
    /// # Errors
    /// Names the file that is missing or broken.
    pub fn open(assets: &Assets, threads: usize) -> Result<Composer> {
        affetto_engine::threads::set_limit(threads);
        let broken = |error: &dyn std::fmt::Display| Error::AssetBroken { reason: error.to_string() };
        let file: ModelFile = serde_json::from_str(&assets.read_text(SCORE_CONFIG)?)
            .map_err(|error| assets.broken(SCORE_CONFIG, error))?;
        let weights = assets.checkpoint(&[SCORE_MODEL])?;
        let lm = Arc::new(DecoderLm::load(&weights, &file.decoder, PRECISION, "").map_err(|e| broken(&e))?);
        if file.decoder.vocab_sizes != VOCABULARY {
            return Err(assets.broken(SCORE_CONFIG, format!("vocab_sizes must be the score codec's, {VOCABULARY:?}")));
        }
        let encoder = ConditionEncoder::load(&weights, file.decoder.hidden_size).map_err(|e| broken(&e))?;
        let prior = AttributePrior::load(&weights).map_err(|e| broken(&e))?;
        let text = assets.checkpoint(&[TEXT_EMBEDDINGS, TEXT_ENCODER])?;
        let text = MiniLm::from_parts(&text, &assets.read(TEXT_VOCABULARY)?).map_err(|e| broken(&e))?;
        Ok(Composer { text, lm, encoder, prior, defaults: file.generation, name: file.name })
    }

    /// The language model.
    pub fn decoder(&self) -> Arc<DecoderLm> {
        self.lm.clone()
    }

    /// The sentence embedding of a text, `[384]`, L2-normalised.
    pub fn sentence(&self, text: &str) -> Vec<f32> {
        self.text.sentence_embedding(text)
    }

    /// Writes music. `progress` hears the share done, 0 to 1.
    ///
    /// # Errors
    /// Directions of another model, or what the model cannot do.
    pub fn compose(&mut self, asked: &Request, progress: &mut dyn FnMut(f32)) -> Result<Composition> {
        let words = (!asked.text.trim().is_empty()).then(|| self.text.encode(&asked.text));
        let sentence = words.as_ref().map(TextStates::sentence_embedding);
        let opening = asked.opening.as_deref();
        let request = &self.request(asked);
        let attributes = Attributes::settle(&self.prior, request, sentence.as_deref(), self.defaults.into());
        let plan = plan::plan(
            request.duration_seconds,
            attributes.meter,
            Some(attributes.key),
            request.emotion.as_ref(),
            &attributes,
            opening,
        );
        let told = Conditions {
            text_states: words.map(|states| states.hidden).unwrap_or_default(),
            tempo_bpm: None,
            key: Some(attributes.key.into()),
            meter: Some(attributes.meter),
            instruments: attributes.instruments.clone(),
            segment: SegmentConditions::default(),
        };
        let settings = self.settings(request);
        let mut guide =
            ScoreGuide::new(&self.lm, &self.encoder, &plan, told.clone(), asked.ablation, settings.is_partial());
        if let Some(given) = opening {
            guide = guide.with_given(Conditions {
                key: given.key.map(ToldKey::from),
                instruments: given.instruments.clone(),
                ..told
            });
        }
        let begin: Vec<u32> = opening.iter().flat_map(|given| given.rows.iter().flatten()).map(|&c| c.into()).collect();
        let failed = |error: affetto_models::ModelError| Error::Compose(error.to_string());
        let mut take = Take::new(&self.lm, settings, &begin).map_err(failed)?;
        if !asked.steers.is_empty() {
            let options = SteerOptions { tonic: Some(attributes.key.tonic), ..asked.steer_options };
            let (steering, controller) = Steer::prepare(&asked.steers, options, &self.lm, &self.name)?;
            if !controller.is_idle() {
                take = take.with_steering(steering);
                guide = guide.with_steered(Some(Steered::new(controller, Open::of(asked))));
            }
        }
        let (mut bar, bars) = (0, plan.bars.len() - plan.given_bars);
        generate_many(&self.lm, &mut [(&mut take, &mut guide)], |_, _, codes| {
            bar += codes[BAR] as usize;
            progress((bar as f32 / bars as f32).min(1.0));
        })
        .map_err(failed)?;
        let length = guide.length(take.progress());
        let codes = take.into_codes(length);
        let rows: Vec<Row> =
            codes.chunks_exact(STREAMS).map(|row| std::array::from_fn(|stream| row[stream] as u16)).collect();
        let encoded = EncodedScore { frame: plan.frame.clone(), rows };
        let (mut written, mut score) = notes::of_rows(&encoded, &plan, &attributes.instruments, opening, request.seed);
        notes::state_heard_modes(&mut written, &plan, self.defaults.mode, attributes.key.tonic);
        let steered = guide.into_steered();
        if let Some(free) = steered.as_ref().and_then(Steered::key_free) {
            let tonic = free.mode_only.then_some(attributes.key.tonic);
            notes::state_heard_key(&mut written, &plan, (free.from_seconds, free.to_seconds), tonic);
        }
        score.keys.clone_from(&written.keys);
        let others = opening.is_some() || steered.is_some_and(|steered| steered.instruments_were_free());
        Ok(Composition {
            density: density(&written),
            given: opening.map(|given| given.notes.len()),
            tempo_bpm: plan.bars[0].tempo_bpm as f32,
            key: notes::key_at(&written, 0).unwrap_or(attributes.key),
            meter: attributes.meter,
            instruments: if others { score.instruments() } else { attributes.instruments },
            score,
            written,
            rows: encoded.rows,
        })
    }

    /// What is asked, with the feeling as the model is told it and what else the opening settles.
    fn request(&self, asked: &Request) -> Request {
        let mut request = asked.clone();
        if let Some(opening) = &asked.opening {
            request.meter = Some(opening.meter);
            request.key = asked.key.or(opening.key);
            if asked.instruments.is_empty() {
                request.instruments.clone_from(&opening.instruments);
            }
            if asked.emotion.is_none() {
                request.density = asked.density.or(Some(opening.density));
            }
        }
        let feeling = self.defaults.following_where(&request).feeling;
        request.emotion = asked.emotion.as_ref().map(|asked| feeling.told(asked));
        request
    }

    fn settings(&self, request: &Request) -> Settings {
        let (guidance, partial_guidance) = self.defaults.guidance_for(request);
        let given = request.opening.as_ref().map_or(0, |given| given.rows.len());
        Settings {
            guidance,
            partial_guidance,
            sampling: (0..STREAMS).map(|stream| self.defaults.sampling_of(stream, request.sampling)).collect(),
            seed: request.seed,
            max_rows: (request.duration_seconds * MAX_NOTES_PER_SECOND) as usize + 64 + given,
            ..Settings::default()
        }
    }
}

/// Distinct onsets per second.
fn density(score: &Score) -> f32 {
    let mut onsets: Vec<u32> = score.notes.iter().map(|n| n.onset).collect();
    onsets.sort_unstable();
    onsets.dedup();
    (onsets.len() as f64 / score.seconds_at(score.end()).max(1e-3)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ablation_withholds_what_it_says() {
        let sentence = [0.5f32];
        let of =
            |a: Ablation| (a.is_words_only(), a.neutral_attributes(), a.attributes_hear(Some(&sentence)).is_some());
        assert_eq!(of(Ablation::None), (false, false, true));
        assert_eq!(of(Ablation::NeutralAttributes), (false, true, true));
        assert_eq!(of(Ablation::ModelWithoutEmotion), (false, false, true));
        assert_eq!(of(Ablation::WordsOnly), (true, false, true));
        assert_eq!(of(Ablation::WordsOnlyNeutralAttributes), (true, true, false));
    }
}
