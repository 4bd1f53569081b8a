//! Loops over slices of numbers, written plainly once and compiled for each instruction set.

use super::Isa;

/// Lanes of partial sums; a fixed number, so that every instruction set adds in the same order.
const LANES: usize = 16;

/// Defines a function that runs `$body` compiled for the best instruction set.
macro_rules! by_isa {
    ($(#[$doc:meta])* $name:ident, $body:ident, ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?) => {
        $(#[$doc])*
        pub(crate) fn $name(isa: Isa, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
                fn avx512($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
                match isa {
                    // SAFETY: `isa` comes from `Isa::available`, which asked the machine.
                    Isa::Avx512 | Isa::Avx512Vnni => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    Isa::Scalar | Isa::Neon => {}
                }
            }
            let _ = isa;
            $body($($arg),*)
        }
    };
}

/// e^x with a relative error below 2e-7; 0 below -87, saturated above 88. NaN gives an unspecified number.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // x = n·ln 2 + r with |r| ≤ ln 2 / 2; the Taylor series of e^r to r^7; 2^n through the exponent bits. Adding and
    // taking away 1.5·2^23 rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    let value = p * f32::from_bits(exponent);
    if x < -87.0 { 0.0 } else { value }
}

/// The error function, absolute error below 3e-7 (Abramowitz and Stegun 7.1.26).
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152;
    p = p * t + 1.421_413_7;
    p = p * t - 0.284_496_74;
    p = p * t + 0.254_829_6;
    (1.0 - p * t * exp(-a * a)).copysign(x)
}

#[inline(always)]
fn gelu_body(x: &mut [f32]) {
    for v in x {
        *v = 0.5 * *v * (1.0 + erf(*v * std::f32::consts::FRAC_1_SQRT_2));
    }
}

by_isa!(
    /// x ← x·Φ(x), the exact GELU.
    gelu, gelu_body, (x: &mut [f32])
);

#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane += f(v);
        }
    }
    for (lane, &v) in lanes.iter_mut().zip(rest) {
        *lane += f(v);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = if v > *lane { v } else { *lane };
        }
    }
    lanes.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
}

#[inline(always)]
fn softmax_body(x: &mut [f32], factor: f32) {
    let top = max(x);
    if top == f32::NEG_INFINITY {
        x.fill(0.0);
        return;
    }
    for v in x.iter_mut() {
        *v = exp((*v - top) * factor);
    }
    let scale = 1.0 / sum(x, |v| v);
    for v in x {
        *v *= scale;
    }
}

by_isa!(
    /// x ← softmax(factor·x) with factor > 0. Where all are -∞ the result is all zeros.
    softmax, softmax_body, (x: &mut [f32], factor: f32)
);

#[inline(always)]
fn layer_norm_body(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let n = x.len() as f32;
    let mean = sum(x, |v| v) / n;
    let variance = sum(x, |v| (v - mean) * (v - mean)) / n;
    let scale = 1.0 / (variance + eps).sqrt();
    for (((o, &v), &w), &b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *o = (v - mean) * scale * w + b;
    }
}

by_isa!(
    /// One row of a layer norm.
    layer_norm, layer_norm_body, (x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32])
);

#[inline(always)]
fn add_body(x: &mut [f32], y: &[f32]) {
    for (a, &b) in x.iter_mut().zip(y) {
        *a += b;
    }
}

by_isa!(
    /// x ← x + y.
    add, add_body, (x: &mut [f32], y: &[f32])
);

#[inline(always)]
fn quantise_body(x: &[f32], top: f32, out: &mut [i16]) -> f32 {
    let largest = largest_body(x);
    // Not a number, infinite or zero: nothing to quantise.
    if !(largest > 0.0 && largest < f32::INFINITY) {
        out.fill(0);
        return if largest == 0.0 { 0.0 } else { f32::NAN };
    }
    let factor = top / largest;
    for (o, &v) in out.iter_mut().zip(x) {
        // Rounds to the nearest whole number: |v·factor| ≤ 32767 fits the mantissa's lowest bits.
        let bits = (v * factor + 12_582_912.0).to_bits();
        *o = bits as i16;
    }
    out[x.len()..].fill(0);
    largest / top
}

