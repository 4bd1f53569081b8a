//! The LSTM between convolutions and codes.

use affetto_engine::Linear;

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
            for i in 0..d {
                let gate = |g: usize| gates[g * d + i] + given[g * d + i];
                let cell = sigmoid(gate(1)) * state.cell[i] + sigmoid(gate(0)) * gate(2).tanh();
                state.cell[i] = cell;
                y[i] = sigmoid(gate(3)) * cell.tanh();
            }
            state.hidden.copy_from_slice(y);
        }
    }
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
    y
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
