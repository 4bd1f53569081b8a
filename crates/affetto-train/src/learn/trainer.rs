//! The training loop: batches made ahead by another thread, AdamW, warm-up and a final decay, a loss log.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use affetto_score::codec::{STREAM_NAMES, STREAMS, VOCABULARY};
use burn::module::Module;
use burn::optim::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::batch::HostBatch;
use super::checkpoint::{self, RunState};
use super::fused::{self, Targets};
use super::network::Network;
use super::source::WindowSource;
use crate::config::{ConditionDropout, LoopConfig, TrainConfig};
use crate::error::TrainError;

/// Steps timed before a run of a given length in hours is projected.
const TIMED_STEPS: usize = 6;
/// Batches in a validation.
const VALIDATION_BATCHES: usize = 12;
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
    /// Train for this long instead of the configured steps.
    pub hours: Option<f64>,
    /// End at this step, also when resuming a run that was to be longer or shorter.
    pub steps: Option<usize>,
}

/// One line of `log.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogLine {
    /// Step.
    pub step: usize,
    /// `train` or `validation`.
    pub part: String,
    /// Sum of the streams' losses, in nats a note.
    pub loss: f32,
    /// Loss of each stream, in nats.
    pub streams: Vec<f32>,
    /// Learning rate.
    pub learning_rate: f64,
    /// Notes a second since the line before.
    pub notes_per_second: f64,
}

