//! Convolutions along time over `[time, channels]`, by matrix products.

use affetto_engine::Linear;

use crate::parallel;

/// Time steps that are gathered at once.
const TILE: usize = 128;

/// A convolution with as many outputs as steps ÷ stride, its edges padded by reflection or with zeros.
pub(super) struct Conv {
    /// kernel·inputs → outputs.
    pub linear: Linear,
    pub inputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Whether time is mirrored at its ends; zeros stand there if not.
    pub reflect: bool,
}

/// Which step an index before the first or after the last means when time is mirrored at its ends; nothing where the
/// sound is so short that zeros stand in.
fn mirrored(at: isize, steps: usize, longest_pad: usize) -> Option<usize> {
    // Sound no longer than the padding is first made long enough by zeros.
    let whole = if steps <= longest_pad { longest_pad + 1 } else { steps };
    let last = whole as isize - 1;
    let at = if at < 0 {
        -at
    } else if at > last {
        2 * last - at
    } else {
        at
    } as usize;
    (at < steps).then_some(at)
}

impl Conv {
    /// Steps of the answer to `steps`.
    fn answered(&self, steps: usize) -> usize {
        steps.div_ceil(self.stride)
    }

    /// `x` is `[steps, inputs]`, the answer `[steps / stride, outputs]` (rounded up).
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let (steps, outputs) = (x.len() / self.inputs, self.linear.outputs());
        let answered = self.answered(steps);
        let reach = (self.kernel - 1) * self.dilation + 1;
        let padding = reach.saturating_sub(self.stride);
        let (left, right) = (padding - padding / 2, padding / 2);
        let extra = (answered * self.stride).saturating_sub(steps);
        let longest = left.max(right + extra);
        let mut out = vec![0.0; answered * outputs];
        parallel::chunks(&mut out, TILE * outputs, |part, out| {
            let rows = out.len() / outputs;
            let width = self.kernel * self.inputs;
            let mut gathered = vec![0.0; rows * width];
            for (row, line) in gathered.chunks_exact_mut(width).enumerate() {
                let first = ((part * TILE + row) * self.stride) as isize - left as isize;
                let inside = first >= 0 && first as usize + reach <= steps;
                if self.dilation == 1 && inside {
                    line.copy_from_slice(&x[first as usize * self.inputs..][..width]);
                    continue;
                }
                for (j, taps) in line.chunks_exact_mut(self.inputs).enumerate() {
                    let at = first + (j * self.dilation) as isize;
                    let at = match self.reflect {
                        true => mirrored(at, steps, longest),
                        false => usize::try_from(at).ok().filter(|&at| at < steps),
                    };
                    if let Some(at) = at {
                        taps.copy_from_slice(&x[at * self.inputs..][..self.inputs]);
                    }
                }
            }
            self.linear.apply(&gathered, rows, out);
        });
        out
    }
}

/// A transposed convolution whose kernel is twice its stride; the answer is cut to steps · stride.
pub(super) struct Upsample {
    /// inputs → kernel·outputs.
    pub linear: Linear,
    pub bias: Vec<f32>,
    pub inputs: usize,
    pub stride: usize,
}

impl Upsample {
    /// `x` is `[steps, inputs]`, the answer `[steps · stride, outputs]`.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let (steps, outputs, stride) = (x.len() / self.inputs, self.bias.len(), self.stride);
        let kernel = 2 * stride;
        // What is cut off at the left: half of kernel - stride, rounded up.
        let left = stride - stride / 2;
        let spread = self.linear.forward(x, steps);
        let mut out = vec![0.0; steps * stride * outputs];
        parallel::chunks(&mut out, TILE * outputs, |part, out| {
            for (row, out) in out.chunks_exact_mut(outputs).enumerate() {
                let at = part * TILE + row + left;
                out.copy_from_slice(&self.bias);
                // Step t spreads to t·stride … t·stride + kernel - 1.
                for t in [at / stride, (at / stride).wrapping_sub(1)] {
                    if t >= steps {
                        continue;
                    }
                    let from = &spread[(t * kernel + at - t * stride) * outputs..][..outputs];
                    for (o, v) in out.iter_mut().zip(from) {
                        *o += v;
                    }
                }
            }
        });
        out
    }
}

/// ELU with α = 1: x above 0, eˣ - 1 below.
pub(super) fn elu(x: &mut [f32]) {
    parallel::chunks(x, 1 << 14, |_, x| {
        for v in x.iter_mut() {
            let below = exp(if *v < 0.0 { *v } else { 0.0 }) - 1.0;
            *v = if *v < 0.0 { below } else { *v };
        }
    });
}

/// eˣ for x ≤ 0: 2ⁿ·eʸ with |y| ≤ ln 2 / 2 and the series of eʸ; relative error below 3e-7, 0 below about -87. Without
/// calls or branches, so that loops over it are vectorised.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    /// Added to a number below 2²², this leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let scaled = (if x > -87.0 { x } else { -87.0 }) * std::f32::consts::LOG2_E;
    let rounded = scaled + ROUND;
    let y = (scaled - (rounded - ROUND)) * std::f32::consts::LN_2;
    let series = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0 + y * (1.0 / 120.0 + y / 720.0)))));
    series * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elu_is_elu() {
        let mut x: Vec<f32> = (-200..100).map(|i| i as f32 * 0.17).collect();
        let want: Vec<f32> = x.iter().map(|&v| if v > 0.0 { v } else { f64::from(v).exp_m1() as f32 }).collect();
        elu(&mut x);
        assert!(x.iter().zip(&want).all(|(a, b)| (a - b).abs() < 5e-7), "{x:?}");
    }

    #[test]
    fn time_is_mirrored_at_its_ends() {
        let at = |i| mirrored(i, 4, 3);
        assert_eq!([at(-3), at(-1), at(0), at(3), at(4), at(6)], [3, 1, 0, 3, 2, 0].map(Some));
        // Two steps, padded by three: four steps of which the last two are zeros.
        assert_eq!([mirrored(-1, 2, 3), mirrored(-2, 2, 3), mirrored(5, 2, 3)], [Some(1), None, Some(1)]);
    }
}
