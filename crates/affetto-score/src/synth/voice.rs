//! One sounding sample.

use std::sync::Arc;

use super::envelope::{from_db, modulation, triangle, volume};
use super::region::Region;
use super::samples::{OVERRUN, Source};

/// Frames worked out at once: gains, pitch and filter are settled this often.
const BLOCK: usize = 64;
/// A voice ends when its gain falls below this (-86 dB).
const SILENT: f32 = 5e-5;
/// Time for a voice that is cut off by another (hi-hats), in seconds.
const CUT: f32 = 0.03;

/// A voice that will sound.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub region: Arc<Region>,
    pub source: Arc<Source>,
    /// First frame, and frames from there to the note's end.
    pub start: u64,
    pub length: u64,
    /// Frames from the start until another note cuts this one off.
    pub cut: Option<u64>,
    /// Source points per frame, before modulation.
    pub step: f64,
    /// Gains into the left, right, reverb and chorus bus.
    pub gains: [f32; 4],
}

/// The buses a voice adds to, all of one length.
pub(super) struct Buses {
    /// Left, right, reverb send, chorus send.
    pub lines: [Vec<f32>; 4],
}

impl Buses {
    pub(super) fn new(frames: usize) -> Self {
        Buses { lines: std::array::from_fn(|_| vec![0.0; frames]) }
    }

    pub(super) fn clear(&mut self) {
        self.lines.iter_mut().for_each(|l| l.fill(0.0));
    }
}

/// A two-pole low-pass (biquad, transposed direct form II).
#[derive(Clone, Copy, Debug, Default)]
struct Filter {
    b0: f32,
    b1: f32,
    a1: f32,
    a2: f32,
    s1: f32,
    s2: f32,
}

impl Filter {
    /// Low-pass by the bilinear transform at `hz`, with `resonance` dB of peak.
    fn set(&mut self, hz: f32, resonance: f32, rate: f32) {
        let w = std::f32::consts::TAU * (hz / rate).clamp(1e-4, 0.47);
        let q = std::f32::consts::FRAC_1_SQRT_2 * 10f32.powf(resonance / 20.0);
        let (sin, cos) = w.sin_cos();
        let alpha = sin / (2.0 * q);
        let scale = 1.0 / (1.0 + alpha);
        // Half of the resonance is taken from the gain, so that peaks do not jump out.
        let gain = 10f32.powf(-resonance / 40.0);
        self.b0 = 0.5 * (1.0 - cos) * scale * gain;
        self.b1 = 2.0 * self.b0;
        self.a1 = -2.0 * cos * scale;
        self.a2 = (1.0 - alpha) * scale;
    }

    fn run(&mut self, x: &mut [f32]) {
        let Filter { b0, b1, a1, a2, mut s1, mut s2 } = *self;
        for x in x {
            let y = b0 * *x + s1;
            s1 = b1 * *x - a1 * y + s2;
            s2 = b0 * *x - a2 * y;
            *x = y;
        }
        (self.s1, self.s2) = (s1, s2);
    }
}

/// A voice that sounds now.
#[derive(Debug)]
pub(super) struct Voice {
    plan: Planned,
    /// Frames rendered so far.
    age: u64,
    /// Place in the source, 32.32 fixed point.
    position: u64,
    gain: f32,
    filter: Option<Filter>,
    rate: f32,
}

impl Voice {
    pub(super) fn new(plan: Planned, rate: f32) -> Self {
        let r = &plan.region;
        let open = r.cutoff >= 13_490.0 && r.envelope_to_cutoff == 0.0 && r.lfo_to_cutoff == 0.0;
        let mut voice = Voice { age: 0, position: 0, gain: 0.0, filter: None, rate, plan };
        if !open {
            let mut filter = Filter::default();
            filter.set(voice.cutoff(0.0), voice.plan.region.resonance, rate);
            voice.filter = Some(filter);
        }
        voice.gain = voice.gain_at(0);
        voice
    }

    /// Frame (absolute) at which this voice starts.
    pub(super) fn start(&self) -> u64 {
        self.plan.start
    }

    /// Ends the note now, with a quick fade.
    pub(super) fn cut(&mut self) {
        self.plan.cut = Some(self.plan.cut.map_or(self.age, |c| c.min(self.age)));
    }

    fn seconds(&self, frames: u64) -> f32 {
        frames as f32 / self.rate
    }

    fn release(&self) -> f32 {
        self.seconds(self.plan.length)
    }

    fn cutoff(&self, t: f32) -> f32 {
        let r = &self.plan.region;
        let mut cents = r.cutoff;
        if r.envelope_to_cutoff != 0.0 {
            cents += r.envelope_to_cutoff * modulation(&r.modulation, t, self.release());
        }
        if r.lfo_to_cutoff != 0.0 {
            cents += r.lfo_to_cutoff * triangle(t, r.lfo_delay, r.lfo_hz);
        }
        8.176 * 2f32.powf(cents.clamp(1500.0, 13_500.0) / 1200.0)
    }

