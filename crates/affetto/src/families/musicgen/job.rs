//! One take to be made: what the prompt asks, as the language model takes it.

use std::sync::Arc;
use std::time::Instant;

use affetto_control::EmotionCurve;
use affetto_control::steering::{Controller, Steer, SteerOptions};
use affetto_engine::sampling::StreamSampling;
use affetto_models::decoder::{Settings, Steering};
use affetto_models::musicgen::{Feeling, Generation, MusicGen, MusicGenGuide, Plan, Text};

use super::{CodesSound, MusicGenStudio, Timings};
use crate::continuation::{Continuation, Source};
use crate::error::{Error, Result};
use crate::families::Family;
use crate::prompt::Prompt;
use crate::schedule;
use crate::studio::draw_seed;
use crate::summary::{Asked, EmotionFrom, SteeringSummary, TakeSummary};
use crate::take::Take;

/// Seconds for which a feeling that moves is told as it stands in their middle.
const FEELING_SECONDS: f64 = 2.0;

/// One take to be made.
pub(crate) struct Job {
    plan: Plan,
    settings: Settings,
    /// Codes it begins with, `[n, K]`.
    beginning: Arc<[u32]>,
    /// Whether those are an earlier take's, whose last codes knew of its end.
    resumes: bool,
    melody: Option<String>,
    steers: Vec<Steer>,
    steer_options: SteerOptions,
    asked: Asked,
    sound: Arc<CodesSound>,
    longest_delay: usize,
    pub timings: Timings,
}

impl Job {
    /// Reads the words, the melody and the beginning of a prompt.
    pub fn prepare(studio: &mut MusicGenStudio, prompt: &Prompt) -> Result<Job> {
        prompt.check_for(Family::MusicGen)?;
        let frames = studio.config.frames(prompt.duration_seconds);
        let mut timings = Timings::default();
        let parts = schedule::read(&prompt.text)?;
        if prompt.melody.is_some() && studio.config.chroma.is_none() {
            return Err(Error::Family {
                what: "--melody".into(),
                family: Family::MusicGen.name(),
                reason: "of this kind follow no melody; name a melody model (musicgen-melody) with --model",
            });
        }
        if prompt.emotion.is_some() && !studio.hears_feeling() {
            return Err(Error::Family {
                what: "--emotion".into(),
                family: Family::MusicGen.name(),
                reason: "hear a feeling only in the words, unless av_encoder.safetensors lies in their folder; put it \
                         into the words",
            });
        }
        let words: Vec<&str> = parts.iter().map(|(_, words)| words.as_str()).collect();
        studio.states(&words, &mut timings)?;
        let mut texts: Vec<Text> = Vec::with_capacity(parts.len());
        for (seconds, words) in &parts {
            let from = studio.config.frames(*seconds);
            let states = studio.remembered(words).map(|states| states.to_vec()).unwrap_or_default();
            // Of two texts within one frame the later holds.
            texts.pop_if(|before| before.from == from);
            texts.push(Text { from, states });
        }
        studio.forget();
        let started = Instant::now();
        let melody = prompt.melody.as_ref().map(|melody| studio.heard.melody(melody)).transpose()?;
        let beginning = match &prompt.continuation {
            Some(from) => beginning(from, studio, frames)?,
            None => Arc::default(),
        };
        timings.prepare_seconds = started.elapsed().as_secs_f64();
        let rate = studio.config.frame_rate as f64;
        let feelings = prompt.emotion.as_ref().map_or(Vec::new(), |curve| feelings(curve, frames, rate));
        let seed = prompt.seed.unwrap_or_else(draw_seed);
        let defaults = StreamSampling::default();
        let asked = prompt.sampling;
        let sampling = StreamSampling {
            temperature: asked.temperature.unwrap_or(defaults.temperature),
            top_k: asked.top_k.unwrap_or(defaults.top_k),
            top_p: asked.top_p.unwrap_or(defaults.top_p),
        };
        let mut settings = Settings { sampling: vec![sampling], seed, ..Settings::default() };
        if let Some(scale) = asked.guidance {
            settings.guidance = vec![scale];
        }
        Ok(Job {
            plan: Plan { frames, texts, feelings, melody: melody.map(|melody| (*melody).clone()) },
            settings,
            beginning,
            resumes: prompt.continuation.as_ref().is_some_and(|from| matches!(*from.source, Source::Codes(_))),
            melody: prompt.melody.as_ref().map(|melody| melody.name().to_owned()),
            steers: prompt.steers.clone(),
            steer_options: prompt.steer_options,
            asked: Asked {
                family: Family::MusicGen,
                seed,
                model: studio.name.clone(),
                licences: SteeringSummary::licences(&studio.licences, &prompt.steers),
                prompt: prompt.text.clone(),
                duration_seconds: frames as f64 / studio.config.frame_rate as f64,
                emotion: prompt.emotion.clone(),
                emotion_from: if prompt.emotion.is_some() { EmotionFrom::Asked } else { EmotionFrom::None },
                emotion_words: Vec::new(),
                steering: SteeringSummary::of(&prompt.steers, prompt.steer_options),
            },
            sound: studio.sound.clone(),
            longest_delay: studio.config.decoder.delays.iter().copied().max().unwrap_or(0),
            timings,
        })
    }

