//! Codes to sound, in pieces: as they come, or all of a take.

use std::sync::{Arc, OnceLock};

use affetto_audio::AudioBuffer;
use affetto_engine::Precision;
use affetto_models::ModelFolder;
use affetto_models::encodec::{DecodeStream, Encodec, EncodecConfig};
use affetto_models::musicgen::MusicGenConfig;

use crate::error::Result;

/// The codec's tensors in a checkpoint of transformers.
const PREFIX: &str = "audio_encoder.";
/// Frames of codes that are decoded at once: first a few, so that sound comes early, then a second's worth. The same
/// everywhere, so that a stream and a file have the same bits.
const FIRST_PIECE: usize = 20;
const PIECE: usize = 50;

/// What turns codes into sound. The codec is loaded when it is first needed.
pub(crate) struct CodesSound {
    folder: Arc<ModelFolder>,
    config: EncodecConfig,
    streams: usize,
    channels: usize,
    sample_rate: u32,
    frame_rate: usize,
    /// How the codec's LSTM is held.
    recurrent: Precision,
    codec: OnceLock<Arc<Encodec>>,
}

impl CodesSound {
    /// What decodes the codes of a model that is held in `precision`. Where that rounds, the codec's LSTM is rounded a
    /// little too.
    pub fn new(folder: Arc<ModelFolder>, model: &MusicGenConfig, precision: Precision) -> Result<CodesSound> {
        let config = EncodecConfig::from_json(&folder.config()["audio_encoder"])?;
        Ok(CodesSound {
            config,
            streams: model.decoder.streams(),
            channels: model.channels,
            sample_rate: model.sampling_rate,
            frame_rate: model.frame_rate,
            recurrent: if precision == Precision::F32 { Precision::F32 } else { Precision::Bf16 },
            folder,
            codec: OnceLock::new(),
        })
    }

    /// The codec, loaded at the first call.
    pub fn codec(&self) -> Result<Arc<Encodec>> {
        if let Some(codec) = self.codec.get() {
            return Ok(codec.clone());
        }
        let codec = Encodec::load_with(self.folder.checkpoint(), &self.config, PREFIX, self.recurrent)?;
        let codec = Arc::new(codec.with_codebooks(self.streams / self.channels)?);
        Ok(self.codec.get_or_init(|| codec).clone())
    }

    /// Streams of codes, K: those of all channels.
    pub fn streams(&self) -> usize {
        self.streams
    }

    /// Channels of the sound.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples a second.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Frames of codes a second.
    pub fn frame_rate(&self) -> f64 {
        self.frame_rate as f64
    }

    /// Samples of so many frames of codes.
    pub fn samples(&self, frames: usize) -> usize {
        frames * self.config.hop()
    }

    /// `1`, `2` …, or `1L`, `1R`, `2L` ….
    pub fn stream_names(&self) -> Vec<String> {
        let side = |k: usize| ["L", "R"].get(k % self.channels).copied().unwrap_or("");
        let side = |k: usize| if self.channels == 2 { side(k) } else { "" };
        (0..self.streams).map(|k| format!("{}{}", k / self.channels + 1, side(k))).collect()
    }

    /// The codes `[frames, K]` of sound: it is mixed or doubled to the model's channels, and resampled; what does not
    /// fill a frame at its end is left out.
    pub fn encode(&self, audio: &AudioBuffer) -> Result<std::result::Result<Vec<u32>, String>> {
        let codec = self.codec()?;
        let channels = match self.channels {
            2 if audio.channels.len() == 2 => audio.channels.clone(),
            count => vec![audio.mixdown(); count],
        };
        let hop = self.config.hop();
        let mut sides = Vec::with_capacity(channels.len());
        for channel in &channels {
            let mut samples = match affetto_audio::resample(channel, audio.sample_rate, self.sample_rate) {
                Ok(samples) => samples,
                Err(error) => return Ok(Err(error.to_string())),
            };
            samples.truncate(samples.len() / hop * hop);
            if samples.is_empty() {
                return Ok(Err(format!("shorter than one frame of {hop} samples; give more sound")));
            }
            sides.push(codec.encode(&samples)?);
        }
        let books = self.streams / self.channels;
        let frames = sides[0].len() / books;
        let code = |frame: usize, k: usize| sides[k % self.channels][frame * books + k / self.channels];
        Ok(Ok((0..frames)
            .flat_map(|frame| (0..self.streams).map(move |k| (frame, k)))
            .map(|(f, k)| code(f, k))
            .collect()))
    }

