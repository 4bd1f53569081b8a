//! From a request to notes: settle what nobody fixed, plan the bars, let the model write under the rules, add
//! micro-timing.

mod attributes;
mod clean;
mod expression;
mod feeling;
mod guide;
mod plan;
mod rules;

use std::sync::Arc;

use affetto_control::encoder::ConditionEncoder;
use affetto_control::prior::{AttributePrior, HEADS, PriorSampling};
use affetto_control::{Conditions, EmotionCurve, MeterClass, SegmentConditions};
use affetto_engine::Precision;
use affetto_engine::sampling::StreamSampling;
use affetto_models::decoder::{DecoderConfig, DecoderLm, Settings, generate};
use affetto_models::minilm::{MiniLm, TextStates};
use affetto_score::codec::{self, BAR, EncodedScore, Row, STREAMS, TICKS_PER_STEP, VOCABULARY};
use affetto_score::{Instrument, Key, Score};
use serde::Deserialize;

use self::attributes::Attributes;
use self::feeling::Feeling;
use self::guide::{Guided, ScoreGuide};
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
    /// The language model hears no feeling; only the attributes follow the asked one.
    ModelWithoutEmotion,
    /// No part is told a feeling, not even the one asked for: it is in the prompt's words alone, which the language model
    /// and the attributes read as any others.
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
}

/// What the model made.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The notes, as they are played.
    pub score: Score,
    /// The notes on the grid, before micro-timing.
    pub written: Score,
    /// The tokens, one row a note, the delay undone.
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
}

/// The score model, ready to write.
pub struct Composer {
    text: MiniLm,
    lm: Arc<DecoderLm>,
    encoder: ConditionEncoder,
    prior: AttributePrior,
    defaults: Defaults,
}

/// What the model's configuration file says about generating with it.
#[derive(Clone, Debug, Deserialize)]
struct ModelFile {
    decoder: DecoderConfig,
    generation: Defaults,
}

/// A model's own settings, chosen on the development judges.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Defaults {
    guidance: f32,
    /// How much of the guidance each stream gets: its scale is 1 + share · (guidance - 1).
    guidance_shares: [f32; STREAMS],
    /// What it presses on besides words and feeling.
    guided: Guided,
    /// One for each stream, as `top_p`.
    temperature: [f32; STREAMS],
    top_k: usize,
    top_p: [f32; STREAMS],
    prior_guidance: f32,
    prior_temperature: [f32; HEADS.len()],
    feeling: Feeling,
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
        Ok(Composer { text, lm, encoder, prior, defaults: file.generation })
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
    /// What the model cannot do.
    pub fn compose(&mut self, request: &Request, progress: &mut dyn FnMut(f32)) -> Result<Composition> {
        let words = (!request.text.trim().is_empty()).then(|| self.text.encode(&request.text));
        let sentence = words.as_ref().map(TextStates::sentence_embedding);
        let request = &Request {
            emotion: request.emotion.as_ref().map(|asked| self.defaults.feeling.told(asked)),
            ..request.clone()
        };
        let attributes = Attributes::settle(&self.prior, request, sentence.as_deref(), self.prior_sampling());
        let plan = plan::plan(
            request.duration_seconds,
            attributes.meter,
            Some(attributes.key),
            request.emotion.as_ref(),
            &attributes,
        );
        let told = Conditions {
            text_states: words.map(|states| states.hidden).unwrap_or_default(),
            tempo_bpm: None,
            key: Some(attributes.key),
            meter: Some(attributes.meter),
            instruments: attributes.instruments.clone(),
            segment: SegmentConditions::default(),
        };
        let mut guide = ScoreGuide::new(&self.lm, &self.encoder, &plan, told, self.defaults.guided, request.ablation);
        let settings = self.settings(request);
        let bars = plan.bars.len() as f32;
        let mut bar = 0;
        let codes = generate(&self.lm, &settings, &[], &mut guide, |_, codes| {
            bar += codes[BAR] as usize;
            progress((bar as f32 / bars).min(1.0));
        })
        .map_err(|error| Error::Compose(error.to_string()))?;
        let rows: Vec<Row> =
            codes.chunks_exact(STREAMS).map(|row| std::array::from_fn(|stream| row[stream] as u16)).collect();
        let encoded = EncodedScore { frame: plan.frame, rows };
        let mut written = codec::decode(&encoded);
        let solo = rules::is_solo(&attributes.instruments);
        let clean = |score: &mut Score| {
            clean::part_repeated_notes(score);
            if solo {
                clean::one_at_a_time(score);
            }
        };
        clean(&mut written);
        let mut score = written.clone();
        expression::lean(&mut score, request.seed, plan.end_step * TICKS_PER_STEP);
        clean(&mut score);
        Ok(Composition {
            density: density(&written),
            score,
            written,
            rows: encoded.rows,
            tempo_bpm: plan.bars[0].tempo_bpm as f32,
            key: attributes.key,
            meter: attributes.meter,
            instruments: attributes.instruments,
        })
    }

    fn prior_sampling(&self) -> PriorSampling {
        PriorSampling { guidance: self.defaults.prior_guidance, temperature: self.defaults.prior_temperature }
    }

    fn settings(&self, request: &Request) -> Settings {
        let (own, asked) = (self.defaults, request.sampling);
        let sampling = |stream: usize| StreamSampling {
            temperature: asked.temperature.unwrap_or(own.temperature[stream]),
            top_k: asked.top_k.unwrap_or(own.top_k),
            top_p: asked.top_p.unwrap_or(own.top_p[stream]),
        };
        let scale = asked.guidance.unwrap_or(own.guidance);
        Settings {
            guidance: own.guidance_shares.map(|share| 1.0 + share * (scale - 1.0)).to_vec(),
            sampling: (0..STREAMS).map(sampling).collect(),
            seed: request.seed,
            max_rows: (request.duration_seconds * MAX_NOTES_PER_SECOND) as usize + 64,
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
