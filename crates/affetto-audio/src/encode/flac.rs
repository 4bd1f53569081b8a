//! FLAC, by the crate `flacenc`.

use std::io::Write;

use flacenc::component::BitRepr;
use flacenc::error::Verify;

use super::{SampleFormat, Tags, quantize};
use crate::{AudioBuffer, AudioError, Result};

/// Writes a whole FLAC file: 1–8 channels, 16 or 24 bits.
///
/// # Errors
/// [`SampleFormat::F32`] (FLAC holds integers only), no sound at all, more than eight channels, a
/// sample rate FLAC cannot state (above 655,350 Hz); whatever `out` says.
pub fn write_flac(out: impl Write, audio: &AudioBuffer, format: SampleFormat) -> Result<()> {
    write_flac_tagged(out, audio, format, &Tags::default())
}

/// [`write_flac`], with tags as Vorbis comments.
///
/// # Errors
/// As [`write_flac`].
pub fn write_flac_tagged(mut out: impl Write, audio: &AudioBuffer, format: SampleFormat, tags: &Tags) -> Result<()> {
    let refuse = |what: String, remedy| Err(AudioError::Format { format: "FLAC", what, remedy });
    if format == SampleFormat::F32 {
        return refuse("32-bit floats".into(), "use --sample-format s16 or s24, or write WAV");
    }
    let channels = audio.channels.len();
    if !(1..=8).contains(&channels) {
        return refuse(format!("{channels} channels"), "mix down to mono or stereo");
    }
    if audio.sample_rate == 0 || audio.sample_rate > 96_000 {
        return refuse(format!("a sample rate of {} Hz", audio.sample_rate), "resample to 44100 or 48000 Hz");
    }
    if audio.frames() == 0 {
        return refuse("no samples at all".into(), "make the sound longer than nothing");
    }
    let bits = format.bits();
    let mut samples = Vec::with_capacity(audio.frames() * channels);
    for frame in 0..audio.frames() {
        samples.extend(audio.channels.iter().map(|c| quantize(c[frame], u32::from(bits))));
    }
    let failed = |why: String| AudioError::Write(std::io::Error::other(format!("FLAC encoder: {why}")));
    let config = flacenc::config::Encoder::default().into_verified().map_err(|(_, e)| failed(e.to_string()))?;
    let source =
        flacenc::source::MemSource::from_samples(&samples, channels, usize::from(bits), audio.sample_rate as usize);
    let mut stream =
        flacenc::encode_with_fixed_block_size(&config, source, config.block_size).map_err(|e| failed(e.to_string()))?;
    drop(samples);
    // The last, shorter block does not count for the smallest size: with it counted, readers take
    // the file for one of variable block sizes.
    stream
        .stream_info_mut()
        .set_block_sizes(config.block_size, config.block_size)
        .map_err(|e| failed(e.to_string()))?;
    let mut sink = flacenc::bitsink::ByteSink::new();
    stream.write(&mut sink).map_err(|e| failed(e.to_string()))?;
    let bytes = sink.as_slice();
    let comments = vorbis_comments(tags);
    // The stream's first metadata block follows the four bytes of the mark: a byte of kind (its upper bit says that no
    // block follows), three of length.
    match bytes.get(4..8) {
        Some(&[kind, a, b, c]) if !comments.is_empty() => {
            let end = 8 + u32::from_be_bytes([0, a, b, c]) as usize;
            let (first, rest) = bytes.split_at_checked(end).ok_or_else(|| failed("no stream information".into()))?;
            let last = kind & LAST_BLOCK;
            out.write_all(&first[..4])?;
            out.write_all(&[kind & !LAST_BLOCK])?;
            out.write_all(&first[5..])?;
            out.write_all(&[VORBIS_COMMENT | last])?;
            out.write_all(&(comments.len() as u32).to_be_bytes()[1..])?;
            out.write_all(&comments)?;
            out.write_all(rest)?;
        }
        _ => out.write_all(bytes)?,
    }
    out.flush()?;
    Ok(())
}

/// In a metadata block's first byte: the last block before the sound.
const LAST_BLOCK: u8 = 0x80;
/// The kind of metadata block that holds comments.
const VORBIS_COMMENT: u8 = 4;

/// The body of a block of Vorbis comments; empty where there are no tags.
fn vorbis_comments(tags: &Tags) -> Vec<u8> {
    let fields = [("ENCODER", &tags.software), ("COPYRIGHT", &tags.copyright), ("COMMENT", &tags.comment)];
    let lines: Vec<String> =
        fields.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name}={text}")).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let counted = |text: &str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let mut body = counted("affetto");
    body.extend_from_slice(&(lines.len() as u32).to_le_bytes());
    body.extend(lines.iter().flat_map(|line| counted(line)));
    body
}
