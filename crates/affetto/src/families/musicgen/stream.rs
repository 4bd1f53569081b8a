//! Sound while it is made: a worker computes codes and decodes them, the caller hears.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use affetto_audio::AudioBuffer;
use affetto_models::musicgen::MusicGen;

use super::job::Job;
use super::sound::{CodesSound, Pieces};
use crate::error::{Error, Result};
use crate::summary::TakeSummary;
use crate::take::Take;

/// Pieces that may wait for the caller; then the worker waits.
const AHEAD: usize = 4;

/// A take in the making: an iterator of its sound.
pub(crate) struct CodesStream {
    sound: Arc<CodesSound>,
    frames: usize,
    summary: TakeSummary,
    receiver: Option<Receiver<Result<AudioBuffer>>>,
    worker: Option<JoinHandle<Result<Take>>>,
}

impl CodesStream {
    /// Starts the worker.
    pub fn start(model: Arc<MusicGen>, decoder: Pieces, job: Job, called: Instant) -> Result<CodesStream> {
        let (sender, receiver) = sync_channel(AHEAD);
        let (sound, frames, summary) = (job.sound().clone(), job.frames(), job.summary());
        let worker = std::thread::Builder::new()
            .name("affetto-stream".into())
            .spawn(move || work(&model, decoder, job, called, &sender))
            .map_err(|error| Error::Compose(format!("no thread to compute on: {error}")))?;
        Ok(CodesStream { sound, frames, summary, receiver: Some(receiver), worker: Some(worker) })
    }

    /// What turns codes into sound.
    pub fn sound(&self) -> &CodesSound {
        &self.sound
    }

    /// Samples of each channel in all.
    pub fn samples(&self) -> usize {
        self.sound.samples(self.frames)
    }

    /// What is asked for.
    pub fn summary(&self) -> &TakeSummary {
        &self.summary
    }

    /// The next piece of sound.
    pub fn next_piece(&mut self) -> Option<Result<AudioBuffer>> {
        self.receiver.as_ref()?.recv().ok()
    }

    /// The whole take, once it is made.
    pub fn finish(mut self) -> Result<Take> {
        while let Some(piece) = self.next_piece() {
            piece?;
        }
        let gone = || Error::Compose("the worker has gone away".into());
        self.worker.take().ok_or_else(gone)?.join().map_err(|_| gone())?
    }
}

impl Drop for CodesStream {
    fn drop(&mut self) {
        // The worker stops at its next piece when nobody listens.
        self.receiver = None;
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

/// Makes the take; sound and errors go to the caller as they come.
fn work(
    model: &MusicGen,
    decoder: Pieces,
    job: Job,
    called: Instant,
    sender: &SyncSender<Result<AudioBuffer>>,
) -> Result<Take> {
    match compose(model, decoder, job, called, sender) {
        Err(error) => {
            let told = Error::Compose(error.to_string());
            let _ = sender.send(Err(error));
            Err(told)
        }
        made => made,
    }
}

fn compose(
    model: &MusicGen,
    mut decoder: Pieces,
    mut job: Job,
    called: Instant,
    sender: &SyncSender<Result<AudioBuffer>>,
) -> Result<Take> {
    let started = Instant::now();
    let (mut decoding, mut waiting) = (0.0, 0.0);
    let mut first = None;
    let mut hear = |row: Option<&[u32]>, decoding: &mut f64, waiting: &mut f64| -> Result<bool> {
        let begun = Instant::now();
        let piece = match row {
            Some(row) => decoder.push(row)?,
            None => decoder.finish()?,
        };
        *decoding += begun.elapsed().as_secs_f64();
        let Some(piece) = piece else { return Ok(true) };
        first.get_or_insert_with(|| called.elapsed().as_secs_f64());
        let begun = Instant::now();
        let heard = sender.send(Ok(piece)).is_ok();
        *waiting += begun.elapsed().as_secs_f64();
        Ok(heard)
    };
    let stopped = || Error::Compose("nobody listens any more".into());
    let mut generation = job.begin(model)?;
    for row in job.beginning().chunks_exact(job.streams()).take(generation.complete()) {
        if !hear(Some(row), &mut decoding, &mut waiting)? {
            return Err(stopped());
        }
    }
    while let Some(row) = generation.next_row(model)? {
        if !hear(Some(&row), &mut decoding, &mut waiting)? {
            return Err(stopped());
        }
    }
    if !hear(None, &mut decoding, &mut waiting)? {
        return Err(stopped());
    }
    job.timings.decode_seconds = decoding;
    job.timings.loop_seconds = started.elapsed().as_secs_f64() - decoding - waiting;
    job.timings.first_sound_seconds = first.unwrap_or_default();
    Ok(job.take(generation.into_codes()))
}
