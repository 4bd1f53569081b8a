//! Weights from a checkpoint: used where they lie when they are stored as the kernels read them, else repacked.

use super::lines::Lines;
use super::{MAX_INT8_INPUTS, Packed, PackedMatrix, Precision, int4, store};
use crate::checkpoint::stretch::Stretch;
use crate::checkpoint::{Checkpoint, Stored, StoredTensor};
use crate::error::EngineError;
use crate::kernels::{Int8Line, PANEL};

impl PackedMatrix {
    /// Reads tensor `name` of shape `[outputs, inputs]`. Weights stored as int8 keep their own scales for
    /// [`Precision::Int8`]; those stored as panels are used where they lie.
    pub fn load(
        checkpoint: &Checkpoint,
        name: &str,
        outputs: usize,
        inputs: usize,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        Self::load_joined(checkpoint, &[(name, outputs)], inputs, precision)
    }

    /// Reads several tensors `(name, outputs)` over the same inputs as one matrix, their outputs one after another.
    pub fn load_joined(
        checkpoint: &Checkpoint,
        parts: &[(impl AsRef<str>, usize)],
        inputs: usize,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        let outputs = parts.iter().map(|part| part.1).sum();
        if precision == Precision::Int4 {
            let stored = |(name, outputs): &(_, usize)| int4_panels(checkpoint, AsRef::as_ref(name), *outputs, inputs);
            if let Some(stored) = parts.iter().map(stored).collect::<Result<Option<Vec<_>>, _>>()? {
                let packed = Packed::Int4(Lines::stored(stored));
                return Ok(PackedMatrix { outputs, inputs, lines: int4::lines(inputs), packed });
            }
        }
        if precision == Precision::Int8 {
            let stored = |(name, outputs): &(_, usize)| int8_panels(checkpoint, AsRef::as_ref(name), *outputs, inputs);
            if let Some(stored) = parts.iter().map(stored).collect::<Result<Option<Vec<_>>, _>>()? {
                let (stretches, scales): (Vec<_>, Vec<_>) = stored.into_iter().unzip();
                return Ok(Self::of_int8_panels(outputs, inputs, stretches, scales.concat()));
            }
        }
        let mut rows = Rows { values: Vec::new(), floats: Vec::new(), scale: Vec::new() };
        let int8 = precision == Precision::Int8
            && parts.iter().all(|(name, _)| checkpoint.stored(name.as_ref()).is_ok_and(|t| t.stored() == Stored::I8));
        for (name, outputs) in parts {
            let name = name.as_ref();
            if let Some((panels, scale)) = int8_panels(checkpoint, name, *outputs, inputs)? {
                rows.panels(panels.bytes(), &scale, inputs);
                continue;
            }
            let tensor = checkpoint.stored_shaped(name, &[*outputs, inputs])?;
            rows.tensor(&tensor, int8);
            tensor.release();
        }
        match int8 {
            true => Self::pack_int8(outputs, inputs, rows.scale, &rows.values),
            false => Self::pack(&rows.floats, outputs, inputs, precision),
        }
    }

    fn of_int8_panels(outputs: usize, inputs: usize, stretches: Vec<Stretch>, scale: Vec<f32>) -> Self {
        let mut lines = Lines::<Int8Line>::stored(stretches);
        // -128 would break the bound on the sums; it is no value of a symmetric quantisation.
        let low = |line: &Int8Line| line.0.iter().fold(false, |low, &v| low | (v == i8::MIN));
        if lines.as_slice().iter().any(low) {
            let cut = |line: &Int8Line| Int8Line(line.0.map(|v| v.max(-127)));
            lines = lines.as_slice().iter().map(cut).collect::<Vec<_>>().into();
        }
        PackedMatrix { outputs, inputs, lines: inputs / 4, packed: Packed::Int8 { lines, scale } }
    }

    pub(super) fn pack_int8(outputs: usize, inputs: usize, scale: Vec<f32>, rows: &[i8]) -> Result<Self, EngineError> {
        if inputs > MAX_INT8_INPUTS {
            return Err(EngineError::Invalid {
                what: "int8 weights",
                reason: format!("{inputs} inputs, expected at most {MAX_INT8_INPUTS}; use bf16"),
            });
        }
        let lines = store::int8_lines(rows, outputs, inputs).into();
        Ok(PackedMatrix { outputs, inputs, lines: inputs.div_ceil(4), packed: Packed::Int8 { lines, scale } })
    }
}

/// Rows of several tensors, one after another: as 8 bits with scales, or as floats.
struct Rows {
    values: Vec<i8>,
    scale: Vec<f32>,
    floats: Vec<f32>,
}

impl Rows {
    fn tensor(&mut self, tensor: &StoredTensor, int8: bool) {
        if int8 {
            self.scale.extend_from_slice(tensor.row_scales());
            // As above, no -128.
            self.values.extend(tensor.bytes().iter().map(|&b| (b as i8).max(-127)));
        } else if self.floats.is_empty() {
            self.floats = tensor.to_f32();
        } else {
            self.floats.extend_from_slice(&tensor.to_f32());
        }
    }

    /// Int8 panels, back to floats.
    fn panels(&mut self, panels: &[u8], scale: &[f32], inputs: usize) {
        let line = 4 * PANEL;
        for (panel, scales) in panels.chunks_exact(inputs / 4 * line).zip(scale.chunks_exact(PANEL)) {
            for (column, scale) in scales.iter().enumerate() {
                for line in panel.chunks_exact(line) {
                    let at = |i: usize| line[i / 2 * 2 * PANEL + 2 * column + i % 2] as i8;
                    self.floats.extend((0..4).map(|i| f32::from(at(i).max(-127)) * scale));
                }
            }
        }
    }
}

fn int4_panels(
    checkpoint: &Checkpoint,
    name: &str,
    outputs: usize,
    inputs: usize,
) -> Result<Option<Stretch>, EngineError> {
    if !outputs.is_multiple_of(PANEL) || !inputs.is_multiple_of(int4::BLOCK) {
        return Ok(None);
    }
    checkpoint.panels(name, [outputs / PANEL, inputs / int4::BLOCK, 4 * PANEL * int4::BLOCK_LINES])
}

/// Panels and the scales of the rows.
fn int8_panels(
    checkpoint: &Checkpoint,
    name: &str,
    outputs: usize,
    inputs: usize,
) -> Result<Option<(Stretch, Vec<f32>)>, EngineError> {
    if !outputs.is_multiple_of(PANEL) || !inputs.is_multiple_of(4) || inputs > MAX_INT8_INPUTS {
        return Ok(None);
    }
    let Some(panels) = checkpoint.panels(name, [outputs / PANEL, inputs / 4, 4 * PANEL])? else { return Ok(None) };
    Ok(Some((panels, checkpoint.tensor_f32(&format!("{name}.scale"), &[outputs])?)))
}
