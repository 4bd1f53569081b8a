//! Decoding codes as they come.

use std::sync::Arc;

use super::codec::Encodec;
use super::lstm::{self, LstmState};
use crate::error::ModelError;

/// Turns codes into samples as they come. However they are portioned, all samples together are those of the whole.
pub struct DecodeStream {
    codec: Arc<Encodec>,
    states: Vec<LstmState>,
    /// Vectors of the newest frames, and the number of the first.
    latents: Vec<f32>,
    latents_from: usize,
    /// Frames that came in.
    pushed: usize,
    /// What the LSTM gave for the newest frames, the number of the first, and of those it has read.
    hidden: Vec<f32>,
    hidden_from: usize,
    read: usize,
    /// Frames whose samples were given.
    given: usize,
}

impl DecodeStream {
    /// A stream that has heard nothing.
    pub fn new(codec: Arc<Encodec>) -> Self {
        DecodeStream {
            states: lstm::start(&codec.decoder.lstm),
            codec,
            latents: Vec::new(),
            latents_from: 0,
            pushed: 0,
            hidden: Vec::new(),
            hidden_from: 0,
            read: 0,
            given: 0,
        }
    }

    /// Takes further codes `[n, K]`; gives the samples of all frames whose neighbours are known.
    ///
    /// # Errors
    /// When they are not whole frames, or a code is too large.
    pub fn push(&mut self, codes: &[u32]) -> Result<Vec<f32>, ModelError> {
        let latents = self.codec.embed(codes)?;
        self.pushed += latents.len() / self.codec.config.hidden_size;
        self.latents.extend(latents);
        Ok(self.advance(false))
    }

    /// The samples of the frames that are left; the stream then begins anew.
    ///
    /// # Errors
    /// None at present.
    pub fn finish(&mut self) -> Result<Vec<f32>, ModelError> {
        let rest = self.advance(true);
        *self = DecodeStream::new(self.codec.clone());
        Ok(rest)
    }

    fn advance(&mut self, last: bool) -> Vec<f32> {
        let codec = self.codec.clone();
        let (config, decoder) = (&codec.config, &codec.decoder);
        let ready = |until: usize, reach: usize| if last { until } else { until.saturating_sub(reach) };

        // Codes to the LSTM's input: a convolution that sees `side` frames on either side.
        let side = config.kernel_size;
        let end = ready(self.pushed, side);
        if end > self.read {
            let wide = decoder.first.apply(&self.latents);
            let d = wide.len() * config.hidden_size / self.latents.len();
            let here = &wide[(self.read - self.latents_from) * d..(end - self.latents_from) * d];
            self.hidden.extend(lstm::apply(&decoder.lstm, &mut self.states, here));
            self.read = end;
            let from = end.saturating_sub(side).max(self.latents_from);
            self.latents.drain(..(from - self.latents_from) * config.hidden_size);
            self.latents_from = from;
        }

        // From there to samples.
        let reach = config.reach();
        let end = ready(self.read, reach);
        if end <= self.given {
            return Vec::new();
        }
        let d = self.hidden.len() / (self.read - self.hidden_from);
        let samples = codec.widen(&self.hidden);
        let hop = config.hop();
        let here = samples[(self.given - self.hidden_from) * hop..(end - self.hidden_from) * hop].to_vec();
        self.given = end;
        let from = end.saturating_sub(reach).max(self.hidden_from);
        self.hidden.drain(..(from - self.hidden_from) * d);
        self.hidden_from = from;
        here
    }
}