    /// A decoder of codes as they come.
    pub fn decoder(&self) -> Result<Pieces> {
        let codec = self.codec()?;
        Ok(Pieces {
            streams: (0..self.channels).map(|_| DecodeStream::new(codec.clone())).collect(),
            books: self.streams / self.channels,
            sample_rate: self.sample_rate,
            waiting: Vec::new(),
            wanted: FIRST_PIECE,
        })
    }

    /// The sound of codes `[frames, K]`, piece by piece.
    pub fn chunks<'a>(&'a self, codes: &'a [u32]) -> impl Iterator<Item = Result<AudioBuffer>> + 'a {
        let mut decoder = None;
        let mut rows = codes.chunks_exact(self.streams);
        let mut done = false;
        std::iter::from_fn(move || {
            if done {
                return None;
            }
            let pieces = match &mut decoder {
                Some(pieces) => pieces,
                none => match self.decoder() {
                    Ok(pieces) => none.insert(pieces),
                    Err(error) => {
                        done = true;
                        return Some(Err(error));
                    }
                },
            };
            for row in rows.by_ref() {
                match pieces.push(row) {
                    Ok(Some(chunk)) => return Some(Ok(chunk)),
                    Ok(None) => {}
                    Err(error) => {
                        done = true;
                        return Some(Err(error));
                    }
                }
            }
            done = true;
            pieces.finish().transpose()
        })
    }

    /// The whole sound of codes `[frames, K]`.
    pub fn render(&self, codes: &[u32]) -> Result<AudioBuffer> {
        let frames = self.samples(codes.len() / self.streams);
        let mut whole = AudioBuffer { sample_rate: self.sample_rate, channels: vec![Vec::new(); self.channels] };
        whole.channels.iter_mut().for_each(|channel| channel.reserve_exact(frames));
        for chunk in self.chunks(codes) {
            for (channel, more) in whole.channels.iter_mut().zip(chunk?.channels) {
                channel.extend(more);
            }
        }
        Ok(whole)
    }
}

/// Codes coming in, sound going out.
pub(crate) struct Pieces {
    /// One for each channel.
    streams: Vec<DecodeStream>,
    books: usize,
    sample_rate: u32,
    /// Rows that were not decoded yet.
    waiting: Vec<u32>,
    /// Rows after which they are.
    wanted: usize,
}

impl Pieces {
    /// Takes one row of codes `[K]`; gives sound whenever a piece is full and the decoder has what it needs around it.
    pub fn push(&mut self, row: &[u32]) -> Result<Option<AudioBuffer>> {
        self.waiting.extend_from_slice(row);
        if self.waiting.len() < self.wanted * row.len() {
            return Ok(None);
        }
        self.wanted = PIECE;
        let rows = std::mem::take(&mut self.waiting);
        self.decode(&rows, false)
    }

    /// The rest.
    pub fn finish(&mut self) -> Result<Option<AudioBuffer>> {
        let rows = std::mem::take(&mut self.waiting);
        self.decode(&rows, true)
    }

    fn decode(&mut self, rows: &[u32], last: bool) -> Result<Option<AudioBuffer>> {
        let (count, books) = (self.streams.len(), self.books);
        let mut channels = Vec::with_capacity(count);
        for (c, stream) in self.streams.iter_mut().enumerate() {
            let codes: Vec<u32> =
                rows.chunks_exact(count * books).flat_map(|row| (0..books).map(move |k| row[k * count + c])).collect();
            let mut samples = stream.push(&codes)?;
            if last {
                samples.extend(stream.finish()?);
            }
            channels.push(samples);
        }
        let chunk = AudioBuffer { sample_rate: self.sample_rate, channels };
        Ok((chunk.frames() > 0).then_some(chunk))
    }
}
