//! Compressed sound, packet by packet, by the crate `symphonia`.

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::MAX_CHANNELS;
use crate::AudioBuffer;

/// The default track of an opened file. Errors say what is wrong.
pub(super) struct Packets {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// Whether any sound has come.
    begun: bool,
    block: Vec<f32>,
}

impl Packets {
    /// Finds out what a source is.
    pub(super) fn probe(source: Box<dyn MediaSource>, extension: Option<&str>) -> Result<Packets, String> {
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|e| e.to_string())?;
        Packets::of(format)
    }

    /// The default track of a format that is known.
    pub(super) fn of(format: Box<dyn FormatReader>) -> Result<Packets, String> {
        let track = format.default_track(TrackType::Audio).ok_or("it has no sound track")?;
        let params = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or("unknown codec")?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(|e| e.to_string())?;
        let track = track.id;
        Ok(Packets { format, decoder, track, begun: false, block: Vec::new() })
    }

    /// The next packet's sound; `None` at the end. A file cut short ends where it was cut, and packets that cannot be
    /// decoded are left out.
    pub(super) fn next(&mut self) -> Result<Option<AudioBuffer>, String> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(None),
                Err(SymphoniaError::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(e) if !self.begun => return Err(e.to_string()),
                Err(_) => return Ok(None),
            };
            if packet.track_id != self.track {
                continue;
            }
            let decoded = match self.decoder.decode(&packet) {
                Ok(decoded) => decoded,
                Err(SymphoniaError::DecodeError(_)) => continue,
                Err(_) => return Ok(None),
            };
            let (count, rate) = (decoded.num_planes(), decoded.spec().rate());
            if decoded.frames() == 0 || count == 0 {
                continue;
            }
            if rate == 0 || count > MAX_CHANNELS {
                return Err(format!("{count} channels at {rate} Hz"));
            }
            self.begun = true;
            self.block.resize(decoded.samples_interleaved(), 0.0);
            decoded.copy_to_slice_interleaved(&mut self.block);
            let finite = |x: &f32| if x.is_finite() { *x } else { 0.0 };
            let channel = |c: usize| self.block.iter().skip(c).step_by(count).map(finite).collect();
            return Ok(Some(AudioBuffer { sample_rate: rate, channels: (0..count).map(channel).collect() }));
        }
    }
}
