//! FLAC, by the crate `flacenc`.

use std::io::Write;

use flacenc::component::BitRepr;
use flacenc::error::Verify;

use super::{SampleFormat, quantize};
use crate::{AudioBuffer, AudioError, Result};

/// Writes a whole FLAC file: 1–8 channels, 16 or 24 bits.
///
/// # Errors
/// [`SampleFormat::F32`] (FLAC holds integers only), no sound at all, more than eight channels, a
/// sample rate FLAC cannot state (above 655,350 Hz); whatever `out` says.
pub fn write_flac(mut out: impl Write, audio: &AudioBuffer, format: SampleFormat) -> Result<()> {
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
    out.write_all(sink.as_slice())?;
    out.flush()?;
    Ok(())
}
