//! What a take shall be, and how it is told to the decoder.

use std::sync::Arc;

use super::model::{ChromaProjection, MusicGen};
use crate::decoder::{Conditions, Guide, Prefix, Progress};
use crate::error::ModelError;

/// A text that holds from some row on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    /// The first row of codes it holds for.
    pub from: usize,
    /// The text encoder's states, `[tokens, d_model]`.
    pub states: Vec<f32>,
}

/// A melody to follow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Melody {
    /// Chroma frames, `[frames, bins]`; it begins anew where it ends.
    pub chroma: Vec<f32>,
    /// Frames a second.
    pub frame_rate: f64,
}

/// What a take shall be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Rows of codes in all, those of a prompt included.
    pub frames: usize,
    /// Texts in the order of their rows. Rows before the first have no text.
    pub texts: Vec<Text>,
    /// The melody; only for models that read one.
    pub melody: Option<Melody>,
}

/// Tells the decoder the plan: the texts along time, and for melody models a prefix for each window. It keeps nothing
/// of the weights but what the conditions need, and can be cloned for takes that share a plan.
#[derive(Clone)]
pub struct MusicGenGuide {
    frames: usize,
    window: usize,
    stride: usize,
    rate: f64,
    /// The row from which each text holds.
    from: Vec<usize>,
    told: Told,
    /// The text that was told last; none before the first step.
    text: Option<usize>,
}

/// How the conditions reach the decoder.
#[derive(Clone)]
enum Told {
    /// By cross-attention; one for each text, behind the one for no text.
    Cross(Vec<Conditions>),
    /// As a prefix.
    Prefix {
        projection: Arc<ChromaProjection>,
        melody: Option<Arc<Melody>>,
        /// Tokens of each text, behind none.
        texts: Arc<Vec<Vec<f32>>>,
        /// The present one, with its window's first row and its text.
        last: Option<(usize, usize, Arc<Prefix>)>,
    },
}

impl MusicGenGuide {
    /// Prepares a plan for a model.
    ///
    /// # Errors
    /// When the texts are not in order, a text's states or the melody do not fit the model, or the model reads no
    /// melody.
    pub fn new(model: &MusicGen, plan: &Plan) -> Result<Self, ModelError> {
        let config = model.config();
        if let Some(pair) = plan.texts.windows(2).find(|pair| pair[0].from >= pair[1].from) {
            return Err(ModelError::Input {
                what: "a text's first row",
                expected: format!("above {}, where the text before it begins", pair[0].from),
                found: pair[1].from.to_string(),
            });
        }
        let mut tokens = vec![Vec::new()];
        for text in &plan.texts {
            tokens.push(model.text_tokens(&text.states)?);
        }
        let told = if config.chroma.is_some() {
            let projection = model.melody()?.clone();
            if let Some(melody) = &plan.melody {
                projection.check(&melody.chroma)?;
                if !(melody.frame_rate.is_finite() && melody.frame_rate > 0.0) {
                    let found = melody.frame_rate.to_string();
                    return Err(ModelError::Input {
                        what: "the melody's frames a second",
                        expected: "above 0".into(),
                        found,
                    });
                }
            }
            let melody = plan.melody.clone().map(Arc::new);
            Told::Prefix { projection, melody, texts: Arc::new(tokens), last: None }
        } else {
            if plan.melody.is_some() {
                model.melody()?;
            }
            let conditions = tokens
                .iter()
                .map(|tokens| Ok(Conditions { given: Some(Arc::new(model.lm().cross(tokens, &[])?)), null: None }))
                .collect::<Result<_, ModelError>>()?;
            Told::Cross(conditions)
        };
        Ok(MusicGenGuide {
            frames: plan.frames,
            window: config.decoder.max_window,
            stride: config.stride_rows(),
            rate: config.frame_rate as f64,
            from: plan.texts.iter().map(|text| text.from).collect(),
            told,
            text: None,
        })
    }

    /// Rows of the whole take.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The number of the text that holds at a row, 0 for none.
    fn text_at(&self, row: usize) -> usize {
        self.from.partition_point(|&from| from <= row)
    }
}

impl Guide for MusicGenGuide {
    fn length(&mut self, _: &Progress) -> Option<usize> {
        Some(self.frames)
    }

    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        let text = self.text_at(progress.step());
        let new = self.text.replace(text) != Some(text);
        Ok(match &self.told {
            Told::Cross(conditions) if new => Some(conditions[text].clone()),
            _ => None,
        })
    }

    fn prefix(&mut self, progress: &Progress, first: usize) -> Result<Option<Arc<Prefix>>, ModelError> {
        let text = self.text_at(progress.step());
        let Told::Prefix { projection, melody, texts, last } = &mut self.told else { return Ok(None) };
        if let Some((_, _, prefix)) = last.as_ref().filter(|(row, of, _)| *row == first && *of == text) {
            return Ok(Some(prefix.clone()));
        }
        let offset = melody.as_ref().map_or(0, |m| (first as f64 / self.rate * m.frame_rate).round() as usize);
        let chroma = melody.as_ref().map(|m| &m.chroma[..]);
        let prefix = Arc::new(projection.prefix(chroma, offset, &texts[text]));
        *last = Some((first, text, prefix.clone()));
        Ok(Some(prefix))
    }

    /// Windows begin at multiples of the stride, so that a take that is continued has the windows it would have had in
    /// one go.
    fn window(&mut self, progress: &Progress, earliest: usize) -> usize {
        let least = (progress.step() + 1).saturating_sub(self.window);
        least.div_ceil(self.stride).saturating_mul(self.stride).max(earliest)
    }
}