/// Trains until the last step and returns the network. Resumes from the newest checkpoint in the run's folder.
///
/// # Errors
/// Files that can't be written, or a checkpoint of another network.
pub fn train(run: &TrainRun<'_>) -> Result<Network, TrainError> {
    let config = &run.config.train;
    std::fs::create_dir_all(run.run_dir).map_err(|source| TrainError::Write { path: run.run_dir.into(), source })?;
    let device = Device::default();
    device.seed(config.seed);
    let device = device.autodiff();
    let network = Network::new(&run.config.model, &device);
    eprintln!("{} parameters", network.num_params());
    let (network, optimizer, state) = checkpoint::load(run.run_dir, network, optimizer(config))?;
    let resumed = state.is_some();
    let mut state = state.unwrap_or(RunState { step: 0, total_steps: config.steps, notes: 0, seconds: 0.0 });
    if let Some(steps) = run.steps {
        state.total_steps = steps;
    }
    if resumed {
        eprintln!("resumed at step {} of {}", state.step, state.total_steps);
    }
    let measure = run.hours.filter(|_| !resumed && run.steps.is_none());
    std::thread::scope(|scope| {
        let (sender, batches) = sync_channel::<HostBatch>(4);
        let first = state.step;
        scope.spawn(move || {
            for step in first.. {
                let mut rng = Pcg64Mcg::seed_from_u64(config.seed.wrapping_add(0x9e37_79b9 * step as u64));
                let windows: Vec<_> = (0..config.batch_size).map(|i| run.training.window(step, i)).collect();
                let text = |caption: &str| (run.text)(caption);
                if sender.send(HostBatch::new(&windows, &text, &config.dropout, &mut rng)).is_err() {
                    return;
                }
            }
        });
        let mut run_loop = RunLoop { run, device, network, optimizer, state, log: log_file(run.run_dir)? };
        run_loop.go(batches, measure)?;
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

struct RunLoop<'a> {
    run: &'a TrainRun<'a>,
    device: Device,
    network: Network,
    optimizer: ModuleOptimizer,
    state: RunState,
    log: (PathBuf, std::fs::File),
}

impl RunLoop<'_> {
    fn go(&mut self, batches: std::sync::mpsc::Receiver<HostBatch>, measure: Option<f64>) -> Result<(), TrainError> {
        let config = &self.run.config.train;
        let started = Instant::now();
        let seconds_before = self.state.seconds;
        let mut saved = Instant::now();
        let mut logged = (Instant::now(), 0usize);
        while self.state.step < self.state.total_steps {
            let Ok(batch) = batches.recv() else { break };
            let rate = learning_rate(config, &self.state);
            let losses = self.step(&batch, rate);
            self.state.step += 1;
            self.state.notes += batch.rows;
            self.state.seconds = seconds_before + started.elapsed().as_secs_f64();
            logged.1 += batch.rows;
            if let Some(hours) = measure.filter(|_| self.state.step == TIMED_STEPS) {
                self.project(hours);
            }
            if self.state.step.is_multiple_of(LOG_EVERY) {
                let speed = logged.1 as f64 / logged.0.elapsed().as_secs_f64();
                self.write("train", &losses, rate, speed)?;
                logged = (Instant::now(), 0);
            }
            if self.state.step.is_multiple_of(config.validate_every) || self.state.step == self.state.total_steps {
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

    /// Sets the run's length from the speed so far, and says what it comes to.
    fn project(&mut self, hours: f64) {
        let per_step = self.state.seconds / self.state.step as f64;
        self.state.total_steps = (hours * 3600.0 / per_step).round().max(1.0) as usize;
        let notes_per_second = self.state.notes as f64 / self.state.seconds;
        let epochs = notes_per_second * hours * 3600.0 / self.run.training.notes_per_epoch().max(1) as f64;
        eprintln!(
            "{notes_per_second:.0} notes/s: {} steps in {hours} h, {epochs:.2} epochs of {} notes",
            self.state.total_steps,
            self.run.training.notes_per_epoch()
        );
    }

    fn step(&mut self, host: &HostBatch, rate: f64) -> [f32; STREAMS] {
        let losses = stream_losses(&self.network, host, &self.device);
        let gradients = GradientsParams::from_grads(losses.clone().sum().backward(), &self.network);
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
        numbers(losses)
    }

    fn validate(&self) -> [f32; STREAMS] {
        let network = self.network.valid();
        let device = Device::default();
        let size = self.run.config.train.batch_size;
        let mut sums = [0.0; STREAMS];
        for step in 0..VALIDATION_BATCHES {
            let mut rng = Pcg64Mcg::seed_from_u64(step as u64);
            let windows: Vec<_> = (0..size).map(|i| self.run.validation.window(step, i)).collect();
            let text = |caption: &str| (self.run.text)(caption);
            let host = HostBatch::new(&windows, &text, &ConditionDropout::NONE, &mut rng);
            for (sum, loss) in sums.iter_mut().zip(numbers(stream_losses(&network, &host, &device))) {
                *sum += loss / VALIDATION_BATCHES as f32;
            }
        }
        sums
    }

    fn write(&mut self, part: &str, losses: &[f32; STREAMS], rate: f64, speed: f64) -> Result<(), TrainError> {
        let line = LogLine {
            step: self.state.step,
            part: part.to_owned(),
            loss: losses.iter().sum(),
            streams: losses.to_vec(),
            learning_rate: rate,
            notes_per_second: speed,
        };
        let streams: Vec<String> =
            STREAM_NAMES.iter().zip(losses).map(|(name, loss)| format!("{name} {loss:.2}")).collect();
        eprintln!(
            "step {}/{} {part} {:.3} ({}) lr {rate:.1e} {speed:.0} notes/s",
            line.step,
            self.state.total_steps,
            line.loss,
            streams.join(" ")
        );
        let json = serde_json::to_string(&line).expect("a log line is plain data");
        writeln!(self.log.1, "{json}").map_err(|source| TrainError::Write { path: self.log.0.clone(), source })
    }
}

/// Mean negative log-likelihood of each stream over its targets, in nats: `[STREAMS]`.
fn stream_losses(network: &Network, host: &HostBatch, device: &Device) -> Tensor<1> {
    let targets = Targets { tokens: host.targets.clone(), vocabulary: Arc::new(VOCABULARY.to_vec()) };
    fused::losses(network.forward(host.upload(device)), targets)
}

fn numbers(losses: Tensor<1>) -> [f32; STREAMS] {
    let values = losses.into_data().try_to_vec::<f32>().expect("losses are f32");
    std::array::from_fn(|stream| values[stream])
}

/// Linear warm-up, a plateau, and a linear fall to zero over the last share of the steps.
fn learning_rate(config: &LoopConfig, state: &RunState) -> f64 {
    let step = state.step as f64;
    let warmup = ((step + 1.0) / config.warmup_steps.max(1) as f64).min(1.0);
    let falling = (config.decay_share * state.total_steps as f64).max(1.0);
    let left = (state.total_steps as f64 - step) / falling;
    config.learning_rate * warmup * left.clamp(0.0, 1.0)
}

fn log_file(run_dir: &Path) -> Result<(PathBuf, std::fs::File), TrainError> {
    let path = run_dir.join("log.jsonl");
    match std::fs::OpenOptions::new().create(true).append(true).open(&path) {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(TrainError::Write { path, source }),
    }
}