    /// The take, ready for its first step.
    pub fn begin(&mut self, model: &MusicGen) -> Result<Generation> {
        self.timings.steps = self.rows_to_make() + self.longest_delay;
        let steering = self.steering(model)?;
        let guide = MusicGenGuide::new(model, &self.plan)?;
        let generation = match self.resumes {
            true => Generation::resume(model, guide, &self.settings, &self.beginning)?,
            false => Generation::new(model, guide, &self.settings, &self.beginning)?,
        };
        Ok(match steering {
            Some((steering, mut controller)) => {
                let say = move |seconds: f64, readings: &[f32], strengths: &mut [f32]| {
                    controller.strengths(seconds, readings, strengths);
                };
                generation.steer(steering, Box::new(say))
            }
            None => generation,
        })
    }

    /// The directions made ready for the model; none where nothing is ever pushed.
    ///
    /// # Errors
    /// [`Error::Steering`]: directions of another model, or without the site asked for.
    pub fn steering(&self, model: &MusicGen) -> Result<Option<(Arc<Steering>, Controller)>> {
        if self.steers.is_empty() {
            return Ok(None);
        }
        let (steering, controller) = Steer::prepare(&self.steers, self.steer_options, model.lm(), &self.asked.model)?;
        Ok((!controller.is_idle()).then_some((steering, controller)))
    }

    /// The codes it begins with, `[n, K]`.
    pub fn beginning(&self) -> &[u32] {
        &self.beginning
    }

    /// Streams of codes.
    pub fn streams(&self) -> usize {
        self.sound.streams()
    }

    /// What is asked for.
    pub fn summary(&self) -> TakeSummary {
        self.asked.clone().summary()
    }

    /// What turns its codes into sound.
    pub fn sound(&self) -> &Arc<CodesSound> {
        &self.sound
    }

    /// Rows in all.
    pub fn frames(&self) -> usize {
        self.plan.frames
    }

    /// Rows that are not given.
    pub fn rows_to_make(&self) -> usize {
        self.plan.frames - self.beginning.len() / self.streams()
    }

    /// The take of these codes `[frames, K]`.
    pub fn take(self, codes: Vec<u32>) -> Take {
        let continued = self.beginning.len() / self.sound.streams();
        Take::of_codes(codes, continued, self.melody, self.asked, self.sound, self.timings)
    }
}

/// A feeling over time as the model is told it, for so many rows at `rate` a second.
fn feelings(curve: &EmotionCurve, frames: usize, rate: f64) -> Vec<Feeling> {
    let at = |from: usize, seconds: f64| {
        let emotion = curve.at(seconds);
        Feeling { from, valence: emotion.valence, arousal: emotion.arousal }
    };
    if curve.is_constant() {
        return vec![at(0, 0.0)];
    }
    let rows = ((FEELING_SECONDS * rate).round() as usize).max(1);
    let mut told: Vec<Feeling> =
        (0..frames).step_by(rows).map(|from| at(from, from as f64 / rate + FEELING_SECONDS / 2.0)).collect();
    told.dedup_by(|next, before| (next.valence, next.arousal) == (before.valence, before.arousal));
    told
}

/// The codes of what a take shall begin with, which must be longer.
fn beginning(from: &Continuation, studio: &mut MusicGenStudio, frames: usize) -> Result<Arc<[u32]>> {
    let codes = studio.heard.beginning(from, &studio.sound, &studio.config, &studio.name)?;
    let given = codes.len() / studio.sound.streams();
    if given >= frames {
        let rate = studio.config.frame_rate as f64;
        return Err(Error::Prompt {
            what: "the duration",
            found: format!("{} s, but {} alone has {} s", frames as f64 / rate, from.name, given as f64 / rate),
            expected: "the length of the whole, which counts in what it begins with".into(),
        });
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_told_every_two_seconds_and_a_point_once() {
        let told = |text: &str| feelings(&EmotionCurve::parse(text).unwrap(), 500, 50.0);
        assert_eq!(told("0.5,-1"), [Feeling { from: 0, valence: 0.5, arousal: -1.0 }]);
        let turn = told("0:-1,0 4:1,0.5");
        assert_eq!(turn.iter().map(|f| f.from).collect::<Vec<_>>(), [0, 100, 200], "it is still after 4 s");
        assert_eq!(turn.iter().map(|f| f.valence).collect::<Vec<_>>(), [-0.5, 0.5, 1.0]);
    }
}
