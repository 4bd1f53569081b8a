//! Steers the decoder through a plan: its rules as masks, its bars as conditions.

use std::sync::Arc;

use affetto_control::encoder::ConditionEncoder;
use affetto_control::{Conditions as Told, SegmentConditions};
use affetto_models::ModelError;
use affetto_models::decoder::{Conditions, DecoderLm, Guide, Progress};
use affetto_score::codec::{BAR, POSITION};
use serde::Deserialize;

use super::Ablation;
use super::plan::Plan;
use super::rules::{Rows, Rules};
use super::steered::Steered;

/// What guidance presses on: the conditions that its other branch is not told. Words and feeling always are.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Guided {
    /// The key.
    key: bool,
    /// The onset density.
    density: bool,
}

impl Guided {
    fn withhold(self, told: &Told) -> Told {
        Told {
            text_states: Vec::new(),
            key: told.key.filter(|_| !self.key),
            segment: SegmentConditions {
                emotion: None,
                density: told.segment.density.filter(|_| !self.density),
                closing: told.segment.closing,
            },
            ..told.clone()
        }
    }
}

/// The guide of one take.
pub struct ScoreGuide<'a> {
    lm: &'a DecoderLm,
    encoder: &'a ConditionEncoder,
    plan: &'a Plan,
    rules: Rules,
    rows: Rows,
    told: Told,
    /// What holds while the bars are read that are given.
    told_of_given: Told,
    steered: Option<Steered>,
    guided: Guided,
    /// What was last told, so that the same is not encoded twice.
    last: Option<Told>,
    hears_emotion: bool,
}

impl<'a> ScoreGuide<'a> {
    /// A guide through `plan`; `told` holds what stays the same throughout.
    pub fn new(
        lm: &'a DecoderLm,
        encoder: &'a ConditionEncoder,
        plan: &'a Plan,
        told: Told,
        guided: Guided,
        ablation: Ablation,
    ) -> ScoreGuide<'a> {
        ScoreGuide {
            lm,
            encoder,
            plan,
            rules: Rules::new(plan, &told.instruments),
            rows: Rows::default(),
            told_of_given: told.clone(),
            told,
            steered: None,
            guided,
            last: None,
            hears_emotion: ablation != Ablation::ModelWithoutEmotion,
        }
    }

    /// The guide with what holds in the bars that are given, where that is something else.
    pub fn with_given(mut self, told: Told) -> Self {
        self.told_of_given = told;
        self
    }

    /// The guide with directions at work.
    pub fn with_steered(mut self, steered: Option<Steered>) -> Self {
        self.steered = steered;
        self
    }

    /// The directions, and what they have been at.
    pub fn into_steered(self) -> Option<Steered> {
        self.steered
    }

    /// The second of the oldest note that is still being written. A step samples a field of each of the newest notes (delay
    /// pattern): what acts from a second on shall leave those alone that begin before it.
    fn seconds(&self, progress: &Progress) -> f64 {
        let (given, reach) = (self.plan.given_rows, self.lm.config().delays.iter().copied().max().unwrap_or(0));
        let oldest = progress.step().saturating_sub(reach).max(given);
        let place = |row: usize| Some((self.rows.bar(row)?, progress.code(row, POSITION)?));
        let begin = self.plan.bars[self.plan.given_bars.min(self.plan.bars.len() - 1)].start_seconds;
        let known = (given..=oldest).rev().find_map(place);
        known.map_or(begin, |(bar, position)| self.plan.seconds(bar, position).max(begin))
    }
}

impl Guide for ScoreGuide<'_> {
    fn length(&mut self, progress: &Progress) -> Option<usize> {
        self.rows.follow(progress);
        self.rows.ended_at()
    }

    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        self.rows.follow(progress);
        let writes = progress.step() >= self.plan.given_rows;
        let (bar, told) = match writes {
            true => (self.rows.newest_bar().max(self.plan.given_bars), &self.told),
            false => (self.rows.bar_before(progress.step().saturating_sub(1)), &self.told_of_given),
        };
        let bar = &self.plan.bars[bar.min(self.plan.bars.len() - 1)];
        let mut told = Told {
            tempo_bpm: Some(bar.tempo_bpm as f32),
            segment: SegmentConditions {
                emotion: bar.emotion.filter(|_| self.hears_emotion),
                density: bar.density,
                closing: Some(bar.closing),
            },
            ..told.clone()
        };
        let seconds = self.seconds(progress);
        if let Some(steered) = self.steered.as_mut().filter(|_| writes) {
            let freedom = steered.go_to(seconds);
            self.rules.let_play(freedom.players(&self.told.instruments));
            told = freedom.withhold(told);
        }
        if self.last.as_ref() == Some(&told) {
            return Ok(None);
        }
        let given = self.encoder.encode(&told)?;
        let null = self.encoder.encode(&self.guided.withhold(&told))?;
        self.last = Some(told);
        let cross = |tokens: &[f32]| self.lm.cross(tokens, &[]).map(|cache| Some(Arc::new(cache)));
        Ok(Some(Conditions { given: cross(&given)?, null: cross(&null)? }))
    }

    fn mask(&mut self, progress: &Progress, row: usize, stream: usize, allowed: &mut [bool]) {
        self.rows.follow(progress);
        self.rules.mask(&self.rows, progress, row, stream, allowed);
    }

    fn strengths(&mut self, _progress: &Progress, readings: &[f32], strengths: &mut [f32]) {
        if let Some(steered) = &mut self.steered {
            steered.strengths(readings, strengths);
        }
    }

    fn window(&mut self, progress: &Progress, earliest: usize) -> usize {
        // A window begins with a bar, as those the model learned from.
        let starts_bar = |row: &usize| progress.code(*row, BAR).is_some_and(|advance| advance > 0);
        (earliest..progress.complete()).find(starts_bar).unwrap_or(earliest)
    }

    fn reopen(&mut self, _progress: &Progress, _row: usize, codes: &mut [u32]) {
        codes[BAR] = 0;
    }
}