by_isa!(
    /// Writes round(x·top/max|x|) and gives the scale that leads back; `out` may be longer and is filled with zeros.
    quantise, quantise_body, (x: &[f32], top: f32, out: &mut [i16]) -> f32
);

/// Rounds to the nearest whole number, for |x| below 2^22.
#[inline(always)]
fn nearest(x: f32) -> f32 {
    (x + 12_582_912.0) - 12_582_912.0
}

#[inline(always)]
fn quantise_groups_body(x: &[f32], values: &mut [i8], scales: &mut [f32], starts: &mut [i32]) {
    const GROUP: usize = crate::matmul::int4::GROUP;
    let parts = values.as_chunks_mut::<GROUP>().0.iter_mut().zip(scales).zip(starts);
    for (g, ((values, scale), start)) in parts.enumerate() {
        let mut part = [0.0f32; GROUP];
        let from = x.get(g * GROUP..).unwrap_or_default();
        match from.first_chunk::<GROUP>() {
            Some(whole) => part = *whole,
            None => part[..from.len()].copy_from_slice(from),
        }
        // The largest as whole numbers: bits of positive floats are ordered, and NaN lies above infinity.
        let mut lanes = [0u32; LANES];
        for half in part.as_chunks::<LANES>().0 {
            for (lane, v) in lanes.iter_mut().zip(half) {
                *lane = (*lane).max(v.to_bits() & 0x7fff_ffff);
            }
        }
        let largest = f32::from_bits(lanes.into_iter().fold(0, u32::max));
        if largest.is_nan() || largest == f32::INFINITY {
            // Not a number in, not a number out: any sum times NaN.
            *values = [0; GROUP];
            (*scale, *start) = (f32::NAN, 0);
            continue;
        }
        let factor = if largest > 1e-30 { 127.0 / largest } else { 0.0 };
        let mut quantised = [0i32; GROUP];
        for (q, v) in quantised.iter_mut().zip(part) {
            // The lowest bits of the sum's mantissa, as in `nearest`.
            *q = ((v * factor + 12_582_912.0).to_bits() as i32).wrapping_sub(0x4b40_0000);
        }
        let mut sums = [0i32; LANES];
        for half in quantised.as_chunks::<LANES>().0 {
            for (sum, q) in sums.iter_mut().zip(half) {
                *sum += q;
            }
        }
        for (value, q) in values.iter_mut().zip(quantised) {
            *value = q as i8;
        }
        (*scale, *start) = (largest / 127.0, -8 * sums.into_iter().sum::<i32>());
    }
}

by_isa!(
    /// Quantises `x` to 8 bits by groups of 32: values, scales, and -8 times each group's sum. Beyond `x` are zeros.
    quantise_groups, quantise_groups_body, (x: &[f32], values: &mut [i8], scales: &mut [f32], starts: &mut [i32])
);

#[inline(always)]
fn largest_body(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = if v.abs() > *lane { v.abs() } else { *lane };
        }
    }
    lanes.into_iter().chain(rest.iter().map(|v| v.abs())).fold(0.0f32, |a, b| if b > a { b } else { a })
}

by_isa!(
    /// max |x|; what is not a number counts as nothing.
    largest, largest_body, (x: &[f32]) -> f32
);

#[inline(always)]
fn quantise8_body(w: &[f32], inverse: f32, out: &mut [i8]) {
    for (q, &v) in out.iter_mut().zip(w) {
        let x = (v * inverse).clamp(-127.0, 127.0);
        // Half away from zero, as `f32::round`; not a number becomes 0.
        *q = (x + 0.499_999_97f32.copysign(x)) as i8;
    }
}

by_isa!(
    /// Writes round(w·inverse), cut to ±127.
    quantise8, quantise8_body, (w: &[f32], inverse: f32, out: &mut [i8])
);

