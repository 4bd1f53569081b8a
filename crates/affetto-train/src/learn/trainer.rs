//! The training loop: batches made ahead by another thread, AdamW, warm-up and a final decay, a loss log.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use burn::module::Module;
use burn::optim::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};

use super::checkpoint::{self, RunState};
use super::curve::{self, LogLine};
use super::network::Network;
use super::objective::{Losses, Objective, ScoreObjective};
use super::source::WindowSource;
use crate::config::{LoopConfig, TrainConfig};
use crate::error::TrainError;

/// Steps timed before the length of a run is projected.
const TIMED_STEPS: usize = 6;
/// Batches in a validation.
pub const VALIDATION_BATCHES: usize = 12;
/// The log, one JSON object a line.
const LOG: &str = "log.jsonl";
/// Steps between two lines of the log.
const LOG_EVERY: usize = 10;

/// What one run is made of.
pub struct TrainRun<'a> {
    /// The configuration.
    pub config: &'a TrainConfig,
    /// Where checkpoints and the log go.
    pub run_dir: &'a Path,
    /// Training windows.
    pub training: &'a dyn WindowSource,
    /// Held-out windows.
    pub validation: &'a dyn WindowSource,
    /// Token states of a caption, `[tokens × 384]`.
    pub text: &'a (dyn Fn(&str) -> Vec<f32> + Sync),
    /// Folder of a run or model to begin with; random weights where there is none.
    pub init: Option<&'a Path>,
    /// Train for this long instead of the configured steps.
    pub hours: Option<f64>,
    /// End at this step, also when resuming a run that was to be longer or shorter.
    pub steps: Option<usize>,
}

/// How long a loop runs, and where it keeps what it does.
pub struct LoopRun<'a> {
    /// The loop.
    pub config: &'a LoopConfig,
    /// Where checkpoints and the log go.
    pub run_dir: &'a Path,
    /// Train for this long instead of the configured steps.
    pub hours: Option<f64>,
    /// End at this step, also when resuming a run that was to be longer or shorter.
    pub steps: Option<usize>,
}

/// Trains the score model until the last step and returns it. Resumes from the newest checkpoint in the run's folder.
///
/// # Errors
/// Files that can't be written, or a checkpoint of another network.
pub fn train(run: &TrainRun<'_>) -> Result<Network, TrainError> {
    let TrainRun { config, run_dir, training, validation, text, init, hours, steps } = *run;
    let objective = ScoreObjective { model: &config.model, config: &config.train, training, validation, text, init };
    train_with(&LoopRun { config: &config.train, run_dir, hours, steps }, &objective)
}

/// Trains an objective's model until the last step and returns it. Resumes from the newest checkpoint in the run's
/// folder.
///
/// # Errors
/// Files that can't be written, or a checkpoint of another model; what [`Objective::begin`] says.
pub fn train_with<O: Objective>(run: &LoopRun<'_>, objective: &O) -> Result<O::Model, TrainError> {
    let config = run.config;
    std::fs::create_dir_all(run.run_dir).map_err(|source| TrainError::Write { path: run.run_dir.into(), source })?;
    let device = Device::default();
    device.seed(config.seed);
    let device = device.autodiff();
    let (network, optimizer, state) = checkpoint::load(run.run_dir, objective.random(&device), optimizer(config))?;
    let resumed = state.is_some();
    let network = objective.ready(if resumed { network } else { objective.begin(network)? });
    eprintln!("{} parameters", network.num_params());
    let fresh = RunState { step: 0, total_steps: config.steps, notes: 0, seconds: 0.0, budget_seconds: None };
    let mut state = state.unwrap_or(fresh);
    if let Some(steps) = run.steps {
        (state.total_steps, state.budget_seconds) = (steps, None);
    } else if let Some(hours) = run.hours {
        state.budget_seconds = Some(hours * 3600.0);
    }
    if resumed {
        eprintln!("resumed at step {} of {}", state.step, state.total_steps);
    }
    std::thread::scope(|scope| {
        let (sender, batches) = sync_channel::<O::Batch>(4);
        let first = state.step;
        scope.spawn(move || {
            for step in first.. {
                if sender.send(objective.batch(step)).is_err() {
                    return;
                }
            }
        });
        let mut run_loop = RunLoop { run, objective, device, network, optimizer, state, log: Vec::new() };
        run_loop.go(batches)?;
        Ok(run_loop.network)
    })
}

