//! What takes work from besides words: a melody, and what they begin with. Takes of one prompt share the work.

use std::sync::Arc;

use affetto_models::melody::Chroma;
use affetto_models::musicgen::{Melody as ChromaMelody, MusicGenConfig};

use super::CodesSound;
use crate::continuation::{Continuation, Source};
use crate::error::Result;
use crate::families::Family;
use crate::melody::Melody;
use crate::take_file::StoredTake;

/// What was prepared last, in case the next take asks for the same.
#[derive(Default)]
pub(crate) struct Heard {
    melody: Option<(Melody, Arc<ChromaMelody>)>,
    beginning: Option<(Continuation, Arc<[u32]>)>,
}

impl Heard {
    /// A melody as the model hears it.
    pub fn melody(&mut self, melody: &Melody) -> Result<Arc<ChromaMelody>> {
        if let Some((_, chroma)) = self.melody.as_ref().filter(|(known, _)| known.is(melody)) {
            return Ok(chroma.clone());
        }
        let made = Arc::new(chroma(melody)?);
        self.melody = Some((melody.clone(), made.clone()));
        Ok(made)
    }

    /// The codes `[n, K]` of what a take shall begin with, for the model of this name.
    pub fn beginning(
        &mut self,
        from: &Continuation,
        sound: &CodesSound,
        config: &MusicGenConfig,
        model: &str,
    ) -> Result<Arc<[u32]>> {
        if let Some((_, codes)) = self.beginning.as_ref().filter(|(known, _)| known.is(from)) {
            return Ok(codes.clone());
        }
        let codes = match &*from.source {
            Source::Codes(stored) => stored_codes(from, stored, config, model)?,
            Source::Sound(audio) => sound.encode(audio)?.map_err(|reason| from.bad(reason))?,
            Source::Notes(_) => return Err(from.bad("notes, expected sound or codes".into())),
        };
        let codes: Arc<[u32]> = codes.into();
        self.beginning = Some((from.clone(), codes.clone()));
        Ok(codes)
    }
}

fn chroma(melody: &Melody) -> Result<ChromaMelody> {
    let extractor = Chroma::default();
    let frame_rate = extractor.frame_rate();
    if let Some(chroma) = melody.chroma_of_notes(frame_rate) {
        return Ok(ChromaMelody { chroma, frame_rate });
    }
    let samples = match melody.samples_at(extractor.sample_rate()) {
        Some(samples) => samples?,
        None => Vec::new(),
    };
    Ok(ChromaMelody { chroma: extractor.of(&samples), frame_rate })
}

/// The codes of a stored take, `[frames, K]`, checked against the model.
fn stored_codes(from: &Continuation, stored: &StoredTake, config: &MusicGenConfig, model: &str) -> Result<Vec<u32>> {
    let streams = config.decoder.streams();
    if stored.family != Family::MusicGen.name() {
        let reason = format!("a take of {}, expected one of musicgen; give its sound instead", stored.family);
        return Err(from.bad(reason));
    }
    if stored.codes.len() != streams {
        let found = stored.codes.len();
        return Err(from.bad(format!("{found} streams of codes, expected the {streams} of {model}")));
    }
    let frames = stored.codes[0].len();
    if let Some(k) = stored.codes.iter().position(|stream| stream.len() != frames) {
        let found = stored.codes[k].len();
        return Err(from.bad(format!("stream {k} has {found} codes, expected {frames} as in stream 0")));
    }
    let rates = (config.sampling_rate, config.frame_rate as f64);
    if stored.sample_rate.is_some_and(|rate| rate != rates.0) || stored.frame_rate.is_some_and(|rate| rate != rates.1) {
        return Err(from.bad(format!(
            "{:?} Hz with {:?} frames a second, expected {} Hz with {}",
            stored.sample_rate.unwrap_or(rates.0),
            stored.frame_rate.unwrap_or(rates.1),
            rates.0,
            rates.1
        )));
    }
    for (k, stream) in stored.codes.iter().enumerate() {
        let size = config.decoder.vocab_sizes[k];
        if let Some(frame) = stream.iter().position(|&code| code as usize >= size) {
            let code = stream[frame];
            return Err(from.bad(format!("code {code} in stream {k}, frame {frame}; expected below {size}")));
        }
    }
    if frames == 0 {
        return Err(from.bad("no codes in it; give a take with sound".into()));
    }
    Ok((0..frames).flat_map(|frame| stored.codes.iter().map(move |stream| stream[frame])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use affetto_audio::AudioBuffer;

    #[test]
    fn a_melody_is_heard_once_for_many_takes() {
        let tone = |hertz: f32| {
            let samples = (0..32_000).map(|i| (i as f32 * hertz * std::f32::consts::TAU / 32_000.0).sin()).collect();
            Melody::from_audio("tone", AudioBuffer { sample_rate: 32_000, channels: vec![samples] }).unwrap()
        };
        let (mut heard, first, second) = (Heard::default(), tone(440.0), tone(600.0));
        let chroma = heard.melody(&first).unwrap();
        assert!(Arc::ptr_eq(&chroma, &heard.melody(&first.clone()).unwrap()));
        assert_ne!(chroma, heard.melody(&second).unwrap());
        assert_eq!(chroma, heard.melody(&first).unwrap());
    }
}
