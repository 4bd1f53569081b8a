//! Steers the decoder through a plan: its rules as masks, its bars as conditions.

use std::sync::Arc;

use affetto_control::encoder::ConditionEncoder;
use affetto_control::{Conditions as Told, SegmentConditions, ToldKey};
use affetto_models::ModelError;
use affetto_models::decoder::{Conditions, DecoderLm, Guide, Progress};
use affetto_score::codec::{BAR, POSITION};

use super::Ablation;
use super::pace::Pace;
use super::plan::Plan;
use super::rules::{Rows, Rules};
use super::steered::Steered;

/// What those branches of guidance are told that do not hear everything: neither hears words and feeling, and the
/// second not even the attributes that guidance presses on, key and density.
fn withheld(told: &Told) -> (Told, Told) {
    let segment = SegmentConditions { emotion: None, ..told.segment };
    let attributes = Told { text_states: Vec::new(), segment, ..told.clone() };
    let segment = SegmentConditions { density: None, ..segment };
    let null = Told { key: None, segment, ..attributes.clone() };
    (attributes, null)
}

/// The guide of one take.
pub struct ScoreGuide<'a> {
    lm: &'a DecoderLm,
    encoder: &'a ConditionEncoder,
    plan: &'a Plan,
    rules: Rules,
    rows: Rows,
    pace: Pace,
    told: Told,
    /// What holds while the bars are read that are given.
    told_of_given: Told,
    steered: Option<Steered>,
    /// What was last told, so that the same is not encoded twice.
    last: Option<Told>,
    hears_emotion: bool,
    /// Whether key and density have a guidance of their own.
    presses_attributes: bool,
}

impl<'a> ScoreGuide<'a> {
    /// A guide through `plan`; `told` holds what stays the same throughout.
    pub fn new(
        lm: &'a DecoderLm,
        encoder: &'a ConditionEncoder,
        plan: &'a Plan,
        told: Told,
        ablation: Ablation,
        presses_attributes: bool,
    ) -> ScoreGuide<'a> {
        ScoreGuide {
            lm,
            encoder,
            plan,
            rules: Rules::new(plan, &told.instruments),
            rows: Rows::default(),
            pace: Pace::of(&told.instruments, plan.given_rows),
            told_of_given: told.clone(),
            told,
            steered: None,
            last: None,
            hears_emotion: ablation != Ablation::ModelWithoutEmotion,
            presses_attributes,
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
        let number = bar.min(self.plan.bars.len() - 1);
        let bar = &self.plan.bars[number];
        self.pace.follow(&self.rows, progress, self.plan.bar_steps);
        let density = if writes { self.pace.told(self.plan, number) } else { bar.density };
        let mut told = Told {
            tempo_bpm: Some(bar.tempo_bpm as f32),
            segment: SegmentConditions {
                emotion: bar.emotion.filter(|_| self.hears_emotion),
                density,
                closing: Some(bar.closing),
            },
            key: match (told.key, bar.minor_share.filter(|_| writes)) {
                (Some(told), Some(share)) => Some(ToldKey::minor_by(told.key, share)),
                (key, _) => key,
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
        let (attributes, null) = withheld(&told);
        let cross = |told: &Told| -> Result<_, ModelError> {
            Ok(Some(Arc::new(self.lm.cross(&self.encoder.encode(told)?, &[])?)))
        };
        let partial = if self.presses_attributes { cross(&attributes)? } else { None };
        let conditions = Conditions { given: cross(&told)?, null: cross(&null)?, partial };
        self.last = Some(told);
        Ok(Some(conditions))
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

#[cfg(test)]
mod tests {
    use affetto_control::{Emotion, MeterClass};
    use affetto_score::{Instrument, Key};

    use super::*;

    #[test]
    fn branches_that_hear_less_still_know_what_guidance_does_not_press_on() {
        let told = Told {
            text_states: vec![0.5; 4],
            tempo_bpm: Some(90.0),
            key: Some(ToldKey::from(Key::from_index(3))),
            meter: Some(MeterClass::FourFour),
            instruments: vec![Instrument(0)],
            segment: SegmentConditions { emotion: Some(Emotion::NEUTRAL), density: Some(3.0), closing: Some(2) },
        };
        let (attributes, null) = withheld(&told);
        let segment = SegmentConditions { emotion: None, ..told.segment };
        assert_eq!(attributes, Told { text_states: Vec::new(), segment, ..told.clone() });
        let segment = SegmentConditions { emotion: None, density: None, closing: Some(2) };
        assert_eq!(null, Told { text_states: Vec::new(), key: None, segment, ..told });
    }
}
