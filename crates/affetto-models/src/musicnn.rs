//! MusiCNN (Pons & Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio tagging"): what a
//! listener would tag 3 s of sound with, and an embedding of it.
//!
//! Front end: filters as high as a timbre or as long as a rhythm, greatest answer over frequency. Middle: three
//! residual convolutions over time. Back: maximum and mean over time, a dense layer, 50 sigmoids. Convolution
//! weights are `[out, in, time, frequency]`; batch norms (eps 1e-3) come after the ReLU.

mod affine;
mod frontend;

use affetto_audio::{MelSettings, mel};
use affetto_engine::activation::add;
use affetto_engine::{Checkpoint, Linear, PackedMatrix, Precision};

use self::affine::Affine;
use self::frontend::{Bank, REACH};
use crate::{ModelError, parallel};

/// Mel frames in a window: 3 s of 16 ms.
pub const FRAMES: usize = 187;
/// Mel bands of a frame.
pub const BANDS: usize = 96;
/// Frames from one window to the next: 1.5 s.
pub const HOP: usize = 94;
/// Sample rate of the sound it hears, in Hz.
pub const SAMPLE_RATE: u32 = 16_000;
/// Width of [`MusiCnnOutput::penultimate`].
pub const PENULTIMATE: usize = 200;
/// Width of [`MusiCnnOutput::pooled`].
pub const POOLED: usize = 2 * DENSE_WIDTH;

const FRONT_WIDTH: usize = 561;
const MID_WIDTH: usize = 64;
const DENSE_WIDTH: usize = FRONT_WIDTH + 3 * MID_WIDTH;

/// The tags, in the order of [`MusiCnnOutput::tags`].
pub const TAGS: [&str; 50] = [
    "rock",
    "pop",
    "alternative",
    "indie",
    "electronic",
    "female vocalists",
    "dance",
    "00s",
    "alternative rock",
    "jazz",
    "beautiful",
    "metal",
    "chillout",
    "male vocalists",
    "classic rock",
    "soul",
    "indie rock",
    "Mellow",
    "electronica",
    "80s",
    "folk",
    "90s",
    "chill",
    "instrumental",
    "punk",
    "oldies",
    "blues",
    "hard rock",
    "ambient",
    "acoustic",
    "experimental",
    "female vocalist",
    "guitar",
    "Hip-Hop",
    "70s",
    "party",
    "country",
    "easy listening",
    "sexy",
    "catchy",
    "funk",
    "electro",
    "heavy metal",
    "Progressive rock",
    "60s",
    "rnb",
    "indie pop",
    "sad",
    "House",
    "happy",
];

/// What MusiCNN says of one window, or the mean over several.
#[derive(Clone, Debug, PartialEq)]
pub struct MusiCnnOutput {
    /// Probability of each of [`TAGS`], `[50]`.
    pub tags: Vec<f32>,
    /// The dense layer under the tags, `[200]`.
    pub penultimate: Vec<f32>,
    /// Maximum and mean over time of all 753 channels of front end and middle, interleaved (max₀, mean₀, max₁, …),
    /// `[1506]`.
    pub pooled: Vec<f32>,
}

impl MusiCnnOutput {
    /// The mean of several windows' answers, or `None` for no windows.
    pub fn mean(outputs: &[MusiCnnOutput]) -> Option<MusiCnnOutput> {
        let mut mean = outputs.first()?.clone();
        let count = outputs.len() as f32;
        let average = |field: fn(&MusiCnnOutput) -> &Vec<f32>, into: &mut Vec<f32>| {
            for (i, x) in into.iter_mut().enumerate() {
                *x = outputs.iter().map(|o| field(o)[i]).sum::<f32>() / count;
            }
        };
        average(|o| &o.tags, &mut mean.tags);
        average(|o| &o.penultimate, &mut mean.penultimate);
        average(|o| &o.pooled, &mut mean.pooled);
        Some(mean)
    }
}

/// The network with its weights packed.
pub struct MusiCnn {
    input: Affine,
    timbral: [Bank; 2],
    temporal: [Bank; 3],
    middle: [(Linear, Affine); 3],
    pool_norm: Affine,
    dense: Linear,
    dense_norm: Affine,
    output: Linear,
}

