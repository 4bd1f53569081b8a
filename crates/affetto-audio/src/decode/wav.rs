//! A reader for RIFF WAVE: integers of 8 to 32 bits and floats, uncompressed.

use crate::AudioBuffer;

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

/// What stops a WAV file from being read.
pub(super) enum Stop {
    /// Not readable, and why.
    Bad(String),
    /// Longer than the limit.
    TooLong,
}

/// Reads a WAV file. A data chunk that claims more than there is ends with the file.
pub(super) fn read(bytes: &[u8], max_channels: usize, limit_seconds: f64) -> Result<AudioBuffer, Stop> {
    let bad = |why: &str| Stop::Bad(why.to_owned());
    let mut at = 12usize;
    let mut format: Option<&[u8]> = None;
    let data = loop {
        let (Some(id), Some(size)) = (bytes.get(at..at.saturating_add(4)), u32_at(bytes, at.saturating_add(4))) else {
            return Err(bad("no samples (no data chunk)"));
        };
        let body = at + 8;
        let end = body.saturating_add(size as usize);
        match id {
            b"fmt " => format = Some(bytes.get(body..end).ok_or_else(|| bad("cut off inside the fmt chunk"))?),
            b"data" => break &bytes[body.min(bytes.len())..end.min(bytes.len())],
            _ => {}
        }
        at = end.saturating_add(size as usize & 1);
    };
    let format = format.ok_or_else(|| bad("no fmt chunk before the samples"))?;
    let field = |at| u16_at(format, at).ok_or_else(|| bad("a fmt chunk that is too short"));
    let (mut tag, channels, bits) = (field(0)?, usize::from(field(2)?), field(14)?);
    let rate = u32_at(format, 4).unwrap_or(0);
    let block = usize::from(field(12)?);
    if tag == 0xFFFE {
        // WAVE_FORMAT_EXTENSIBLE: the first two bytes of the GUID are the true tag.
        tag = field(24)?;
    }
    let width = usize::from(bits / 8);
    if rate == 0 || rate > 768_000 || channels == 0 || channels > max_channels || block != width * channels {
        return Err(Stop::Bad(format!("{channels} channels of {bits} bits in {block}-byte frames at {rate} Hz")));
    }
    let convert: fn(&[u8]) -> f32 = match (tag, bits) {
        (1, 8) => |b| (f32::from(b[0]) - 128.0) / 128.0,
        (1, 16) => |b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0,
        (1, 24) => |b| (i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8) as f32 / 8_388_608.0,
        (1, 32) => |b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 2_147_483_648.0,
        (3, 32) => |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        (3, 64) => |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32,
        _ => return Err(Stop::Bad(format!("WAV encoding {tag} with {bits} bits; give integers or floats"))),
    };
    let frames = data.len() / block;
    if frames == 0 {
        return Err(bad("no sound in it"));
    }
    if frames as f64 > limit_seconds * f64::from(rate) {
        return Err(Stop::TooLong);
    }
    let mut planes = vec![Vec::with_capacity(frames); channels];
    for frame in data.chunks_exact(block) {
        for (plane, sample) in planes.iter_mut().zip(frame.chunks_exact(width)) {
            let x = convert(sample);
            plane.push(if x.is_finite() { x } else { 0.0 });
        }
    }
    Ok(AudioBuffer { sample_rate: rate, channels: planes })
}
