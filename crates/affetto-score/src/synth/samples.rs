//! Decoded samples, ready for a loop without checks.

use super::error::{Result, SynthError};
use super::region::SourceKey;
use super::tables::{KIND_VORBIS, SampleRecord, Tables};

/// Longest sample, in frames: three minutes at 44.1 kHz.
const MAX_FRAMES: usize = 8_000_000;
/// Frames that can be read past the end of a sample, or past the end of its loop.
pub(super) const OVERRUN: usize = 1100;

/// A decoded sample. `data[0]` and the last points are padding for the interpolation: sample point
/// `n` is `data[n + 1]`. Where it loops, the loop goes on for [`OVERRUN`] frames past its end;
/// else as many zeros follow.
#[derive(Debug)]
pub(super) struct Source {
    pub data: Vec<f32>,
    pub rate: f32,
    /// Start and end of the loop, in frames.
    pub looped: Option<(u32, u32)>,
    /// Number of frames before the overrun.
    pub end: u32,
}

/// Decodes the sample `key` names, in `file` as [`Tables`] describes it.
pub(super) fn decode(file: &[u8], tables: &Tables, key: SourceKey) -> Result<Source> {
    let Some(header) = tables.samples.get(usize::from(key.sample)) else {
        return Err(SynthError::Damaged(format!("no sample {}", key.sample)));
    };
    let bad = |why: &str| SynthError::Sample { name: header.name.clone(), why: why.to_owned() };
    if !(400..=192_000).contains(&header.rate) {
        return Err(bad(&format!("its sample rate is {} Hz", header.rate)));
    }
    let chunk = file.get(tables.sample_bytes.clone()).ok_or_else(|| bad("the samples are missing"))?;
    let (mut points, loop_start, loop_end) = if header.kind & KIND_VORBIS != 0 {
        let bytes =
            chunk.get(header.start as usize..header.end as usize).ok_or_else(|| bad("it lies outside the file"))?;
        let limit = MAX_FRAMES as f64 / f64::from(header.rate);
        let audio = affetto_audio::decode_ogg_vorbis(bytes, &header.name, limit).map_err(|e| bad(&e.to_string()))?;
        (audio.mixdown(), i64::from(header.loop_start), i64::from(header.loop_end))
    } else {
        let points = pcm(chunk, header).ok_or_else(|| bad("it lies outside the file"))?;
        let start = i64::from(header.start);
        (points, i64::from(header.loop_start) - start, i64::from(header.loop_end) - start)
    };
    let frames = points.len() as i64;
    let skip = i64::from(key.start_offset).clamp(0, frames);
    let end = (frames + i64::from(key.end_offset.min(0))).clamp(skip, frames);
    points.truncate(end as usize);
    points.drain(..skip as usize);
    let loop_start = loop_start + i64::from(key.loop_start_offset) - skip;
    let loop_end = loop_end + i64::from(key.loop_end_offset) - skip;
    let fits = loop_start >= 0 && loop_end <= points.len() as i64 && loop_end - loop_start >= 4;
    let looped = (key.looped && fits).then_some((loop_start as u32, loop_end as u32));

    let end = looped.map_or(points.len(), |(_, end)| end as usize);
    let mut data = Vec::with_capacity(end + OVERRUN + 4);
    data.push(0.0);
    data.extend_from_slice(&points[..end]);
    match looped {
        Some((start, end)) => {
            let once = &points[start as usize..end as usize];
            data.extend(once.iter().cycle().take(OVERRUN + 3));
        }
        None => data.resize(end + OVERRUN + 4, 0.0),
    }
    Ok(Source { data, rate: header.rate as f32, looped, end: end as u32 })
}

fn pcm(chunk: &[u8], header: &SampleRecord) -> Option<Vec<f32>> {
    let (from, to) = (header.start as usize, header.end as usize);
    if to.checked_sub(from)? > MAX_FRAMES {
        return None;
    }
    let bytes = chunk.get(from.checked_mul(2)?..to.checked_mul(2)?)?;
    Some(bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect())
}