impl MusiCnn {
    /// Reads the tensors of `assets/musicnn/musicnn.safetensors`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where a tensor is missing or has another shape.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let bank = |name, channels, time, bands| Bank::load(checkpoint, name, channels, time, bands);
        let middle = |i: usize, width: usize| -> Result<_, ModelError> {
            let name = format!("midend.{i}");
            let weight = checkpoint.tensor_f32(&format!("{name}.conv.weight"), &[MID_WIDTH, 1, 7, width])?;
            let bias = checkpoint.tensor_f32(&format!("{name}.conv.bias"), &[MID_WIDTH])?;
            let norm = Affine::batch_norm(checkpoint, &format!("{name}.bn"), MID_WIDTH)?;
            let weight = PackedMatrix::pack(&weight, MID_WIDTH, 7 * width, Precision::F32)?;
            Ok((Linear::new(weight, Some(bias))?, norm))
        };
        let dense = |name: &str, out, inputs| {
            Linear::load(checkpoint, &format!("backend.{name}"), out, inputs, true, Precision::F32)
        };
        Ok(MusiCnn {
            input: Affine::batch_norm(checkpoint, "input_bn", 1)?,
            timbral: [bank("timbral_38", 204, 7, 38)?, bank("timbral_67", 204, 7, 67)?],
            temporal: [
                bank("temporal_128", 51, 128, 1)?,
                bank("temporal_64", 51, 64, 1)?,
                bank("temporal_32", 51, 32, 1)?,
            ],
            middle: [middle(0, FRONT_WIDTH)?, middle(1, MID_WIDTH)?, middle(2, MID_WIDTH)?],
            pool_norm: Affine::folded(checkpoint, "backend.pool_bn", POOLED)?,
            dense: dense("dense", PENULTIMATE, POOLED)?,
            dense_norm: Affine::folded(checkpoint, "backend.dense_bn", PENULTIMATE)?,
            output: dense("output", TAGS.len(), PENULTIMATE)?,
        })
    }

    /// One window: a log-mel picture `[187, 96]`, row-major, as [`affetto_audio::mel()`] makes it.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another size.
    pub fn forward(&self, mel: &[f32]) -> Result<MusiCnnOutput, ModelError> {
        if mel.len() != FRAMES * BANDS {
            return Err(ModelError::Input {
                what: "MusiCNN's window",
                expected: format!("{FRAMES} × {BANDS} numbers"),
                found: format!("{} numbers", mel.len()),
            });
        }
        let mut outputs = self.windows(mel)?;
        Ok(outputs.remove(0))
    }

    /// Every full window of a log-mel picture `[frames, 96]`, one each [`HOP`] frames. A picture shorter than one
    /// window is continued with silence. On the engine's threads; the answer does not depend on how many.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the picture is empty or not a whole number of frames.
    pub fn windows(&self, mel: &[f32]) -> Result<Vec<MusiCnnOutput>, ModelError> {
        if mel.is_empty() || !mel.len().is_multiple_of(BANDS) {
            return Err(ModelError::Input {
                what: "MusiCNN's mel picture",
                expected: format!("one frame or more of {BANDS} bands"),
                found: format!("{} numbers", mel.len()),
            });
        }
        let mut x = mel.to_vec();
        x.resize(x.len().max(FRAMES * BANDS), 0.0);
        let (scale, shift) = (self.input.scale[0], self.input.shift[0]);
        x.iter_mut().for_each(|x| *x = *x * scale + shift);
        let frames = x.len() / BANDS;
        let count = (frames - FRAMES) / HOP + 1;

        // Overlapping windows share what the timbral filters say away from the windows' edges.
        let starts: Vec<usize> = (0..(count - 1) * HOP + FRAMES - 2 * REACH).collect();
        let shared = self.timbral.each_ref().map(|bank| {
            let parts: Vec<&[usize]> = starts.chunks(32).collect();
            parallel::map(parts.len(), |i| bank.timbral(&x, parts[i])).concat()
        });
        Ok(parallel::map(count, |i| {
            let window = &x[i * HOP * BANDS..][..FRAMES * BANDS];
            self.window(window, [0, 1].map(|k| &shared[k][i * HOP * self.timbral[k].channels()..]))
        }))
    }

    /// Every window of a sound: mono samples at 16 kHz. See [`MusiCnn::windows`].
    ///
    /// # Errors
    /// As [`MusiCnn::windows`].
    pub fn features(&self, samples: &[f32]) -> Result<Vec<MusiCnnOutput>, ModelError> {
        self.windows(&mel(samples, &MelSettings::default()))
    }

    /// One normalised window, given the timbral answers from its frame 3 on.
    fn window(&self, x: &[f32], shared: [&[f32]; 2]) -> MusiCnnOutput {
        let mut front = vec![0.0; FRAMES * FRONT_WIDTH];
        // Filters at the edges read zeros: first and last frames of the window, framed by them.
        let mut edges = vec![0.0; 6 * REACH * BANDS];
        let half = 2 * REACH * BANDS;
        edges[REACH * BANDS..][..half].copy_from_slice(&x[..half]);
        edges[3 * REACH * BANDS..][..half].copy_from_slice(&x[x.len() - half..]);
        let starts: Vec<usize> = (0..REACH).chain(3 * REACH..4 * REACH).collect();
        let mut column = 0;
        for (bank, shared) in self.timbral.iter().zip(shared) {
            let n = bank.channels();
            let edge = bank.timbral(&edges, &starts);
            let (first, last) = edge.split_at(REACH * n);
            let rows = first.chunks_exact(n).chain(shared.chunks_exact(n).take(FRAMES - 2 * REACH));
            for (t, row) in rows.chain(last.chunks_exact(n)).enumerate() {
                front[t * FRONT_WIDTH + column..][..n].copy_from_slice(row);
            }
            column += n;
        }
        for bank in &self.temporal {
            let n = bank.channels();
            for (t, row) in bank.temporal(x).chunks_exact(n).enumerate() {
                front[t * FRONT_WIDTH + column..][..n].copy_from_slice(row);
            }
            column += n;
        }
        let [a, b, c] = &self.middle;
        let a = convolve(&front, FRONT_WIDTH, a);
        let mut b = convolve(&a, MID_WIDTH, b);
        add(&mut b, &a);
        let mut c = convolve(&b, MID_WIDTH, c);
        add(&mut c, &b);

        let mut pooled = Vec::with_capacity(POOLED);
        for (rows, width) in [(&front, FRONT_WIDTH), (&a, MID_WIDTH), (&b, MID_WIDTH), (&c, MID_WIDTH)] {
            pool(rows, width, &mut pooled);
        }
        let mut normal = pooled.clone();
        self.pool_norm.apply(&mut normal);
        let mut penultimate = self.dense.forward(&normal, 1);
        penultimate.iter_mut().for_each(|x| *x = x.max(0.0));
        self.dense_norm.apply(&mut penultimate);
        let mut tags = self.output.forward(&penultimate, 1);
        tags.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
        MusiCnnOutput { tags, penultimate, pooled }
    }
}

