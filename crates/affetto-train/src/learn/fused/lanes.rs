//! Loops that the compiler turns into vector instructions.

/// Defines functions that are compiled for each instruction set and run with the best the machine has.
macro_rules! vectorised {
    ($(fn $name:ident<'a>($($arg:ident: $kind:ty),* $(,)?) $body:block)*) => {$(
        fn $name<'a>($($arg: $kind),*) {
            struct Task<'a> {
                $($arg: $kind,)*
                life: std::marker::PhantomData<&'a ()>,
            }
            impl<'a> pulp::WithSimd for Task<'a> {
                type Output = ();

                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _simd: S) {
                    let Task { $($arg,)* life: _ } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Task { $($arg,)* life: std::marker::PhantomData })
        }
    )*};
}

/// Lanes of a reduction: wide enough for one 512-bit register.
const LANES: usize = 16;

/// e^x by Cody–Waite reduction and a polynomial of degree 6; relative error below 3e-7, and free of
/// branches so that it vectorises.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(exponent)
}

/// The sum of `value` over the elements of slices of one length.
#[inline(always)]
pub(super) fn sum_of<const N: usize>(inputs: [&[f32]; N], value: impl Fn([f32; N]) -> f32) -> f32 {
    let n = inputs[0].len();
    let mut lanes = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for from in (0..whole).step_by(LANES) {
        let block: [&[f32; LANES]; N] = inputs.map(|x| x[from..from + LANES].try_into().expect("as long as cut"));
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane += value(block.map(|x| x[i]));
        }
    }
    lanes.iter().sum::<f32>() + (whole..n).map(|i| value(inputs.map(|x| x[i]))).sum::<f32>()
}

/// The greatest `value` over the elements of slices of one length.
#[inline(always)]
pub(super) fn max_of<const N: usize>(inputs: [&[f32]; N], value: impl Fn([f32; N]) -> f32) -> f32 {
    let n = inputs[0].len();
    let mut lanes = [f32::MIN; LANES];
    let whole = n / LANES * LANES;
    for from in (0..whole).step_by(LANES) {
        let block: [&[f32; LANES]; N] = inputs.map(|x| x[from..from + LANES].try_into().expect("as long as cut"));
        for (i, lane) in lanes.iter_mut().enumerate() {
            let value = value(block.map(|x| x[i]));
            *lane = if value > *lane { value } else { *lane };
        }
    }
    (whole..n).map(|i| value(inputs.map(|x| x[i]))).chain(lanes).fold(f32::MIN, f32::max)
}

pub(super) use vectorised;
