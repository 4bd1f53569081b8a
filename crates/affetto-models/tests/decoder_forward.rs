//! The decoder against a plain forward pass in double precision, written here from the equations.

mod common;

use std::sync::Arc;

use affetto_engine::Precision;
use affetto_models::decoder::{Answers, DecoderConfig, DecoderLm, Lane, Scratch};
use common::{Numbers, Tensors, checkpoint, tensors, tiny};

struct Plain<'a> {
    config: &'a DecoderConfig,
    tensors: &'a Tensors,
}

type Rows = Vec<Vec<f64>>;

impl Plain<'_> {
    fn get(&self, name: &str) -> Vec<f64> {
        self.tensors[name].1.iter().map(|&v| f64::from(v)).collect()
    }

    fn linear(&self, name: &str, x: &Rows) -> Rows {
        let w = self.get(&format!("{name}.weight"));
        x.iter().map(|x| w.chunks_exact(x.len()).map(|w| w.iter().zip(x).map(|(a, b)| a * b).sum()).collect()).collect()
    }

    fn norm(&self, name: &str, x: &Rows) -> Rows {
        let (w, b) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        x.iter()
            .map(|x| {
                let mean = x.iter().sum::<f64>() / x.len() as f64;
                let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
                let s = (variance + 1e-5).sqrt();
                (0..x.len()).map(|i| (x[i] - mean) / s * w[i] + b[i]).collect()
            })
            .collect()
    }

    /// Attention of `x` to `to`; `sees(i, j)` says whether row i of `x` sees row j of `to`.
    fn attention(&self, name: &str, x: &Rows, to: &Rows, sees: impl Fn(usize, usize) -> bool) -> Rows {
        let q = self.linear(&format!("{name}.q_proj"), x);
        let k = self.linear(&format!("{name}.k_proj"), to);
        let v = self.linear(&format!("{name}.v_proj"), to);
        let heads = self.config.num_attention_heads;
        let width = self.config.hidden_size / heads;
        let mixed = (0..x.len())
            .map(|i| {
                let mut out = vec![0.0; heads * width];
                for h in 0..heads {
                    let part = h * width..(h + 1) * width;
                    let seen: Vec<usize> = (0..to.len()).filter(|&j| sees(i, j)).collect();
                    let e: Vec<f64> = seen
                        .iter()
                        .map(|&j| {
                            let dot: f64 = part.clone().map(|c| q[i][c] * k[j][c]).sum();
                            (dot / (width as f64).sqrt()).exp()
                        })
                        .collect();
                    let total: f64 = e.iter().sum();
                    for (&j, e) in seen.iter().zip(&e) {
                        for c in part.clone() {
                            out[c] += e / total * v[j][c];
                        }
                    }
                }
                out
            })
            .collect();
        self.linear(&format!("{name}.out_proj"), &mixed)
    }

    /// Logits of all steps; conditions are condition tokens that are all present, or none.
    fn logits(&self, codes: &[u32], conditions: &Rows) -> Rows {
        let (d, streams) = (self.config.hidden_size, self.config.streams());
        let mut x: Rows = codes
            .chunks_exact(streams)
            .enumerate()
            .map(|(p, codes)| {
                let mut x: Vec<f64> = (0..d)
                    .map(|i| {
                        let half = d / 2;
                        let angle = p as f64 / 10_000f64.powf((i % half) as f64 / (half - 1) as f64);
                        if i < half { angle.cos() } else { angle.sin() }
                    })
                    .collect();
                for (k, &code) in codes.iter().enumerate() {
                    let table = self.get(&format!("decoder.embed_tokens.{k}.weight"));
                    x.iter_mut().zip(&table[code as usize * d..]).for_each(|(x, e)| *x += e);
                }
                x
            })
            .collect();
        let add =
            |x: &mut Rows, y: Rows| x.iter_mut().flatten().zip(y.into_iter().flatten()).for_each(|(a, b)| *a += b);
        for i in 0..self.config.num_hidden_layers {
            let name = |part: &str| format!("decoder.layers.{i}.{part}");
            let h = self.norm(&name("self_attn_layer_norm"), &x);
            add(&mut x, self.attention(&name("self_attn"), &h, &h, |i, j| j <= i));
            if !conditions.is_empty() {
                let h = self.norm(&name("encoder_attn_layer_norm"), &x);
                add(&mut x, self.attention(&name("encoder_attn"), &h, conditions, |_, _| true));
            }
            let h = self.norm(&name("final_layer_norm"), &x);
            let mut wide = self.linear(&name("fc1"), &h);
            for v in wide.iter_mut().flatten() {
                *v *= 0.5 * (1.0 + erf(*v / 2f64.sqrt()));
            }
            add(&mut x, self.linear(&name("fc2"), &wide));
        }
        let h = self.norm("decoder.layer_norm", &x);
        let mut out: Rows = vec![Vec::new(); h.len()];
        for k in 0..streams {
            for (out, part) in out.iter_mut().zip(self.linear(&format!("lm_heads.{k}"), &h)) {
                out.extend(part);
            }
        }
        out
    }
}