/// Convolution of 7 frames over `rows [187, width]`, zeros around it, then ReLU and batch norm: `[187, 64]`.
fn convolve(rows: &[f32], width: usize, (weight, norm): &(Linear, Affine)) -> Vec<f32> {
    let mut padded = vec![0.0; rows.len() + 2 * REACH * width];
    padded[REACH * width..][..rows.len()].copy_from_slice(rows);
    let mut patches = Vec::with_capacity(FRAMES * 7 * width);
    for t in 0..FRAMES {
        patches.extend_from_slice(&padded[t * width..][..7 * width]);
    }
    let mut out = weight.forward(&patches, FRAMES);
    out.iter_mut().for_each(|x| *x = x.max(0.0));
    norm.apply(&mut out);
    out
}

/// Appends maximum and mean over time of each column of `rows [187, width]`, interleaved.
fn pool(rows: &[f32], width: usize, pooled: &mut Vec<f32>) {
    let mut greatest = vec![f32::NEG_INFINITY; width];
    let mut sum = vec![0.0f32; width];
    for row in rows.chunks_exact(width) {
        for ((g, s), &x) in greatest.iter_mut().zip(&mut sum).zip(row) {
            *g = if x > *g { x } else { *g };
            *s += x;
        }
    }
    pooled.extend(greatest.iter().zip(&sum).flat_map(|(&g, &s)| [g, s / FRAMES as f32]));
}
