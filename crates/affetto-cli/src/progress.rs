//! A progress bar on standard error, where a person watches and the work takes longer than a second.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(1);
const STEPS: u64 = 1000;

/// The bar of one piece of work.
pub struct Progress {
    wanted: bool,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar that shows nothing yet, and never will where `quiet` or where standard error is no terminal.
    pub fn new(quiet: bool) -> Progress {
        Progress { wanted: !quiet && std::io::stderr().is_terminal(), started: Instant::now(), bar: None }
    }

    /// A share of the work is done, 0 to 1.
    pub fn show(&mut self, what: &'static str, share: f32) {
        if !self.wanted || (self.bar.is_none() && self.started.elapsed() < PATIENCE) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:40} {percent:>3} %  {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_message(what);
        bar.set_position((f64::from(share.clamp(0.0, 1.0)) * STEPS as f64) as u64);
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.started = Instant::now();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