/// erf by its power series, good for the small arguments here.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / n as f64;
        sum += term / (2 * n + 1) as f64;
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn codes(config: &DecoderConfig, steps: usize, seed: u64) -> Vec<u32> {
    let mut numbers = Numbers::new(seed);
    let mut codes = config.special();
    for _ in 1..steps {
        codes.extend(config.vocab_sizes.iter().map(|&v| numbers.below(v + 1) as u32));
    }
    codes
}

fn close(got: &[f32], want: &Rows, tolerance: f64) {
    let want: Vec<f64> = want.iter().flatten().copied().collect();
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(&want).enumerate() {
        assert!((f64::from(*g) - w).abs() < tolerance, "number {i}: {g}, expected {w}");
    }
}

#[test]
fn a_whole_sequence_agrees_with_the_plain_pass() {
    let config = tiny();
    let tensors = tensors(&config, 1);
    let plain = Plain { config: &config, tensors: &tensors };
    let checkpoint = checkpoint(&tensors, "some.prefix.");
    let codes = codes(&config, 16, 2);
    let tokens = Numbers::new(3).vec(4 * 12, 1.0);
    let conditions: Rows = tokens.chunks_exact(12).map(|t| t.iter().map(|&v| f64::from(v)).collect()).collect();
    for (precision, tolerance) in [(Precision::F32, 2e-5), (Precision::Bf16, 0.25), (Precision::Int8, 0.35)] {
        let lm = DecoderLm::load(&checkpoint, &config, precision, "some.prefix.").unwrap();
        close(lm.logits(&codes, None).unwrap().data(), &plain.logits(&codes, &Vec::new()), tolerance);

        let all = Arc::new(lm.cross(&tokens, &[]).unwrap());
        close(lm.logits(&codes, Some(all)).unwrap().data(), &plain.logits(&codes, &conditions), tolerance);

        let some = Arc::new(lm.cross(&tokens, &[true, false, false, true]).unwrap());
        assert_eq!(some.len(), 2);
        let two = vec![conditions[0].clone(), conditions[3].clone()];
        close(lm.logits(&codes, Some(some)).unwrap().data(), &plain.logits(&codes, &two), tolerance);

        let none = Arc::new(lm.cross(&tokens, &[false; 4]).unwrap());
        assert_eq!(lm.logits(&codes, Some(none)).unwrap(), lm.logits(&codes, None).unwrap());
    }
}

#[test]
fn at_once_in_parts_and_step_by_step_give_the_same_bits() {
    let config = tiny();
    let tensors = tensors(&config, 4);
    let codes = codes(&config, 16, 5);
    let tokens = Numbers::new(6).vec(3 * 12, 1.0);
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let lm = DecoderLm::load(&checkpoint(&tensors, ""), &config, precision, "").unwrap();
        let cross = Some(Arc::new(lm.cross(&tokens, &[]).unwrap()));
        let whole = lm.logits(&codes, cross.clone()).unwrap();
        let without = lm.logits(&codes, None).unwrap();
        assert_ne!(whole, without);
        for parts in [vec![1; 16], vec![5, 1, 10], vec![15, 1]] {
            let (mut given, mut null) = (Lane::new(&lm), Lane::new(&lm));
            given.set_cross(cross.clone());
            let mut at = 0;
            for count in parts {
                let part = codes[at * 3..(at + count) * 3].repeat(2);
                let logits = lm
                    .forward(&mut [&mut given, &mut null], &part, count, Answers::All, &mut Scratch::default())
                    .unwrap();
                for i in 0..count {
                    assert_eq!(logits.line(i), whole.line(at + i), "{precision:?} step {}", at + i);
                    assert_eq!(logits.line(count + i), without.line(at + i));
                }
                at += count;
            }
        }
    }
}

