//! A reader for RIFF WAVE: integers of 8 to 32 bits and floats, uncompressed.

use std::io::{Read, Seek, SeekFrom};

/// Little-endian fields at a place in a byte slice.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Whether `bytes` start as a WAV file does.
pub(super) fn is_wav(bytes: &[u8]) -> bool {
    bytes.len() >= 12 && &bytes[..4] == b"RIFF" && &bytes[8..12] == b"WAVE"
}

/// The length in seconds that a WAV file's head tells, when it is `file_bytes` long in all; `None` where the head does not
/// reach the samples.
pub(super) fn seconds(head: &[u8], file_bytes: u64) -> Option<f64> {
    let mut at = 12usize;
    let mut bytes_per_second = 0;
    loop {
        let id = head.get(at..at.checked_add(4)?)?;
        let size = u32_at(head, at + 4)?;
        let body = at.checked_add(8)?;
        match id {
            b"fmt " => bytes_per_second = u32_at(head, body + 8)?,
            b"data" => {
                let bytes = u64::from(size).min(file_bytes.saturating_sub(body as u64));
                return (bytes_per_second > 0).then(|| bytes as f64 / f64::from(bytes_per_second));
            }
            _ => {}
        }
        at = body.checked_add(size as usize)?.checked_add(size as usize & 1)?;
    }
}

/// The samples of a WAV file, block by block.
pub(super) struct WavSamples<R> {
    reader: R,
    /// Frames per second.
    pub(super) sample_rate: u32,
    /// Channels in a frame.
    pub(super) channels: usize,
    /// Bytes of one sample.
    width: usize,
    /// Bytes of samples that the data chunk still has, as it says itself.
    left: u64,
    convert: fn(&[u8]) -> f32,
}

/// As many bytes as `buffer` holds, or as there are before the end.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, String> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(filled)
}

impl<R: Read + Seek> WavSamples<R> {
    /// Reads up to the samples, from the file's first byte. The error says what is wrong.
    pub(super) fn open(mut reader: R, max_channels: usize) -> Result<Self, String> {
        // More of a fmt chunk than any field that is read here.
        const FORMAT_BYTES: usize = 64;
        let mut head = [0; 12];
        fill(&mut reader, &mut head)?;
        let mut format: Option<Vec<u8>> = None;
        let left = loop {
            let mut chunk = [0; 8];
            if fill(&mut reader, &mut chunk)? < chunk.len() {
                return Err("no samples (no data chunk)".into());
            }
            let size = u32_at(&chunk, 4).unwrap_or(0);
            let mut skip = i64::from(size) + i64::from(size & 1);
            match &chunk[..4] {
                b"fmt " => {
                    let mut body = vec![0; FORMAT_BYTES.min(size as usize)];
                    if fill(&mut reader, &mut body)? < body.len() {
                        return Err("cut off inside the fmt chunk".into());
                    }
                    skip -= body.len() as i64;
                    format = Some(body);
                }
                b"data" => break u64::from(size),
                _ => {}
            }
            reader.seek(SeekFrom::Current(skip)).map_err(|e| e.to_string())?;
        };
        let format = format.ok_or("no fmt chunk before the samples")?;
        let field = |at| u16_at(&format, at).ok_or("a fmt chunk that is too short");
        let (mut tag, channels, bits) = (field(0)?, usize::from(field(2)?), field(14)?);
        let sample_rate = u32_at(&format, 4).unwrap_or(0);
        let block = usize::from(field(12)?);
        if tag == 0xFFFE {
            // WAVE_FORMAT_EXTENSIBLE: the first two bytes of the GUID are the true tag.
            tag = field(24)?;
        }
        let width = usize::from(bits / 8);
        if sample_rate == 0
            || sample_rate > 768_000
            || channels == 0
            || channels > max_channels
            || block != width * channels
        {
            return Err(format!("{channels} channels of {bits} bits in {block}-byte frames at {sample_rate} Hz"));
        }
        let convert: fn(&[u8]) -> f32 = match (tag, bits) {
            (1, 8) => |b| (f32::from(b[0]) - 128.0) / 128.0,
            (1, 16) => |b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0,
            (1, 24) => |b| (i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8) as f32 / 8_388_608.0,
            (1, 32) => |b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 2_147_483_648.0,
            (3, 32) => |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            (3, 64) => |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32,
            _ => return Err(format!("WAV encoding {tag} with {bits} bits; give integers or floats")),
        };
        Ok(WavSamples { reader, sample_rate, channels, width, left, convert })
    }

    /// The next `frames` frames or what is left of them, channel by channel; `None` at the end. A data chunk that claims
    /// more than there is ends with the file.
    pub(super) fn next(&mut self, frames: usize) -> Result<Option<Vec<Vec<f32>>>, String> {
        let block = self.width * self.channels;
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(frames * block);
        let mut bytes = vec![0; wanted];
        let got = fill(&mut self.reader, &mut bytes)?;
        self.left -= got as u64;
        let got = got / block;
        if got == 0 {
            return Ok(None);
        }
        let mut planes = vec![Vec::with_capacity(got); self.channels];
        for frame in bytes[..got * block].chunks_exact(block) {
            for (plane, sample) in planes.iter_mut().zip(frame.chunks_exact(self.width)) {
                let x = (self.convert)(sample);
                plane.push(if x.is_finite() { x } else { 0.0 });
            }
        }
        Ok(Some(planes))
    }
}