#[inline(always)]
fn quantise4_body(w: &[f32; 32], codes: &mut [u8; 32]) -> u16 {
    let mut extreme = 0.0f32;
    for &v in w {
        extreme = if v.abs() > extreme.abs() { v } else { extreme };
    }
    if !(extreme.abs() > 1e-30 && extreme.abs() < f32::INFINITY) {
        *codes = [8; 32];
        return 0;
    }
    // The extreme weight becomes about -8, the end of the scale that reaches further. Of several ways to place it the one
    // with the least squared error is kept, each with its best scale Σwq / Σq².
    let (mut best, mut most) = (0.0f32, 0.0f32);
    for place in 0..11 {
        let inverse = -(6.4 + 0.25 * place as f32) / extreme;
        let mut both = [0.0f32; 16];
        let mut square = [0.0f32; 16];
        for half in w.as_chunks::<16>().0 {
            for ((b, s), &v) in both.iter_mut().zip(&mut square).zip(half) {
                let q = nearest((v * inverse).clamp(-8.0, 7.0));
                *b += v * q;
                *s += q * q;
            }
        }
        let (both, square): (f32, f32) = (both.iter().sum(), square.iter().sum());
        // The squared error is Σw² - (Σwq)² / Σq².
        if square > 0.0 && both * both > most * square {
            (most, best) = (both * both / square, both / square);
        }
    }
    // To bfloat16, to the nearest.
    let bits = ((best.to_bits() + 0x7fff + (best.to_bits() >> 16 & 1)) >> 16) as u16;
    let scale = f32::from_bits(u32::from(bits) << 16);
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    for (code, &v) in codes.iter_mut().zip(w) {
        *code = (nearest((v * inverse).clamp(-8.0, 7.0)) + 8.0) as u8;
    }
    bits
}

by_isa!(
    /// Quantises a group of weights: their codes, w ≈ scale·(code - 8), and the scale as bfloat16.
    quantise4, quantise4_body, (w: &[f32; 32], codes: &mut [u8; 32]) -> u16
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_standard_librarys() {
        for i in -8600..8700 {
            let x = i as f32 * 0.01;
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            assert!(((got - want) / want).abs() < 3e-7, "exp({x}) = {got}, expected {want}");
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-200.0), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn erf_has_known_values() {
        for (x, want) in [
            (0.0, 0.0),
            (0.1, 0.112_462_916),
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (2.0, 0.995_322_3),
            (-1.0, -0.842_700_8),
            (5.0, 1.0),
        ] {
            assert!((erf(x) - want).abs() < 5e-7, "erf({x}) = {}", erf(x));
        }
    }

    #[test]
    fn weights_are_rounded_as_the_standard_library_does() {
        let w: Vec<f32> = (-2600..2600).map(|i| i as f32 * 0.05).chain([0.499_999_97, -0.5, f32::NAN, 1e30]).collect();
        for isa in Isa::available() {
            let mut got = vec![0; w.len()];
            quantise8(isa, &w, 1.0, &mut got);
            for (g, v) in got.iter().zip(&w) {
                assert_eq!(*g, v.round().clamp(-127.0, 127.0) as i8, "{v}");
            }
        }
    }

    #[test]
    fn every_instruction_set_agrees() {
        let x: Vec<f32> = (0..75).map(|i| ((i * 37 % 75) as f32 - 37.0) * 0.11).collect();
        let ones = vec![1.5; 75];
        for isa in Isa::available() {
            for f in [gelu as fn(Isa, &mut [f32]), |i, x: &mut [f32]| softmax(i, x, 0.3)] {
                let (mut a, mut b) = (x.clone(), x.clone());
                f(Isa::Scalar, &mut a);
                f(isa, &mut b);
                for (a, b) in a.iter().zip(&b) {
                    assert!((a - b).abs() < 2e-6, "{isa:?}: {a} {b}");
                }
            }
            let (mut a, mut b) = (x.clone(), x.clone());
            layer_norm(Isa::Scalar, &x, &ones, &ones, 1e-5, &mut a);
            layer_norm(isa, &x, &ones, &ones, 1e-5, &mut b);
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 2e-6);
            }
            let mut q = vec![7i16; 80];
            let scale = quantise(isa, &x, 32767.0, &mut q);
            for (i, &v) in x.iter().enumerate() {
                assert!((f32::from(q[i]) * scale - v).abs() <= scale * 0.51);
            }
            assert!(q[75..].iter().all(|&v| v == 0));
        }
    }
}
