//! Mixing the voices: in chunks, in a fixed order, on as many threads as there are.

use std::collections::VecDeque;
use std::sync::Mutex;

use affetto_audio::AudioBuffer;

use super::bank::SoundFont;
use super::chorus::Chorus;
use super::error::{Result, SynthError};
use super::parallel::{default_threads, parallel};
use super::plan::{MAX_SECONDS, plan};
use super::reverb::Reverb;
use super::voice::{Buses, Planned, Voice};
use crate::Score;

/// Voices are dealt out to this many groups; each group's sum is its own, so that the order of
/// additions, and with it every bit, is the same on any number of threads.
const GROUPS: usize = 6;
/// Frames rendered between two mixes.
const CHUNK: usize = 16_384;
/// Voices a group keeps; beyond, its oldest is faded out.
const MAX_VOICES: usize = 160;
/// Silence at the end of a sound of fixed length, in seconds.
const END_SILENCE: f64 = 0.05;
/// Longest tail after the last note where no length is asked, in seconds.
const MAX_TAIL: f64 = 8.0;

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RenderOptions {
    /// Frames a second, 8000–192000.
    pub sample_rate: u32,
    /// Exact length in seconds; `None` ends when the last tail has died away. With a length, tails
    /// fade over the last second and the final 50 ms are silent.
    pub seconds: Option<f64>,
    /// How much room, 0 (dry) – 1; instruments differ in what they send there.
    pub reverb: f32,
    /// How much chorus, 0 (none) – 1; only some instruments send there.
    pub chorus: f32,
    /// Threads; 0 = what the machine has. The sound does not depend on it.
    pub threads: usize,
}

impl Default for RenderOptions {
    fn default() -> Self {
        RenderOptions { sample_rate: 44_100, seconds: None, reverb: 0.7, chorus: 0.6, threads: 0 }
    }
}

/// A share of the voices.
struct Group {
    planned: VecDeque<Planned>,
    sounding: Vec<Voice>,
    buses: Buses,
    /// Whether `buses` hold anything.
    filled: bool,
}

impl Group {
    /// Renders the chunk that starts at `from` into the buses.
    fn render(&mut self, from: u64, rate: f32) {
        let until = from + self.buses.lines[0].len() as u64;
        while let Some(plan) = self.planned.pop_front_if(|p| p.start < until) {
            self.sounding.push(Voice::new(plan, rate));
            if self.sounding.len() > MAX_VOICES {
                let excess = self.sounding.len() - MAX_VOICES;
                self.sounding[..excess].iter_mut().for_each(Voice::cut);
            }
        }
        if self.filled {
            self.buses.clear();
        }
        self.filled = !self.sounding.is_empty();
        let buses = &mut self.buses;
        self.sounding.retain_mut(|voice| {
            let first = voice.start().saturating_sub(from) as usize;
            voice.render(buses, first)
        });
    }

    fn idle(&self) -> bool {
        self.planned.is_empty() && self.sounding.is_empty()
    }
}

/// Everything after the voices: sums, room and chorus, output.
struct Stage {
    reverb: Option<Reverb>,
    chorus: Option<Chorus>,
    left: Vec<f32>,
    right: Vec<f32>,
    send: Vec<f32>,
    chorus_send: Vec<f32>,
}

impl Stage {
    /// Sums `groups` (in order) and appends `frames` of the result.
    fn mix(&mut self, groups: &[Mutex<Buses>], filled: &[bool], frames: usize) {
        let from = self.left.len();
        self.left.resize(from + frames, 0.0);
        self.right.resize(from + frames, 0.0);
        self.send.clear();
        self.send.resize(frames, 0.0);
        self.chorus_send.clear();
        self.chorus_send.resize(frames, 0.0);
        for (group, _) in groups.iter().zip(filled).filter(|(_, filled)| **filled) {
            let buses = lock(group);
            let Buses { lines: [left, right, send, chorus] } = &*buses;
            add(&mut self.left[from..], left);
            add(&mut self.right[from..], right);
            add(&mut self.send, send);
            if self.chorus.is_some() {
                add(&mut self.chorus_send, chorus);
            }
        }
        let (left, right) = (&mut self.left[from..], &mut self.right[from..]);
        if let Some(chorus) = &mut self.chorus {
            chorus.process(&self.chorus_send, left, right);
        }
        if let Some(reverb) = &mut self.reverb {
            reverb.process(&self.send, left, right, 0.5);
        }
    }
}

