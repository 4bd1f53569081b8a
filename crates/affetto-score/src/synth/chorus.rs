//! A touch of chorus: two slowly moving delays, one a side.

/// Middle of the delay and how far it moves, in seconds.
const DELAY: f32 = 0.016;
const DEPTH: f32 = 0.0022;
/// Times a second it moves to and fro.
const HZ: f32 = 0.55;

/// Mono in, stereo out.
#[derive(Debug)]
pub(super) struct Chorus {
    ring: Vec<f32>,
    at: usize,
    phase: f32,
    rate: f32,
}

impl Chorus {
    pub(super) fn new(rate: u32) -> Self {
        let rate = rate as f32;
        let frames = ((DELAY + DEPTH) * rate) as usize + 4;
        Chorus { ring: vec![0.0; frames.next_power_of_two()], at: 0, phase: 0.0, rate }
    }

    /// Adds both moving copies of `send`, one to each side.
    pub(super) fn process(&mut self, send: &[f32], left: &mut [f32], right: &mut [f32]) {
        const BLOCK: usize = 32;
        let mask = self.ring.len() - 1;
        let sides = left.chunks_mut(BLOCK).zip(right.chunks_mut(BLOCK));
        for (send, (left, right)) in send.chunks(BLOCK).zip(sides) {
            // The delays move on straight lines over a block.
            let n = send.len() as f32;
            let next = self.phase + std::f32::consts::TAU * HZ * n / self.rate;
            let delay = |phase: f32| (DELAY + DEPTH * phase.sin()) * self.rate;
            let (l0, l1) = (delay(self.phase), delay(next));
            let quarter = std::f32::consts::FRAC_PI_2;
            let (r0, r1) = (delay(self.phase + quarter), delay(next + quarter));
            let at = self.at;
            for (i, &x) in send.iter().enumerate() {
                self.ring[(at + i) & mask] = x;
            }
            let tap = |i: usize, delay: f32| {
                let whole = delay as usize;
                let f = delay - whole as f32;
                let here = at + i + self.ring.len() - whole;
                let (a, b) = (self.ring[here & mask], self.ring[(here - 1) & mask]);
                a + (b - a) * f
            };
            for (i, (l, r)) in left.iter_mut().zip(right.iter_mut()).enumerate() {
                let u = i as f32 / n;
                *l += tap(i, l0 + (l1 - l0) * u);
                *r += tap(i, r0 + (r1 - r0) * u);
            }
            self.at = (at + send.len()) & mask;
            self.phase = next % std::f32::consts::TAU;
        }
    }
}