/// AdamW as every run uses it.
pub fn optimizer(config: &LoopConfig) -> ModuleOptimizer {
    AdamWConfig::new()
        .with_beta_1(0.9)
        .with_beta_2(0.98)
        .with_epsilon(1e-8)
        .with_weight_decay(config.weight_decay)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init()
}

struct RunLoop<'a, O: Objective> {
    run: &'a LoopRun<'a>,
    objective: &'a O,
    device: Device,
    network: O::Model,
    optimizer: ModuleOptimizer,
    state: RunState,
    log: Vec<LogLine>,
}

/// What a batch, or several, said of a model.
struct Said {
    streams: Vec<f32>,
    alignment: Option<f32>,
}

impl Said {
    fn of(losses: &Losses) -> Said {
        let numbers = |x: &Tensor<1>| x.clone().into_data().try_to_vec::<f32>().expect("losses are f32");
        Said { streams: numbers(&losses.streams), alignment: losses.alignment.as_ref().map(|x| numbers(x)[0]) }
    }

    fn mean(all: &[Said]) -> Said {
        let mean = |get: &dyn Fn(&Said) -> Option<f32>| {
            let values: Vec<f32> = all.iter().filter_map(get).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
        };
        let streams = all.first().map_or(0, |said| said.streams.len());
        Said {
            streams: (0..streams).filter_map(|k| mean(&|said: &Said| said.streams.get(k).copied())).collect(),
            alignment: mean(&|said: &Said| said.alignment),
        }
    }
}

