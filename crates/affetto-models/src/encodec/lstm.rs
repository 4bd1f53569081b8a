//! The LSTM between convolutions and codes.

use affetto_engine::Linear;

use super::conv::exp;

/// One layer: gates in the order input, forget, cell, output.
pub(super) struct LstmLayer {
    /// Inputs to gates, with the sum of both biases.
    pub input: Linear,
    /// Hidden state to gates.
    pub hidden: Linear,
}

/// What a layer remembers.
#[derive(Clone)]
pub(super) struct LstmState {
    hidden: Vec<f32>,
    cell: Vec<f32>,
}

/// Zeros for every layer.
pub(super) fn start(layers: &[LstmLayer]) -> Vec<LstmState> {
    let zeros = |layer: &LstmLayer| vec![0.0; layer.hidden.inputs()];
    layers.iter().map(|layer| LstmState { hidden: zeros(layer), cell: zeros(layer) }).collect()
}

/// x + LSTM(x) for further steps `[steps, d]`.
pub(super) fn apply(layers: &[LstmLayer], states: &mut [LstmState], x: &[f32]) -> Vec<f32> {
    let mut y = x.to_vec();
    for (layer, state) in layers.iter().zip(states) {
        let d = layer.hidden.inputs();
        let steps = y.len() / d;
        let given = layer.input.forward(&y, steps);
        let mut gates = vec![0.0; 4 * d];
        for (y, given) in y.chunks_exact_mut(d).zip(given.chunks_exact(4 * d)) {
            layer.hidden.apply(&state.hidden, 1, &mut gates);
            gates.iter_mut().zip(given).for_each(|(gate, given)| *gate += given);
            let (input, rest) = gates.split_at(d);
            let (forget, rest) = rest.split_at(d);
            let (fresh, output) = rest.split_at(d);
            let gates = input.iter().zip(forget).zip(fresh.iter().zip(output));
            for ((y, cell), ((input, forget), (fresh, output))) in y.iter_mut().zip(&mut state.cell).zip(gates) {
                *cell = sigmoid(*forget) * *cell + sigmoid(*input) * tanh(*fresh);
                *y = sigmoid(*output) * tanh(*cell);
            }
            state.hidden.copy_from_slice(y);
        }
    }
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
    y
}

/// 1 / (1 + e⁻ˣ).
#[inline]
fn sigmoid(x: f32) -> f32 {
    let small = exp(-x.abs());
    (if x < 0.0 { small } else { 1.0 }) / (1.0 + small)
}

/// The hyperbolic tangent; absolute error below 3e-7.
#[inline]
fn tanh(x: f32) -> f32 {
    let small = exp(-2.0 * x.abs());
    ((1.0 - small) / (1.0 + small)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_what_they_are_called() {
        for x in (-300..=300).map(|i| i as f32 * 0.07) {
            assert!((tanh(x) - x.tanh()).abs() < 5e-7, "{x}");
            assert!((sigmoid(x) - 1.0 / (1.0 + (-x).exp())).abs() < 5e-7, "{x}");
        }
    }
}
