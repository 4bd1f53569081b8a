//! What is known of a take's rows while it is sampled.

/// What is known of a take's rows.
#[derive(Debug, Clone)]
pub struct Progress {
    pub(super) streams: usize,
    /// Codes by row; `UNKNOWN` where not yet sampled.
    pub(super) codes: Vec<u32>,
    pub(super) complete: usize,
    pub(super) step: usize,
}

const UNKNOWN: u32 = u32::MAX;

impl Progress {
    pub(super) fn new(streams: usize, prompt: &[u32]) -> Self {
        let rows = prompt.len() / streams;
        Progress { streams, codes: prompt.to_vec(), complete: rows, step: 0 }
    }

    /// Forgets the codes of an ended take that were sampled after its end had been read. The first step to read it is
    /// the one after the last row was read on the stream with the shortest delay.
    pub(super) fn forget_after_end(&mut self, delays: &[usize]) {
        let rows = self.complete;
        let least = delays.iter().copied().min().unwrap_or(0);
        for row in 0..rows {
            for (stream, delay) in delays.iter().enumerate() {
                if row + delay > rows + least {
                    self.codes[row * self.streams + stream] = UNKNOWN;
                    self.complete = self.complete.min(row);
                }
            }
        }
    }

    /// The code of a stream in a row, if it is known.
    pub fn code(&self, row: usize, stream: usize) -> Option<u32> {
        debug_assert!(stream < self.streams);
        self.codes.get(row.checked_mul(self.streams)? + stream).copied().filter(|&code| code != UNKNOWN)
    }

    /// Rows, from the first, of which all codes are known.
    pub fn complete(&self) -> usize {
        self.complete
    }

    /// All codes of a complete row.
    pub fn row(&self, row: usize) -> Option<&[u32]> {
        (row < self.complete).then(|| &self.codes[row * self.streams..(row + 1) * self.streams])
    }

    /// The step about to be read; its answer gives, of a stream with delay 0, the code of the row of this number.
    pub fn step(&self) -> usize {
        self.step
    }

    pub(super) fn set(&mut self, row: usize, stream: usize, code: u32) {
        let end = (row + 1) * self.streams;
        if self.codes.len() < end {
            self.codes.resize(end, UNKNOWN);
        }
        self.codes[row * self.streams + stream] = code;
        while self.codes.len() > self.complete * self.streams
            && !self.codes[self.complete * self.streams..(self.complete + 1) * self.streams].contains(&UNKNOWN)
        {
            self.complete += 1;
        }
    }
}
