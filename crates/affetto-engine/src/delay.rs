//! The delay pattern of MusicGen: stream `k` of a row is written `delays[k]` steps after stream 0 would be.
//!
//! A sequence has one leading step in which every stream is special. After it, step `s` carries of stream `k` the code
//! of row `s - 1 - delays[k]`, or the special token where there is no such row. The network reads step `s` and predicts
//! step `s + 1`, that is, of stream `k` the code of row `s - delays[k]`.

use crate::error::{EngineError, expect_size};

/// The longest delay that is accepted.
pub const MAX_DELAY: usize = 4096;

/// How many rows each stream is late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayPattern {
    delays: Vec<usize>,
}

impl DelayPattern {
    /// A pattern from one delay for each stream.
    ///
    /// # Errors
    /// When there is no stream, or a delay is above [`MAX_DELAY`].
    pub fn new(delays: impl Into<Vec<usize>>) -> Result<Self, EngineError> {
        let delays = delays.into();
        if delays.is_empty() || delays.iter().any(|&d| d > MAX_DELAY) {
            return Err(EngineError::Invalid {
                what: "delays",
                reason: format!("{delays:?}, expected one number up to {MAX_DELAY} for each stream"),
            });
        }
        Ok(DelayPattern { delays })
    }

    /// Number of streams, K.
    pub fn streams(&self) -> usize {
        self.delays.len()
    }

    /// The delays, one for each stream.
    pub fn delays(&self) -> &[usize] {
        &self.delays
    }

    /// The longest delay.
    pub fn max_delay(&self) -> usize {
        self.delays.iter().copied().max().unwrap_or(0)
    }

    /// Steps the network must read to predict all codes of `rows` rows.
    pub fn steps(&self, rows: usize) -> usize {
        if rows == 0 { 0 } else { rows + self.max_delay() }
    }

    /// The row whose code of `stream` the network's answer to step `step` predicts, if there is one.
    pub fn predicted_row(&self, step: usize, stream: usize) -> Option<usize> {
        step.checked_sub(self.delays[stream])
    }

    /// The row whose code of `stream` is read at step `step`; none where the special token is read.
    pub fn input_row(&self, step: usize, stream: usize) -> Option<usize> {
        step.checked_sub(1 + self.delays[stream])
    }

    /// Writes the inputs of one step: `code(row, stream)` where it is known, else `special[stream]`.
    ///
    /// # Panics
    /// When `special` or `out` have fewer numbers than there are streams.
    pub fn input(&self, step: usize, special: &[u32], code: impl Fn(usize, usize) -> Option<u32>, out: &mut [u32]) {
        for (stream, out) in out[..self.streams()].iter_mut().enumerate() {
            *out = self.input_row(step, stream).and_then(|row| code(row, stream)).unwrap_or(special[stream]);
        }
    }

    /// Delays whole rows: `codes` is `[rows, K]`, the answer `[rows + max_delay + 1, K]` with `special[k]` in all other
    /// places. The network's inputs are all of it but the last step, its targets all but the first.
    ///
    /// # Errors
    /// When `codes` is not a whole number of rows or `special` is not K long.
    pub fn apply(&self, codes: &[u32], special: &[u32]) -> Result<Vec<u32>, EngineError> {
        let streams = self.streams();
        expect_size("special tokens", streams, special.len())?;
        expect_size("codes beyond whole rows", 0, codes.len() % streams)?;
        let rows = codes.len() / streams;
        let steps = rows + self.max_delay() + 1;
        let mut out = vec![0; steps * streams];
        for (step, out) in out.chunks_exact_mut(streams).enumerate() {
            let code = |row, stream| codes.get(row * streams + stream).copied();
            self.input(step, special, code, out);
        }
        Ok(out)
    }

    /// The inverse of [`apply`](Self::apply): `delayed` is `[steps, K]`, the answer `[steps - max_delay - 1, K]`.
    ///
    /// # Errors
    /// When `delayed` is not a whole number of steps.
    pub fn undo(&self, delayed: &[u32]) -> Result<Vec<u32>, EngineError> {
        let streams = self.streams();
        expect_size("codes beyond whole steps", 0, delayed.len() % streams)?;
        let rows = (delayed.len() / streams).saturating_sub(self.max_delay() + 1);
        let mut out = Vec::with_capacity(rows * streams);
        for row in 0..rows {
            for (stream, delay) in self.delays.iter().enumerate() {
                out.push(delayed[(row + 1 + delay) * streams + stream]);
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_streams_by_hand() {
        let pattern = DelayPattern::new([0, 1, 2]).unwrap();
        let special = [90, 91, 92];
        let delayed = pattern.apply(&[1, 2, 3, 11, 12, 13], &special).unwrap();
        let want = [90, 91, 92, 1, 91, 92, 11, 2, 92, 90, 12, 3, 90, 91, 13];
        assert_eq!(delayed, want);
        assert_eq!(pattern.undo(&delayed).unwrap(), [1, 2, 3, 11, 12, 13]);
        assert_eq!(pattern.steps(2), 4);
    }

    #[test]
    fn stereo_delays_go_there_and_back() {
        let pattern = DelayPattern::new([0, 0, 1, 1, 2, 2, 3, 3]).unwrap();
        let codes: Vec<u32> = (0..80).collect();
        let delayed = pattern.apply(&codes, &[2048; 8]).unwrap();
        assert_eq!(delayed.len(), 14 * 8);
        assert_eq!(pattern.undo(&delayed).unwrap(), codes);
        for step in 0..13 {
            for stream in 0..8 {
                if let Some(row) = pattern.predicted_row(step, stream).filter(|&r| r < 10) {
                    assert_eq!(delayed[(step + 1) * 8 + stream], codes[row * 8 + stream]);
                }
            }
        }
    }

    #[test]
    fn bad_sizes_are_errors() {
        assert!(DelayPattern::new([]).is_err());
        assert!(DelayPattern::new([MAX_DELAY + 1]).is_err());
        let pattern = DelayPattern::new([0, 1]).unwrap();
        assert!(pattern.apply(&[1, 2, 3], &[9, 9]).is_err());
        assert!(pattern.apply(&[1, 2], &[9]).is_err());
        assert!(pattern.undo(&[1]).is_err());
        assert_eq!(pattern.undo(&[9, 9]).unwrap(), Vec::<u32>::new());
        assert_eq!(pattern.apply(&[], &[8, 9]).unwrap(), [8, 9, 8, 9]);
    }
}