fn add(sum: &mut [f32], x: &[f32]) {
    for (s, x) in sum.iter_mut().zip(x) {
        *s += x;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Renders a score in stereo: velocities, note lengths, places on the stage, a room. Loudness is
/// not settled here (see [`affetto_audio::normalize`]). The same font, score and options give the
/// same bits, whatever the number of threads.
///
/// # Errors
/// An option out of range, a sample that cannot be decoded, no preset to play with.
pub fn render(font: &SoundFont, score: &Score, options: &RenderOptions) -> Result<AudioBuffer> {
    check(options)?;
    let threads = if options.threads == 0 { default_threads() } else { options.threads.min(64) };
    let rate = f64::from(options.sample_rate);
    let plan = plan(font, score, options, threads)?;
    let exact = options.seconds.map(|s| (s * rate).round() as usize);
    let longest = exact.unwrap_or(plan.end as usize + (MAX_TAIL * rate) as usize);

    let mut stage = Stage {
        reverb: (options.reverb > 0.0).then(|| Reverb::new(options.sample_rate)),
        chorus: plan.chorus.then(|| Chorus::new(options.sample_rate)),
        left: Vec::with_capacity(longest),
        right: Vec::with_capacity(longest),
        send: Vec::new(),
        chorus_send: Vec::new(),
    };
    let mut dealt: Vec<VecDeque<Planned>> = vec![VecDeque::new(); GROUPS];
    for (i, voice) in plan.voices.into_iter().enumerate() {
        dealt[i % GROUPS].push_back(voice);
    }
    let groups: Vec<Mutex<Group>> = dealt
        .into_iter()
        .map(|planned| Mutex::new(Group { planned, sounding: Vec::new(), buses: Buses::new(CHUNK), filled: false }))
        .collect();
    // While the groups render a chunk, the stage mixes the one before.
    let mut before: Vec<Mutex<Buses>> = (0..GROUPS).map(|_| Mutex::new(Buses::new(CHUNK))).collect();
    let mut before_filled = vec![false; GROUPS];
    let stage = Mutex::new(&mut stage);
    let mut from = 0usize;
    loop {
        let mix = from.min(longest) - from.saturating_sub(CHUNK).min(longest);
        parallel(threads, GROUPS + 1, |job| {
            if job == 0 {
                if mix > 0 {
                    lock(&stage).mix(&before, &before_filled, mix);
                }
            } else if from < longest {
                lock(&groups[job - 1]).render(from as u64, rate as f32);
            }
        });
        if from >= longest {
            break;
        }
        for ((group, before), filled) in groups.iter().zip(&mut before).zip(&mut before_filled) {
            let mut group = lock(group);
            std::mem::swap(&mut group.buses, before.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner));
            // What comes back was mixed already, and may hold the chunk before.
            std::mem::swap(&mut group.filled, filled);
        }
        from += CHUNK;
        if exact.is_none() && groups.iter().all(|g| lock(g).idle()) && died_away(&lock(&stage), plan.end as usize) {
            break;
        }
    }
    let stage = stage.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut audio = AudioBuffer {
        sample_rate: options.sample_rate,
        channels: vec![std::mem::take(&mut stage.left), std::mem::take(&mut stage.right)],
    };
    finish(&mut audio, exact, plan.end as usize);
    Ok(audio)
}

/// What a listening model gets: rendered as [`render`] does at 44.1 kHz, then both sides mixed and
/// resampled to `sample_rate`; `[frames]`, loudness not settled. (Rendering at a low rate directly
/// would fold the highs down.)
///
/// # Errors
/// As [`render`]; a sample rate of 0.
pub fn render_mono(font: &SoundFont, score: &Score, options: &RenderOptions, sample_rate: u32) -> Result<Vec<f32>> {
    let audio = render(font, score, options)?;
    audio.mono_at(sample_rate).map_err(|_| SynthError::Option {
        what: "the sample rate",
        value: format!("{sample_rate} Hz"),
        expected: "1 to 768000 Hz",
    })
}

/// Whether the last mixed chunk, past the last note, is below -70 dBFS.
fn died_away(stage: &Stage, end: usize) -> bool {
    let mixed = stage.left.len();
    let last = mixed.saturating_sub(CHUNK);
    last >= end && stage.left[last..].iter().chain(&stage.right[last..]).all(|x| x.abs() < 3e-4)
}

/// Ends the sound: exact length and fade, or the trailing silence cut off.
fn finish(audio: &mut AudioBuffer, exact: Option<usize>, last_note: usize) {
    let rate = f64::from(audio.sample_rate);
    let frames = match exact {
        Some(frames) => frames,
        None => {
            let heard = audio.channels.iter().filter_map(|c| c.iter().rposition(|x| x.abs() > 1e-4)).max();
            heard.map_or(0, |h| h + 1).max(last_note) + ((END_SILENCE + 0.3) * rate) as usize
        }
    };
    let silent = ((END_SILENCE * rate).ceil() as usize).min(frames);
    let stop = frames - silent;
    // The fade starts where the last note ends, at most 1 s and at least 0.2 s before the silence.
    let seconds = |s: f64| stop.saturating_sub((s * rate) as usize);
    let start = last_note.clamp(seconds(1.0), seconds(0.2));
    for channel in &mut audio.channels {
        channel.resize(frames, 0.0);
        for (i, x) in channel[start..stop].iter_mut().enumerate() {
            let u = i as f32 / (stop - start) as f32;
            let cos = (u * std::f32::consts::FRAC_PI_2).cos();
            *x *= cos * cos;
        }
        channel[stop..].fill(0.0);
    }
}

fn check(options: &RenderOptions) -> Result<()> {
    let refuse = |what, value: String, expected| Err(SynthError::Option { what, value, expected });
    if !(8000..=192_000).contains(&options.sample_rate) {
        return refuse("the sample rate", format!("{} Hz", options.sample_rate), "8000 to 192000 Hz");
    }
    if let Some(seconds) = options.seconds
        && !(seconds > 0.0 && seconds <= MAX_SECONDS)
    {
        return refuse("the length", format!("{seconds} s"), "more than 0, at most 70 minutes");
    }
    for (what, value) in [("reverb", options.reverb), ("chorus", options.chorus)] {
        if !(0.0..=1.0).contains(&value) {
            return refuse(what, value.to_string(), "0 to 1");
        }
    }
    Ok(())
}
