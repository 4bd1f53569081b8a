//! Examples through the model, into a spool.

use affetto::Studio;
use affetto_train::probes::Spool;

use super::examples::{Example, Examples};
use crate::failure::Failure;
use crate::progress::Progress;

/// The share of the files that may be unreadable or too short: beyond it something else is wrong.
const MOST_SKIPPED: f64 = 0.5;
/// The share of the bar that recording takes.
pub const SHARE: f32 = 0.9;

/// What became of the files.
#[derive(Debug, Default)]
pub struct Recording {
    /// Files that were read.
    pub read: Vec<Example>,
    /// Why others were not: each names its file.
    pub skipped: Vec<String>,
    /// How many files were shorter than a window, and count as they are.
    pub short: usize,
}

/// Records every file. Those that cannot be read, or hold too little, are skipped, up to [`MOST_SKIPPED`].
///
/// # Errors
/// Too many such files; what the model or the disk says.
pub fn record(
    studio: &mut Studio,
    examples: &Examples,
    window: f64,
    spool: &mut Spool,
    progress: &mut Progress,
) -> Result<Recording, Failure> {
    let total = examples.files.len();
    let mut done = Recording::default();
    for (i, example) in examples.files.iter().enumerate() {
        match studio.record(&example.path, window) {
            Ok(stretches) => {
                // Stretches of notes are whole bars: about as long as the window.
                done.short += usize::from(stretches.len() == 1 && stretches[0].seconds < 0.75 * window);
                for stretch in &stretches {
                    let pushed = spool.push(&stretch.pooled, example.label, &example.group);
                    pushed.map_err(|e| Failure::failed(e.to_string()))?;
                }
                done.read.push(example.clone());
            }
            Err(affetto::Error::Input { path, reason }) => done.skipped.push(format!("{}: {reason}", path.display())),
            Err(other) => return Err(other.into()),
        }
        if done.skipped.len() as f64 > MOST_SKIPPED * total as f64 {
            return Err(Failure::failed(format!(
                "{} of the first {} of {total} files cannot be used, more than half of all; the last: {}",
                done.skipped.len(),
                i + 1,
                done.skipped.last().map_or("", String::as_str)
            )));
        }
        progress.show("recording", SHARE * (i + 1) as f32 / total as f32);
    }
    Ok(done)
}