impl<O: Objective> RunLoop<'_, O> {
    fn go(&mut self, batches: Receiver<O::Batch>) -> Result<(), TrainError> {
        let config = self.run.config;
        let started = Instant::now();
        let seconds_before = self.state.seconds;
        let mut saved = Instant::now();
        let mut logged = (Instant::now(), 0usize);
        let first = self.state.step;
        let path = self.run.run_dir.join(LOG);
        self.log = curve::read(&path, first);
        curve::rewrite(&path, &self.log)?;
        while self.state.done() < 1.0 {
            let Ok(batch) = batches.recv() else { break };
            let rate = learning_rate(config, &self.state);
            let rows = self.objective.rows(&batch);
            let losses = self.step(&batch, rate);
            self.state.step += 1;
            self.state.notes += rows;
            self.state.seconds = seconds_before + started.elapsed().as_secs_f64();
            logged.1 += rows;
            if self.state.budget_seconds.is_some() {
                self.state.total_steps = (self.state.step as f64 / self.state.done()).ceil() as usize;
            }
            if self.state.step == first + TIMED_STEPS {
                let per_step = started.elapsed().as_secs_f64() / TIMED_STEPS as f64;
                self.project(rows as f64 / per_step, per_step);
            }
            if self.state.step.is_multiple_of(LOG_EVERY) {
                let speed = logged.1 as f64 / logged.0.elapsed().as_secs_f64();
                self.write("train", &losses, rate, speed)?;
                logged = (Instant::now(), 0);
            }
            if self.state.step.is_multiple_of(config.validate_every) || self.state.done() >= 1.0 {
                let losses = self.validate();
                self.write("validation", &losses, rate, 0.0)?;
            }
            if saved.elapsed().as_secs_f64() > config.checkpoint_minutes * 60.0 {
                checkpoint::save(self.run.run_dir, &self.state, &self.network, &self.optimizer)?;
                saved = Instant::now();
            }
        }
        checkpoint::save(self.run.run_dir, &self.state, &self.network, &self.optimizer)
    }

    /// Says what the run comes to at the speed of its first steps.
    fn project(&self, notes_per_second: f64, seconds_per_step: f64) {
        let left = match self.state.budget_seconds {
            Some(budget) => budget - self.state.seconds,
            None => self.state.total_steps.saturating_sub(self.state.step) as f64 * seconds_per_step,
        };
        let epoch = self.objective.rows_per_epoch();
        eprintln!(
            "{notes_per_second:.0} notes/s: {:.0} steps in {:.2} h to come, {:.2} epochs of {epoch} notes",
            left / seconds_per_step,
            left / 3600.0,
            notes_per_second * left / epoch.max(1) as f64
        );
    }

    fn step(&mut self, batch: &O::Batch, rate: f64) -> Said {
        let losses = self.objective.losses(&self.network, batch, &self.device);
        let mut gradients = losses.minimised.backward();
        let mut step = |network: &mut O::Model, gradients, rate| {
            *network = self.optimizer.step(rate, network.clone(), gradients);
        };
        if let Some((parameters, times)) = self.objective.faster(&self.network) {
            let fast = GradientsParams::from_params(&mut gradients, &self.network, &parameters);
            let slow = GradientsParams::from_grads(gradients, &self.network);
            step(&mut self.network, fast, rate * times);
            step(&mut self.network, slow, rate);
        } else {
            let all = GradientsParams::from_grads(gradients, &self.network);
            step(&mut self.network, all, rate);
        }
        Said::of(&losses)
    }

    fn validate(&self) -> Said {
        let network = self.network.valid();
        let device = Device::default();
        let said = |index| Said::of(&self.objective.losses(&network, &self.objective.held_out(index), &device));
        Said::mean(&(0..VALIDATION_BATCHES).map(said).collect::<Vec<_>>())
    }

    fn write(&mut self, part: &str, said: &Said, rate: f64, speed: f64) -> Result<(), TrainError> {
        let line = LogLine {
            step: self.state.step,
            part: part.to_owned(),
            loss: said.streams.iter().sum(),
            streams: said.streams.clone(),
            alignment: said.alignment,
            learning_rate: rate,
            notes_per_second: speed,
        };
        let names = self.objective.streams();
        let streams: Vec<String> =
            names.iter().zip(&said.streams).map(|(name, loss)| format!("{name} {loss:.2}")).collect();
        let aligned = said.alignment.map_or_else(String::new, |a| format!(" alignment {a:.3} cosine {:.3}", 1.0 - a));
        eprintln!(
            "step {}/{} {part} {:.3} ({}){aligned} lr {rate:.1e} {speed:.0} notes/s",
            line.step,
            self.state.total_steps,
            line.loss,
            streams.join(" ")
        );
        self.append(&line)?;
        self.log.push(line);
        if part == "validation" {
            let path = self.run.run_dir.join("loss.svg");
            std::fs::write(&path, curve::svg(&self.log)).map_err(|source| TrainError::Write { path, source })?;
        }
        Ok(())
    }

    fn append(&self, line: &LogLine) -> Result<(), TrainError> {
        let path = self.run.run_dir.join(LOG);
        let json = serde_json::to_string(line).expect("a log line is plain data");
        let written = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        written.and_then(|mut file| writeln!(file, "{json}")).map_err(|source| TrainError::Write { path, source })
    }
}

/// Linear warm-up, a plateau, and a linear fall to zero over the last share of the run.
fn learning_rate(config: &LoopConfig, state: &RunState) -> f64 {
    let warmup = ((state.step as f64 + 1.0) / config.warmup_steps.max(1) as f64).min(1.0);
    let left = (1.0 - state.done()) / config.decay_share.max(1e-6);
    config.learning_rate * warmup * left.clamp(0.0, 1.0)
}
