//! A take as files: sound, notes, or everything.

use std::io::{self, Write};
use std::path::Path;

use affetto_audio::{AudioError, SampleFormat};

use crate::error::{Error, Result};
use crate::take::Take;
use crate::whole::{self, Pending, Sink};

/// The longest sound, in seconds, that is kept in memory to be written to several files.
const KEPT_SECONDS: f64 = 60.0;

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
            None => {
                let dotted = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
                let found = if dotted { "a dot with no name before it" } else { "no extension" };
                Err(Error::Extension { path: path.to_owned(), found: found.into() })
            }
        }
    }

    /// Whether this is sound, not notes.
    pub fn is_sound(self) -> bool {
        matches!(self, Format::Wav | Format::Flac)
    }

    /// Whether this is notes alone.
    pub fn is_notes(self) -> bool {
        matches!(self, Format::Midi | Format::MusicXml)
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
        self.save_with(paths, Vec::new(), options)
    }

    /// As [`Take::save`], with other files beside the take's own, such as a picture of it: all of them whole, or none.
    ///
    /// # Errors
    /// As [`Take::save`]; [`Error::NamedTwice`] for a file that is also one of the take's.
    pub fn save_with<P: AsRef<Path>>(&self, paths: &[P], more: Vec<Pending<'_>>, options: &SaveOptions) -> Result<()> {
        check_paths(paths, options)?;
        self.family().check_formats(paths)?;
        let all = paths.iter().map(AsRef::as_ref).chain(more.iter().map(|file| file.path.as_path()));
        whole::check_targets(&all.collect::<Vec<_>>(), options.force)?;
        // Two files of one sound shall not cost two decodings, where keeping it costs little.
        let sounds = paths.iter().filter(|path| Format::of(path.as_ref()).is_ok_and(Format::is_sound)).count();
        if sounds > 0 && (self.score().is_some() || sounds > 1 && self.summary().duration_seconds <= KEPT_SECONDS) {
            self.audio()?;
        }
        let mut files = Vec::with_capacity(paths.len() + more.len());
        for path in paths.iter().map(AsRef::as_ref) {
            let format = Format::of(path)?;
            let content = move |out: &mut dyn Sink| self.write(format, options.sample_format, out);
            files.push(Pending { path: path.to_owned(), content: Box::new(content) });
        }
        files.extend(more);
        whole::write_all(&files, options.force)
    }

    /// Writes the take's sound as one WAV file to a stream, such as standard output.
    ///
    /// # Errors
    /// [`Error::Render`]; [`Error::Stream`] with what the stream says.
    pub fn write_wav(&self, out: &mut dyn Write, format: SampleFormat) -> Result<()> {
        self.write_sound(out, format)
    }

    fn write(&self, format: Format, samples: SampleFormat, mut out: &mut dyn Sink) -> io::Result<()> {
        let score = || self.score().ok_or_else(|| io::Error::other("there are no notes"));
        match format {
            Format::Wav => self.write_sound(&mut out, samples).map_err(io_error),
            Format::Flac => self.write_flac(out, samples).map_err(io_error),
            Format::Midi => out.write_all(&affetto_score::midi::write(score()?)),
            Format::MusicXml => out.write_all(affetto_score::musicxml::write(score()?).as_bytes()),
            Format::Json => out.write_all(self.to_json().as_bytes()),
        }
    }
}

/// What stopped sound from being written.
pub(crate) fn stream(error: AudioError) -> Error {
    match error {
        AudioError::Write(error) => Error::Stream(error),
        other => Error::Render(other.into()),
    }
}

/// An error as one of input and output, so that the cause (a full disk, a limit) is kept.
fn io_error(error: Error) -> io::Error {
    match error {
        Error::Stream(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_format_is_told_why() {
        let said = |name: &str| Format::of(Path::new(name)).unwrap_err().to_string();
        assert!(said("a.mp3").contains("unknown format .mp3"));
        assert!(said("folder/a").contains("no extension"));
        assert!(said("folder/.wav").contains("a dot with no name before it; give a name that ends in .wav"));
        assert_eq!(Format::of(Path::new("..WAV")).unwrap(), Format::Wav);
    }
}
