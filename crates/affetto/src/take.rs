//! One answer to a prompt: its notes or its codes, and its sound.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use affetto_audio::encode::{FlacWriter, WavHeader, list_info, wav_ending, write_flac_tagged, write_wav_samples};
use affetto_audio::{AudioBuffer, SampleFormat, Tags};
use affetto_score::Score;
use affetto_score::codec::Row;

use crate::compose::Composition;
use crate::error::Result;
use crate::families::musicgen::{CodesSound, Timings};
use crate::names::meter_name;
use crate::sound::{SAMPLE_RATE, Sound};
use crate::summary::{Asked, CodesSummary, NotesSummary, TakeSummary};
use crate::whole::Sink;

/// One answer to a prompt. The sound is made when it is first asked for.
#[derive(Clone)]
pub struct Take {
    summary: TakeSummary,
    music: Music,
    audio: OnceLock<AudioBuffer>,
}

/// What a family writes.
#[derive(Clone)]
enum Music {
    Notes { score: Score, written: Score, rows: Vec<Row>, sound: Arc<Sound> },
    Codes { codes: Arc<[u32]>, sound: Arc<CodesSound>, timings: Timings },
}

impl Take {
    pub(crate) fn of_notes(composition: Composition, asked: Asked, sound: Arc<Sound>) -> Take {
        let notes = NotesSummary {
            tempo_bpm: composition.tempo_bpm,
            tempo_range_bpm: NotesSummary::tempo_range(&composition.score),
            key: composition.key.to_string(),
            meter: meter_name(composition.meter),
            instruments: composition.instruments.iter().map(|&i| i.name().to_owned()).collect(),
            density: composition.density,
            note_count: composition.score.notes.len(),
            notes_continued: composition.given,
        };
        let summary = TakeSummary { notes: Some(notes), ..asked.summary() };
        let Composition { score, written, rows, .. } = composition;
        let music = Music::Notes { score, written, rows, sound };
        Take { summary, music, audio: OnceLock::new() }
    }

    /// A take of codes `[frames, K]`, of which the first `continued` frames were given.
    pub(crate) fn of_codes(
        codes: Vec<u32>,
        continued: usize,
        melody: Option<String>,
        asked: Asked,
        sound: Arc<CodesSound>,
        timings: Timings,
    ) -> Take {
        let streams = sound.streams();
        let told = CodesSummary {
            frames: codes.len() / streams,
            frames_continued: continued,
            channels: sound.channels(),
            melody,
        };
        let summary = TakeSummary { codes: Some(told), ..asked.summary() };
        Take { summary, music: Music::Codes { codes: codes.into(), sound, timings }, audio: OnceLock::new() }
    }

    /// The notes, where the family writes notes.
    pub fn score(&self) -> Option<&Score> {
        match &self.music {
            Music::Notes { score, .. } => Some(score),
            Music::Codes { .. } => None,
        }
    }

    /// The notes on the grid, before micro-timing: what a player would find on the desk.
    pub fn written(&self) -> Option<&Score> {
        match &self.music {
            Music::Notes { written, .. } => Some(written),
            Music::Codes { .. } => None,
        }
    }

    /// The tokens by stream, `[K][rows]`, the delay undone: one row a note as the model wrote it ([`affetto_score::codec`];
    /// a lone wind plays only the top line), or one a frame of the codec (stereo: codebook 1 left, 1 right, 2 left, 2 right
    /// and so on).
    pub fn codes(&self) -> Vec<Vec<u32>> {
        match &self.music {
            Music::Notes { rows, .. } => {
                let streams = affetto_score::codec::STREAMS;
                (0..streams).map(|k| rows.iter().map(|row| u32::from(row[k])).collect()).collect()
            }
            Music::Codes { codes, sound, .. } => {
                let streams = sound.streams();
                (0..streams).map(|k| codes.iter().skip(k).step_by(streams).copied().collect()).collect()
            }
        }
    }

    /// The streams' names, in the order of [`codes`](Self::codes).
    pub fn stream_names(&self) -> Vec<String> {
        match &self.music {
            Music::Notes { .. } => affetto_score::codec::STREAM_NAMES.map(str::to_owned).to_vec(),
            Music::Codes { sound, .. } => sound.stream_names(),
        }
    }

    /// Rows of codes a second; none for notes, which have no rate.
    pub fn frame_rate(&self) -> Option<f64> {
        match &self.music {
            Music::Notes { .. } => None,
            Music::Codes { sound, .. } => Some(sound.frame_rate()),
        }
    }

