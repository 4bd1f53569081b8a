//! A take as files: sound, notes, or everything.

use std::io::{self, Write};
use std::path::Path;

use affetto_audio::SampleFormat;
use affetto_score::Note;
use affetto_score::codec::STREAM_NAMES;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::take::{Take, TakeSummary};
use crate::whole::{self, Pending};

/// A file format a take can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Sound, uncompressed (`.wav`).
    Wav,
    /// Sound, compressed without loss (`.flac`).
    Flac,
    /// Notes (`.mid`, `.midi`).
    Midi,
    /// Notes as sheet music (`.musicxml`, `.xml`).
    MusicXml,
    /// Everything: summary, notes and tokens (`.json`).
    Json,
}

impl Format {
    /// The format that a path's extension names.
    ///
    /// # Errors
    /// [`Error::Extension`] lists those there are.
    pub fn of(path: &Path) -> Result<Format> {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("wav") => Ok(Format::Wav),
            Some("flac") => Ok(Format::Flac),
            Some("mid" | "midi") => Ok(Format::Midi),
            Some("musicxml" | "xml") => Ok(Format::MusicXml),
            Some("json") => Ok(Format::Json),
            Some(other) => Err(Error::Extension { path: path.to_owned(), found: format!("unknown format .{other}") }),
            None => Err(Error::Extension { path: path.to_owned(), found: "no extension".into() }),
        }
    }

    /// Whether this is sound, not notes.
    pub fn is_sound(self) -> bool {
        matches!(self, Format::Wav | Format::Flac)
    }
}

/// How files are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaveOptions {
    /// Replace files that are there.
    pub force: bool,
    /// How samples are stored in sound files.
    pub sample_format: SampleFormat,
}

/// Checks that a take could be saved to `paths`, before anything is computed.
///
/// # Errors
/// An extension without a format, a sample format that FLAC cannot hold, a file that is there already, a folder that
/// cannot be written to.
pub fn check_paths<P: AsRef<Path>>(paths: &[P], options: &SaveOptions) -> Result<()> {
    for path in paths.iter().map(AsRef::as_ref) {
        if Format::of(path)? == Format::Flac && options.sample_format == SampleFormat::F32 {
            return Err(Error::Prompt {
                what: "the sample format",
                found: format!("f32, which {} cannot hold", path.display()),
                expected: "s16 or s24 for FLAC".into(),
            });
        }
    }
    whole::check_targets(paths, options.force)
}

/// What a `.json` file holds.
#[derive(Serialize)]
struct TakeFile<'a> {
    family: &'static str,
    #[serde(flatten)]
    summary: &'a TakeSummary,
    sample_rate: u32,
    /// Rows are notes, which have no rate.
    frame_rate: Option<f64>,
    streams: [&'static str; STREAM_NAMES.len()],
    codes: &'a [Vec<u16>],
    ticks_per_quarter: u32,
    tempos: &'a [affetto_score::TempoChange],
    meters: &'a [affetto_score::MeterChange],
    keys: &'a [affetto_score::KeyChange],
    pickup: u32,
    notes: &'a [Note],
}

impl Take {
    /// Writes the take to every path, in the format its extension names: all files whole, or none.
    ///
    /// ```no_run
    /// use affetto::{Prompt, SaveOptions, Studio};
    /// let take = Studio::open_default()?.generate(&Prompt::new("a quiet piano at dusk"))?;
    /// take.save(&["dusk.wav", "dusk.mid"], &SaveOptions::default())?;
    /// # Ok::<(), affetto::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`check_paths`]; [`Error::Render`]; [`Error::Write`] when the disk or a limit refuses the bytes.
    pub fn save<P: AsRef<Path>>(&self, paths: &[P], options: &SaveOptions) -> Result<()> {
        check_paths(paths, options)?;
        let mut files = Vec::with_capacity(paths.len());
        for path in paths.iter().map(AsRef::as_ref) {
            let format = Format::of(path)?;
            if format.is_sound() {
                self.audio()?;
            }
            let content = move |mut out: &mut dyn Write| self.write(format, options.sample_format, &mut out);
            files.push(Pending { path: path.to_owned(), content: Box::new(content) });
        }
        whole::write_all(&files, options.force)
    }

    /// Writes the take's sound as one WAV file to a stream, such as standard output.
    ///
    /// # Errors
    /// [`Error::Render`]; [`Error::Stream`] with what the stream says.
    pub fn write_wav(&self, out: &mut dyn Write, format: SampleFormat) -> Result<()> {
        self.audio()?;
        self.write(Format::Wav, format, out).map_err(Error::Stream)
    }

    /// The take as JSON: its summary, notes and tokens.
    pub fn to_json(&self) -> String {
        let codes = self.codes();
        let score = self.score();
        let file = TakeFile {
            family: "affetto-score",
            summary: self.summary(),
            sample_rate: self.sample_rate(),
            frame_rate: None,
            streams: STREAM_NAMES,
            codes: &codes,
            ticks_per_quarter: affetto_score::score::TICKS_PER_QUARTER,
            tempos: &score.tempos,
            meters: &score.meters,
            keys: &score.keys,
            pickup: score.pickup,
            notes: &score.notes,
        };
        serde_json::to_string(&file).expect("numbers, strings and lists are always JSON")
    }

    fn write(&self, format: Format, samples: SampleFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Wav | Format::Flac => {
                let audio = self.audio().map_err(io::Error::other)?;
                let written = match format {
                    Format::Wav => affetto_audio::write_wav(out, audio, samples),
                    _ => affetto_audio::write_flac(out, audio, samples),
                };
                written.map_err(|error| match error {
                    affetto_audio::AudioError::Write(error) => error,
                    other => io::Error::other(other),
                })
            }
            Format::Midi => out.write_all(&affetto_score::midi::write(self.score())),
            Format::MusicXml => out.write_all(affetto_score::musicxml::write(self.score()).as_bytes()),
            Format::Json => out.write_all(self.to_json().as_bytes()),
        }
    }
}
