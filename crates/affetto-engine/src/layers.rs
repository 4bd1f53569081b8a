//! Linear, layer norm and embedding layers.

use crate::checkpoint::{Checkpoint, StoredTensor};
use crate::error::{EngineError, expect_size};
use crate::kernels::{Isa, elementwise};
use crate::matmul::{PackedMatrix, Precision, linear};

/// y = x·Wᵀ + b.
pub struct Linear {
    weight: PackedMatrix,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// From a packed matrix and a bias of `[out]`.
    pub fn new(weight: PackedMatrix, bias: Option<Vec<f32>>) -> Result<Self, EngineError> {
        if let Some(bias) = &bias {
            expect_size("numbers in a bias", weight.outputs(), bias.len())?;
        }
        Ok(Linear { weight, bias })
    }

    /// Reads `<name>.weight` `[outputs, inputs]` and, if `bias`, `<name>.bias` `[outputs]`.
    pub fn load(
        checkpoint: &Checkpoint,
        name: &str,
        outputs: usize,
        inputs: usize,
        bias: bool,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        let weight = PackedMatrix::load(checkpoint, &format!("{name}.weight"), outputs, inputs, precision)?;
        let bias = bias.then(|| checkpoint.tensor_f32(&format!("{name}.bias"), &[outputs])).transpose()?;
        Linear::new(weight, bias)
    }

    /// Reads several tensors `(name, outputs)` over the same inputs as one layer without bias, their outputs side by
    /// side. The names are whole (with `.weight`).
    pub fn load_joined(
        checkpoint: &Checkpoint,
        parts: &[(impl AsRef<str>, usize)],
        inputs: usize,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        Linear::new(PackedMatrix::load_joined(checkpoint, parts, inputs, precision)?, None)
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        self.weight.outputs()
    }

    /// Inputs.
    pub fn inputs(&self) -> usize {
        self.weight.inputs()
    }

    /// How the weights are held.
    pub fn precision(&self) -> Precision {
        self.weight.precision()
    }

    /// Bytes of the weights in memory.
    pub fn bytes(&self) -> usize {
        self.weight.bytes()
    }

    /// `x` `[rows, in]` → `out` `[rows, out]`.
    ///
    /// # Panics
    /// When the slices have other sizes.
    pub fn apply(&self, x: &[f32], rows: usize, out: &mut [f32]) {
        linear(x, rows, &self.weight, self.bias.as_deref(), out);
    }

    /// As [`apply`](Self::apply) into a new vector.
    pub fn forward(&self, x: &[f32], rows: usize) -> Vec<f32> {
        let mut out = vec![0.0; rows * self.outputs()];
        self.apply(x, rows, &mut out);
        out
    }
}

/// (x - mean) / √(variance + ε) · w + b over the last dimension.
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    /// From weights and biases of the same length.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, eps: f32) -> Result<Self, EngineError> {
        expect_size("numbers in a layer norm's bias", weight.len(), bias.len())?;
        Ok(LayerNorm { weight, bias, eps })
    }

    /// Reads `<name>.weight` and `<name>.bias`, both `[size]`.
    pub fn load(checkpoint: &Checkpoint, name: &str, size: usize, eps: f32) -> Result<Self, EngineError> {
        LayerNorm::new(
            checkpoint.tensor_f32(&format!("{name}.weight"), &[size])?,
            checkpoint.tensor_f32(&format!("{name}.bias"), &[size])?,
            eps,
        )
    }

    /// Normalises every row of `x` into `out`.
    ///
    /// # Panics
    /// When the slices are not the same number of whole rows.
    pub fn apply(&self, x: &[f32], out: &mut [f32]) {
        let n = self.weight.len();
        assert!(x.len() == out.len() && x.len().is_multiple_of(n));
        for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            elementwise::layer_norm(Isa::best(), x, &self.weight, &self.bias, self.eps, out);
        }
    }
}

/// Rows looked up by number, read from the stored tensor one by one: a float16 or int8 table stays as it is.
pub struct Embedding {
    table: StoredTensor,
}

impl Embedding {
    /// Reads tensor `name` of shape `[rows, width]`.
    pub fn load(checkpoint: &Checkpoint, name: &str, rows: usize, width: usize) -> Result<Self, EngineError> {
        Ok(Embedding { table: checkpoint.stored_shaped(name, &[rows, width])? })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.table.shape()[0]
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.table.shape()[1]
    }

    /// Writes row `row` into `out`.
    ///
    /// # Errors
    /// When there is no such row or `out` has another width.
    pub fn get(&self, row: usize, out: &mut [f32]) -> Result<(), EngineError> {
        expect_size("width of an embedding", self.width(), out.len())?;
        if row >= self.rows() {
            return Err(EngineError::Invalid {
                what: "embedding row",
                reason: format!("{row}, expected below {}", self.rows()),
            });
        }
        self.table.row_f32(row, out);
        Ok(())
    }
}
