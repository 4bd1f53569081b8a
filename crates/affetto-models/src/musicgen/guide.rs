//! What a take shall be, and how it is told to the decoder.

use std::sync::Arc;

use super::av::AvEncoder;
use super::model::{ChromaProjection, MusicGen};
use crate::decoder::{Conditions, DecoderLm, Guide, Prefix, Progress};
use crate::error::ModelError;

/// A text that holds from some row on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    /// The first row of codes it holds for.
    pub from: usize,
    /// The text encoder's states, `[tokens, d_model]`.
    pub states: Vec<f32>,
}

/// A feeling that holds from some row on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Feeling {
    /// The first row of codes it holds for.
    pub from: usize,
    /// Unpleasant (-1) to pleasant (1).
    pub valence: f32,
    /// Calm (-1) to excited (1).
    pub arousal: f32,
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
    /// Feelings in the order of their rows; only for models with an [`AvEncoder`]. Rows before the first have none.
    pub feelings: Vec<Feeling>,
    /// The melody; only for models that read one.
    pub melody: Option<Melody>,
}

/// Tells the decoder the plan: the texts along time, and for melody models a prefix for each window. It can be cloned for
/// takes that share a plan.
#[derive(Clone)]
pub struct MusicGenGuide {
    frames: usize,
    window: usize,
    stride: usize,
    rate: f64,
    /// The row from which each text holds.
    from: Vec<usize>,
    told: Told,
    /// The text and the feeling that were told last; none before the first step.
    last: Option<(usize, usize)>,
}

/// How the conditions reach the decoder.
#[derive(Clone)]
enum Told {
    /// By cross-attention: the text's tokens, then the feeling's.
    Cross {
        lm: Arc<DecoderLm>,
        /// Tokens of each text, behind none.
        texts: Arc<Vec<Vec<f32>>>,
        feelings: Arc<Vec<Feeling>>,
        av: Option<Arc<AvEncoder>>,
    },
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
    /// When texts or feelings are not in order, a text's states or the melody do not fit the model, or the model reads
    /// no melody or no feelings.
    pub fn new(model: &MusicGen, plan: &Plan) -> Result<Self, ModelError> {
        let config = model.config();
        if let Some(pair) = plan.texts.windows(2).find(|pair| pair[0].from >= pair[1].from) {
            return Err(ModelError::Input {
                what: "a text's first row",
                expected: format!("above {}, where the text before it begins", pair[0].from),
                found: pair[1].from.to_string(),
            });
        }
        if let Some(pair) = plan.feelings.windows(2).find(|pair| pair[0].from >= pair[1].from) {
            return Err(ModelError::Input {
                what: "a feeling's first row",
                expected: format!("above {}, where the feeling before it begins", pair[0].from),
                found: pair[1].from.to_string(),
            });
        }
        if !plan.feelings.is_empty() && model.av_encoder().is_none() {
            return Err(ModelError::Input {
                what: "a feeling",
                expected: "a model with an AV encoder".into(),
                found: format!("one without {}; put the feeling into the words", super::AV_ENCODER_FILE),
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
            let feelings = Arc::new(plan.feelings.clone());
            Told::Cross { lm: model.shared_lm(), texts: Arc::new(tokens), feelings, av: model.av_encoder().cloned() }
        };
        Ok(MusicGenGuide {
            frames: plan.frames,
            window: config.decoder.max_window,
            stride: config.stride_rows(),
            rate: config.frame_rate as f64,
            from: plan.texts.iter().map(|text| text.from).collect(),
            told,
            last: None,
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
        let Told::Cross { lm, texts, feelings, av } = &self.told else { return Ok(None) };
        let feeling = feelings.partition_point(|feeling| feeling.from <= progress.step());
        if self.last.replace((text, feeling)) == Some((text, feeling)) {
            return Ok(None);
        }
        let mut tokens = texts[text].clone();
        if let (Some(av), Some(felt)) = (av, feeling.checked_sub(1).map(|i| feelings[i])) {
            tokens.extend(av.encode(felt.valence, felt.arousal));
        }
        Ok(Some(Conditions { given: Some(Arc::new(lm.cross(&tokens, &[])?)), ..Conditions::default() }))
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