    fn gain_at(&self, age: u64) -> f32 {
        let r = &self.plan.region;
        let t = self.seconds(age);
        let mut gain = volume(&r.volume, t, self.release());
        if r.lfo_to_volume != 0.0 {
            gain *= from_db(r.lfo_to_volume * triangle(t, r.lfo_delay, r.lfo_hz));
        }
        if let Some(cut) = self.plan.cut.filter(|&c| age > c) {
            gain *= from_db(100.0 * self.seconds(age - cut) / CUT);
        }
        gain
    }

    fn step(&self, t: f32) -> u64 {
        let r = &self.plan.region;
        let mut cents = 0.0;
        if r.lfo_to_pitch != 0.0 {
            cents += r.lfo_to_pitch * triangle(t, r.lfo_delay, r.lfo_hz);
        }
        if r.vibrato_to_pitch != 0.0 {
            cents += r.vibrato_to_pitch * triangle(t, r.vibrato_delay, r.vibrato_hz);
        }
        if r.envelope_to_pitch != 0.0 {
            cents += r.envelope_to_pitch * modulation(&r.modulation, t, self.release());
        }
        let step = if cents == 0.0 { self.plan.step } else { self.plan.step * f64::from(2f32.powf(cents / 1200.0)) };
        // A block never runs past the overrun of its source.
        let most = (OVERRUN - 8) as f64 / BLOCK as f64;
        (step.clamp(1e-3, most) * 4_294_967_296.0) as u64
    }

    /// Adds this voice to the buses from frame `from` on. Returns whether it goes on after them.
    pub(super) fn render(&mut self, buses: &mut Buses, from: usize) -> bool {
        let frames = buses.lines[0].len();
        let mut at = from;
        let mut block = [0.0f32; BLOCK];
        let with_chorus = self.plan.gains[3] != 0.0;
        while at < frames {
            let mut n = BLOCK.min(frames - at);
            // A block ends where the note does, so that the release starts on the frame.
            for edge in [Some(self.plan.length), self.plan.cut].into_iter().flatten() {
                if edge > self.age && edge < self.age + n as u64 {
                    n = (edge - self.age) as usize;
                }
            }
            let t = self.seconds(self.age);
            let next = self.gain_at(self.age + n as u64);
            let block = &mut block[..n];
            if !self.fill(block, self.step(t)) {
                return false;
            }
            let cutoff = self.plan.region.envelope_to_cutoff != 0.0 || self.plan.region.lfo_to_cutoff != 0.0;
            let hz = if cutoff { self.cutoff(t) } else { 0.0 };
            if let Some(filter) = &mut self.filter {
                if cutoff {
                    filter.set(hz, self.plan.region.resonance, self.rate);
                }
                filter.run(block);
            }
            let slope = (next - self.gain) / n as f32;
            for (i, x) in block.iter_mut().enumerate() {
                *x *= self.gain + slope * i as f32;
            }
            let lines = if with_chorus { 4 } else { 3 };
            for (line, gain) in buses.lines.iter_mut().zip(self.plan.gains).take(lines) {
                for (o, x) in line[at..at + n].iter_mut().zip(&*block) {
                    *o += gain * x;
                }
            }
            self.gain = next;
            self.age += n as u64;
            at += n;
            let done = self.age >= self.plan.length || self.plan.cut.is_some_and(|c| self.age > c);
            let level = next * self.plan.gains[0].max(self.plan.gains[1]).min(1.0);
            let faded =
                self.plan.region.volume.sustain >= 80.0 && self.seconds(self.age) > self.plan.region.volume.delay + 1.0;
            if (done || faded) && level < SILENT {
                return false;
            }
        }
        true
    }

    /// Reads a block from the source by cubic (Catmull-Rom) interpolation; false at its end.
    fn fill(&mut self, block: &mut [f32], step: u64) -> bool {
        let source = &*self.plan.source;
        let index = (self.position >> 32) as u32;
        match source.looped {
            Some((start, end)) if index >= end => {
                let inside = start + (index - end) % (end - start);
                self.position = u64::from(inside) << 32 | self.position & 0xFFFF_FFFF;
            }
            None if index >= source.end => return false,
            _ => {}
        }
        let mut position = self.position;
        for x in block.iter_mut() {
            let at = (position >> 32) as usize;
            let f = (position as u32 >> 8) as f32 * (1.0 / 16_777_216.0);
            // data[at] is the point before, data[at + 1] the point at the position.
            *x = match source.data.get(at..at + 4) {
                Some(&[a, b, c, d]) => {
                    let slope = 0.5 * (c - a);
                    let bend = a - 2.5 * b + 2.0 * c - 0.5 * d;
                    let twist = 0.5 * (d - a) + 1.5 * (b - c);
                    b + f * (slope + f * (bend + f * twist))
                }
                _ => 0.0,
            };
            position += step;
        }
        self.position = position;
        true
    }
}