    /// The seed that makes this take again.
    pub fn seed(&self) -> u64 {
        self.summary.seed
    }

    /// The sample rate of the sound, in Hz.
    pub fn sample_rate(&self) -> u32 {
        match &self.music {
            Music::Notes { .. } => SAMPLE_RATE,
            Music::Codes { sound, .. } => sound.sample_rate(),
        }
    }

    /// What was asked for and what was made.
    pub fn summary(&self) -> &TakeSummary {
        &self.summary
    }

    /// Where the time went, where that was measured (takes of codes).
    pub fn timings(&self) -> Option<Timings> {
        match &self.music {
            Music::Notes { .. } => None,
            Music::Codes { timings, .. } => Some(*timings),
        }
    }

    /// The sound, exactly as long as was asked. Made once, then kept.
    ///
    /// Of notes: stereo, 44.1 kHz, about -16 LUFS. Of codes: as the codec gives it, neither louder nor softer.
    ///
    /// # Errors
    /// [`crate::Error::Render`], a SoundFont that is missing or broken, or a codec's tensors that are.
    pub fn audio(&self) -> Result<&AudioBuffer> {
        if let Some(audio) = self.audio.get() {
            return Ok(audio);
        }
        let audio = match &self.music {
            Music::Notes { score, sound, .. } => sound.render(score, self.summary.duration_seconds)?,
            Music::Codes { codes, sound, .. } => sound.render(codes)?,
        };
        Ok(self.audio.get_or_init(|| audio))
    }

    /// What its files say of it: the licences of what made them, where the family's weights bring conditions along.
    pub(crate) fn tags(&self) -> Tags {
        match self.music {
            Music::Notes { .. } => Tags::default(),
            Music::Codes { .. } => tags(&self.summary),
        }
    }

    /// Writes the sound as a WAV file. Sound that is not in memory is decoded as it is written.
    pub(crate) fn write_sound(&self, out: &mut dyn Write, format: SampleFormat) -> Result<()> {
        let (None, Music::Codes { codes, sound, .. }) = (self.audio.get(), &self.music) else {
            let audio = self.audio()?;
            return affetto_audio::encode::write_wav_tagged(out, audio, format, &self.tags())
                .map_err(crate::save::stream);
        };
        let tags = self.tags();
        let frames = sound.samples(codes.len() / sound.streams()) as u64;
        wav_header(sound.sample_rate(), sound.channels(), frames, format, &tags)
            .write(&mut *out)
            .map_err(crate::save::stream)?;
        for chunk in sound.chunks(codes) {
            write_wav_samples(&mut *out, &chunk?, format).map_err(crate::save::stream)?;
        }
        out.write_all(&wav_ending(frames, sound.channels() as u16, format, &tags)).map_err(crate::error::Error::Stream)
    }

    /// Writes the sound as a FLAC file. Sound that is not in memory is decoded as it is written.
    pub(crate) fn write_flac(&self, out: &mut dyn Sink, format: SampleFormat) -> Result<()> {
        let tags = self.tags();
        let (None, Music::Codes { codes, sound, .. }) = (self.audio.get(), &self.music) else {
            return write_flac_tagged(out, self.audio()?, format, &tags).map_err(crate::save::stream);
        };
        let (rate, channels) = (sound.sample_rate(), sound.channels());
        let mut file = FlacWriter::new(out, rate, channels, format, &tags).map_err(crate::save::stream)?;
        for chunk in sound.chunks(codes) {
            file.write(&chunk?).map_err(crate::save::stream)?;
        }
        file.finish().map(drop).map_err(crate::save::stream)
    }
}

/// The tags of a file of codes.
pub(crate) fn tags(summary: &TakeSummary) -> Tags {
    Tags {
        software: concat!("affetto ", env!("CARGO_PKG_VERSION")).to_owned(),
        copyright: summary.licences.join("; "),
        comment: format!("made by {} with seed {}", summary.model, summary.seed),
    }
}

/// The header of a WAV file of so many frames that ends in tags.
pub(crate) fn wav_header(
    sample_rate: u32,
    channels: usize,
    frames: u64,
    format: SampleFormat,
    tags: &Tags,
) -> WavHeader {
    let trailing = list_info(tags).len() as u32;
    WavHeader { sample_rate, channels: channels as u16, format, frames: Some(frames), trailing }
}
