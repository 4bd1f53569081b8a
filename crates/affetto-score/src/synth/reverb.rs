//! A room: a feedback delay network of eight lines (Jot 1991; Hadamard feedback), mono in, stereo out.

/// Lines of the network.
const LINES: usize = 8;
/// Frames worked out at once; shorter than every delay.
const BLOCK: usize = 64;
/// Delays at 44.1 kHz, in frames: primes between 25 and 67 ms.
const DELAYS: [usize; LINES] = [1109, 1307, 1543, 1787, 2053, 2333, 2633, 2953];
/// Diffusing all-passes before the network, in frames at 44.1 kHz.
const DIFFUSERS: [usize; 3] = [241, 373, 547];
/// Time for the sound to fall by 60 dB, in seconds, at low frequencies.
const T60: f64 = 1.9;
/// Time before the room answers, in seconds.
const PREDELAY: f64 = 0.012;
/// Keeps the filters away from denormal numbers; far below anything audible.
const TINY: f32 = 1e-18;

/// A delay of fixed length, at least [`BLOCK`] frames.
#[derive(Debug)]
struct Delay {
    ring: Vec<f32>,
    at: usize,
}

impl Delay {
    fn new(frames: usize) -> Self {
        Delay { ring: vec![0.0; frames.max(BLOCK)], at: 0 }
    }

    /// Copies the next `out.len()` delayed values without moving on.
    fn read(&self, out: &mut [f32]) {
        let first = out.len().min(self.ring.len() - self.at);
        out[..first].copy_from_slice(&self.ring[self.at..self.at + first]);
        let rest = out.len() - first;
        out[first..].copy_from_slice(&self.ring[..rest]);
    }

    /// Puts values in where [`Delay::read`] just read, and moves on.
    fn write(&mut self, values: &[f32]) {
        let first = values.len().min(self.ring.len() - self.at);
        self.ring[self.at..self.at + first].copy_from_slice(&values[..first]);
        let rest = values.len() - first;
        self.ring[..rest].copy_from_slice(&values[first..]);
        self.at = (self.at + values.len()) % self.ring.len();
    }
}

/// The room.
#[derive(Debug)]
pub(super) struct Reverb {
    predelay: Delay,
    diffusers: Vec<Delay>,
    lines: Vec<Delay>,
    feedback: [f32; LINES],
    damping: f32,
    damped: [f32; LINES],
    low: f32,
    low_cut: f32,
}

impl Reverb {
    /// A room at a sample rate.
    pub(super) fn new(rate: u32) -> Self {
        let rate = f64::from(rate);
        let scaled = |frames: usize| ((frames as f64 * rate / 44_100.0).round() as usize).max(BLOCK);
        let feedback = DELAYS.map(|d| {
            let loss = 10f64.powf(-3.0 * scaled(d) as f64 / (T60 * rate));
            (loss / (LINES as f64).sqrt()) as f32
        });
        Reverb {
            predelay: Delay::new((PREDELAY * rate) as usize),
            diffusers: DIFFUSERS.iter().map(|&d| Delay::new(scaled(d))).collect(),
            lines: DELAYS.iter().map(|&d| Delay::new(scaled(d))).collect(),
            feedback,
            // One-pole low-pass at about 5 kHz in every loop: the room swallows the highs.
            damping: 1.0 - (-std::f64::consts::TAU * 5000.0 / rate).exp() as f32,
            damped: [0.0; LINES],
            low: 0.0,
            // And no mud: what enters is high-passed at 160 Hz.
            low_cut: 1.0 - (-std::f64::consts::TAU * 160.0 / rate).exp() as f32,
        }
    }

    /// Adds the room's answer to `send` to both sides, scaled by `level`.
    pub(super) fn process(&mut self, send: &[f32], left: &mut [f32], right: &mut [f32], level: f32) {
        let sides = left.chunks_mut(BLOCK).zip(right.chunks_mut(BLOCK));
        for (send, (left, right)) in send.chunks(BLOCK).zip(sides) {
            self.block(send, left, right, level);
        }
    }

    fn block(&mut self, send: &[f32], left: &mut [f32], right: &mut [f32], level: f32) {
        let n = send.len();
        let mut input = [0.0f32; BLOCK];
        let input = &mut input[..n];
        self.predelay.read(input);
        self.predelay.write(send);
        for x in input.iter_mut() {
            self.low += (*x - self.low) * self.low_cut + TINY;
            *x -= self.low;
        }
        let mut delayed = [0.0f32; BLOCK];
        for diffuser in &mut self.diffusers {
            let delayed = &mut delayed[..n];
            diffuser.read(delayed);
            for (x, d) in input.iter_mut().zip(delayed.iter_mut()) {
                let inside = *x - 0.6 * *d;
                *x = *d + 0.6 * inside;
                *d = inside + TINY;
            }
            diffuser.write(delayed);
        }
        let mut taps = [[0.0f32; BLOCK]; LINES];
        for (line, tap) in self.lines.iter().zip(&mut taps) {
            line.read(&mut tap[..n]);
        }
        // The eight loops' low-passes side by side.
        let mut state = self.damped;
        for i in 0..n {
            for (s, tap) in state.iter_mut().zip(&mut taps) {
                *s += (tap[i] - *s) * self.damping + TINY;
                tap[i] = *s;
            }
        }
        self.damped = state;
        for i in 0..n {
            let even = taps[0][i] - taps[2][i] + taps[4][i] - taps[6][i];
            let odd = taps[1][i] - taps[3][i] + taps[5][i] - taps[7][i];
            left[i] += level * (even + 0.3 * odd);
            right[i] += level * (odd + 0.3 * even);
        }
        hadamard(&mut taps);
        for ((line, tap), feedback) in self.lines.iter_mut().zip(&mut taps).zip(self.feedback) {
            for (x, input) in tap.iter_mut().zip(&*input) {
                *x = *x * feedback + input;
            }
            line.write(&tap[..n]);
        }
    }
}

/// Fast Walsh–Hadamard transform over the lines (not scaled: the feedback gains hold 1/√8).
fn hadamard(taps: &mut [[f32; BLOCK]; LINES]) {
    let mut span = 1;
    while span < LINES {
        for first in (0..LINES).step_by(span * 2) {
            for a in first..first + span {
                let (head, tail) = taps.split_at_mut(a + span);
                for (x, y) in head[a].iter_mut().zip(tail[0].iter_mut()) {
                    (*x, *y) = (*x + *y, *x - *y);
                }
            }
        }
        span *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_dies_away_by_sixty_decibels_and_is_wide() {
        let rate = 44_100;
        let mut send = vec![0.0; rate * 4];
        send[0] = 1.0;
        let (mut left, mut right) = (vec![0.0; rate * 4], vec![0.0; rate * 4]);
        Reverb::new(rate as u32).process(&send, &mut left, &mut right, 1.0);
        let energy = |x: &[f32]| x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
        let (early, late) = (energy(&left[2205..6615]), energy(&left[3 * rate..]));
        assert!(early > 0.0 && late < early * 1e-6, "{early} {late}");
        let cross: f32 = left.iter().zip(&right).map(|(a, b)| a * b).sum();
        let norm = (left.iter().map(|x| x * x).sum::<f32>() * right.iter().map(|x| x * x).sum::<f32>()).sqrt();
        assert!((cross / norm).abs() < 0.7, "{}", cross / norm);
    }
}