#[test]
fn conditions_may_change_at_any_step() {
    let config = tiny();
    let lm = DecoderLm::load(&checkpoint(&tensors(&config, 7), ""), &config, Precision::F32, "").unwrap();
    let codes = codes(&config, 6, 8);
    let cross = |seed| Some(Arc::new(lm.cross(&Numbers::new(seed).vec(24, 1.0), &[]).unwrap()));
    let run = |second: u64| {
        let mut lane = Lane::new(&lm);
        let mut scratch = Scratch::default();
        lane.set_cross(cross(1));
        lm.forward(&mut [&mut lane], &codes[..12], 4, Answers::None, &mut scratch).unwrap();
        lane.set_cross(cross(second));
        lm.forward(&mut [&mut lane], &codes[12..], 2, Answers::Last, &mut scratch).unwrap()
    };
    assert_eq!(run(1).line(0), lm.logits(&codes, cross(1)).unwrap().line(5));
    assert_ne!(run(2).line(0), run(1).line(0));
    assert_ne!(run(2).line(0), lm.logits(&codes, cross(2)).unwrap().line(5));
}

#[test]
fn lanes_of_different_lengths_share_a_step() {
    let config = tiny();
    let lm = DecoderLm::load(&checkpoint(&tensors(&config, 9), ""), &config, Precision::F32, "").unwrap();
    let codes = codes(&config, 8, 10);
    let (mut a, mut b) = (Lane::new(&lm), Lane::new(&lm));
    let mut scratch = Scratch::default();
    lm.forward(&mut [&mut a], &codes[..21], 7, Answers::None, &mut scratch).unwrap();
    lm.forward(&mut [&mut b], &codes[..6], 2, Answers::None, &mut scratch).unwrap();
    let both = [&codes[21..24], &codes[6..9]].concat();
    let logits = lm.forward(&mut [&mut a, &mut b], &both, 1, Answers::Last, &mut scratch).unwrap();
    let whole = lm.logits(&codes, None).unwrap();
    assert_eq!(logits.line(0), whole.line(7));
    assert_eq!(logits.line(1), whole.line(2));
    assert_eq!((a.len(), b.len()), (8, 3));
}

#[test]
fn wrong_inputs_are_errors_and_change_nothing() {
    let config = tiny();
    let checkpoint = checkpoint(&tensors(&config, 11), "");
    let lm = DecoderLm::load(&checkpoint, &config, Precision::F32, "").unwrap();
    let mut lane = Lane::new(&lm);
    let mut scratch = Scratch::default();
    for bad in [vec![0, 0], vec![6, 0, 0], vec![0, 0, u32::MAX]] {
        assert!(lm.forward(&mut [&mut lane], &bad, 1, Answers::Last, &mut scratch).is_err());
        assert!(lane.is_empty());
    }
    assert!(lm.forward(&mut [&mut lane], &[0; 51], 17, Answers::Last, &mut scratch).is_err());
    assert!(lm.cross(&[0.0; 13], &[]).is_err());
    assert!(lm.cross(&[0.0; 24], &[true]).is_err());
    let change = |f: fn(&mut DecoderConfig)| {
        let mut other = config.clone();
        f(&mut other);
        DecoderLm::load(&checkpoint, &other, Precision::F32, "").err().map(|e| e.to_string())
    };
    assert!(change(|c| c.num_attention_heads = 5).unwrap().contains("hidden_size"));
    assert!(change(|c| c.delays = vec![0]).unwrap().contains("delays"));
    assert!(change(|c| c.max_window = 3).unwrap().contains("max_window"));
    assert!(change(|c| c.vocab_sizes[1] = 8).unwrap().contains("embed_tokens.1"));
    assert!(change(|c| c.num_hidden_layers = usize::MAX).unwrap().contains("num_hidden_layers"));
    assert!(change(|_| ()).is_none());
}
