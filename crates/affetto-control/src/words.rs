//! What feeling the words of a prompt name, for when no feeling is asked for outright.
//!
//! Words of the lexicon count first: their mean, those after a "not" or "without" left out. A prompt without
//! such a word is read by a linear head on MiniLM's sentence embedding, fitted on rated sentences; its raw
//! answers are spread over [-1, 1] by their quantiles (33 knots, `q ↦ 2q − 1`), as all feelings here are.

use affetto_engine::{Checkpoint, EngineError};
use serde::{Deserialize, Serialize};

use crate::emotion::Emotion;
use crate::lexicon::Lexicon;

/// Width of a sentence embedding.
pub const SENTENCE_WIDTH: usize = 384;
/// Quantiles of the head's answers that are stored, for each axis.
pub const KNOTS: usize = 33;

/// What the words were taken to mean, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordsReading {
    /// The feeling.
    pub emotion: Emotion,
    /// The words of the lexicon it was taken from; empty where the head read the whole sentence.
    pub words: Vec<String>,
}

/// Reads the lexicon's words in `text`: their mean. `None` where there are none, or all are negated.
///
/// ```
/// use affetto_control::{Lexicon, words};
/// let lexicon = Lexicon::parse("serene,0.6,-0.8\nsad,-0.7,-0.4").unwrap();
/// let reading = words::read_lexicon(&lexicon, "serene strings, not sad").unwrap();
/// assert_eq!(reading.words, ["serene"]);
/// ```
pub fn read_lexicon(lexicon: &Lexicon, text: &str) -> Option<WordsReading> {
    const NEGATIONS: [&str; 7] = ["not", "no", "never", "without", "neither", "nor", "don't"];
    const REACH: usize = 2;
    let lower = text.to_lowercase();
    let mut found: Vec<(String, Emotion)> = Vec::new();
    for clause in lower.split([',', '.', ';', ':', '!', '?', '(', ')', '\n']) {
        let is_mark = |c: char| !c.is_alphanumeric() && c != '\'' && c != '-';
        let words: Vec<&str> = clause.split(is_mark).filter(|w| !w.is_empty()).collect();
        for (i, word) in words.iter().enumerate() {
            let whole = lexicon.get_inflected(word).map(|emotion| vec![((*word).to_owned(), emotion)]);
            let parts = || {
                let known = |part: &str| lexicon.get_inflected(part).map(|emotion| (part.to_owned(), emotion));
                word.split('-').filter_map(known).collect::<Vec<_>>()
            };
            let negated = words[i.saturating_sub(REACH)..i].iter().any(|w| NEGATIONS.contains(w) || w.ends_with("n't"));
            if !negated {
                found.extend(whole.unwrap_or_else(parts));
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    let mean = |axis: fn(&Emotion) -> f32| found.iter().map(|(_, e)| axis(e)).sum::<f32>() / found.len() as f32;
    let emotion = Emotion { valence: mean(|e| e.valence), arousal: mean(|e| e.arousal) };
    Some(WordsReading { emotion, words: found.into_iter().map(|(word, _)| word).collect() })
}

/// The linear head that reads whole sentences.
#[derive(Clone, Debug, PartialEq)]
pub struct WordsHead {
    /// `[2 × 384]`: valence, then arousal.
    weight: Vec<f32>,
    bias: [f32; 2],
    knots: [Vec<f32>; 2],
}

impl WordsHead {
    /// The head of a checkpoint with `weight [2, 384]`, `bias [2]`, `knots_valence [33]` and `knots_arousal [33]`.
    ///
    /// # Errors
    /// Names the file and the tensor that is missing, has another shape, is not finite, or (knots) falls.
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Result<WordsHead, EngineError> {
        let format = |reason: String| EngineError::Format { file: checkpoint.file(), reason };
        let read = |name: &str, shape: &[usize]| {
            let values = checkpoint.tensor_f32(name, shape)?;
            match values.iter().all(|x| x.is_finite()) {
                true => Ok(values),
                false => Err(format(format!("{name} holds numbers that are not finite"))),
            }
        };
        let bias = read("bias", &[2])?;
        let knots = |name: &str| {
            let knots = read(name, &[KNOTS])?;
            match knots.is_sorted() {
                true => Ok(knots),
                false => Err(format(format!("{name} falls; expected quantiles in rising order"))),
            }
        };
        Ok(WordsHead {
            weight: read("weight", &[2, SENTENCE_WIDTH])?,
            bias: [bias[0], bias[1]],
            knots: [knots("knots_valence")?, knots("knots_arousal")?],
        })
    }

    /// The feeling of a sentence embedding (`[384]`, mean of the token states, L2-normalised).
    ///
    /// # Panics
    /// When `sentence` is not 384 long.
    pub fn read(&self, sentence: &[f32]) -> Emotion {
        assert_eq!(sentence.len(), SENTENCE_WIDTH, "a sentence embedding is {SENTENCE_WIDTH} wide");
        let axis = |i: usize| {
            let row = &self.weight[i * SENTENCE_WIDTH..(i + 1) * SENTENCE_WIDTH];
            let raw = row.iter().zip(sentence).map(|(w, x)| w * x).sum::<f32>() + self.bias[i];
            spread(raw, &self.knots[i])
        };
        Emotion { valence: axis(0), arousal: axis(1) }
    }
}

/// Where `raw` lies among quantiles, as `2q − 1`; linear between knots, ±1 beyond them.
fn spread(raw: f32, knots: &[f32]) -> f32 {
    let above = knots.partition_point(|&k| k <= raw);
    let last = (knots.len() - 1) as f32;
    let position = match above {
        0 => 0.0,
        n if n == knots.len() => last,
        n => {
            let (low, high) = (knots[n - 1], knots[n]);
            (n - 1) as f32 + (raw - low) / (high - low)
        }
    };
    2.0 * position / last - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon() -> Lexicon {
        Lexicon::parse("calm,0.4,-0.8\nhappy,0.8,0.6\nsad,-0.8,-0.4\n").unwrap()
    }

    #[test]
    fn words_are_averaged_and_negated_ones_left_out() {
        let read = |text: &str| read_lexicon(&lexicon(), text);
        let both = read("Calm but HAPPY guitar").unwrap();
        assert_eq!(both.words, ["calm", "happy"]);
        assert!((both.emotion.valence - 0.6).abs() < 1e-6 && (both.emotion.arousal + 0.1).abs() < 1e-6);
        assert_eq!(read("not a sad song"), None);
        assert_eq!(read("it isn't sad, calm though").unwrap().words, ["calm"]);
        assert_eq!(read("no, sad").unwrap().words, ["sad"], "a comma ends what a 'no' reaches");
        assert_eq!(read("a calm-sounding harp").unwrap().words, ["calm"]);
        assert_eq!(read("lo-fi beat"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn answers_are_spread_by_quantiles() {
        let knots: Vec<f32> = (0..KNOTS).map(|i| (i as f32 / 32.0).powi(2)).collect();
        assert_eq!(spread(-1.0, &knots), -1.0);
        assert_eq!(spread(2.0, &knots), 1.0);
        assert!((spread(0.25, &knots)).abs() < 1e-6);
        assert_eq!(spread(0.5, &[0.5; KNOTS]), 1.0, "equal knots do not divide by zero");
    }

    #[test]
    fn the_head_is_read_from_its_file_and_wrong_files_are_named() {
        let file = |knots: &[f32], width: usize| {
            let weight: Vec<f32> = (0..2 * width).map(|i| if i == width { 1.0 } else { 0.0 }).collect();
            let bytes = |x: &[f32]| x.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
            let (weight, bias, knots) = (bytes(&weight), bytes(&[0.5, 0.0]), bytes(knots));
            let mut header = String::from("{");
            let mut data = Vec::new();
            for (name, shape, part) in [
                ("weight", format!("[2,{width}]"), &weight),
                ("bias", "[2]".into(), &bias),
                ("knots_valence", "[33]".into(), &knots),
                ("knots_arousal", "[33]".into(), &knots),
            ] {
                let (start, end) = (data.len(), data.len() + part.len());
                let comma = if header.len() > 1 { "," } else { "" };
                header += &format!(
                    "{comma}\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{start},{end}]}}"
                );
                data.extend_from_slice(part);
            }
            header += "}";
            let mut all = (header.len() as u64).to_le_bytes().to_vec();
            all.extend_from_slice(header.as_bytes());
            all.extend_from_slice(&data);
            WordsHead::from_checkpoint(&Checkpoint::from_bytes("head.safetensors", all).unwrap())
        };
        let rising: Vec<f32> = (0..KNOTS).map(|i| i as f32 / 16.0 - 1.0).collect();
        let mut sentence = vec![0.0; SENTENCE_WIDTH];
        sentence[0] = -0.25;
        let emotion = file(&rising, SENTENCE_WIDTH).unwrap().read(&sentence);
        assert!((emotion.valence - 0.5).abs() < 1e-6 && (emotion.arousal + 0.25).abs() < 1e-6);
        assert!(file(&rising, 300).unwrap_err().to_string().contains("weight"));
        let falling: Vec<f32> = rising.iter().rev().copied().collect();
        assert!(file(&falling, SENTENCE_WIDTH).unwrap_err().to_string().contains("knots_valence"));
    }
}
