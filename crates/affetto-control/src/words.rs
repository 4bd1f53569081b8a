//! What feeling the words of a prompt name, for when no feeling is asked for outright.
//!
//! Words of the lexicon count first: their mean, where one after a "not" or "without" counts as its opposite at half
//! strength ("not sad" is a little glad). A prompt without such a word is read by a linear head on MiniLM's sentence
//! embedding, fitted on rated sentences; its raw answers are spread over [-1, 1] by their quantiles (33 knots,
//! `q ↦ 2q − 1`), as all feelings here are. That head hardly hears a "not", so negated words are not left to it, nor
//! are prompts of nothing but musical words ([`music_words`](crate::music_words)).

use affetto_engine::{Checkpoint, EngineError};

use crate::conditions::TEXT_WIDTH;
use crate::emotion::Emotion;
use crate::lexicon::Lexicon;

/// Quantiles of the head's answers that are stored, for each axis.
pub const KNOTS: usize = 33;

/// What a negated word still weighs, with both signs turned: "not sad" says less than "happy" does.
const NEGATED: f32 = -0.5;
/// What negates the words after it; so does whatever ends in "n't".
const NEGATIONS: [&str; 16] = [
    "not", "no", "non", "never", "without", "neither", "nor", "cannot", "dont", "isnt", "doesnt", "arent", "wasnt",
    "wont", "shouldnt", "cant",
];
/// What may stand between a negation and the word that it negates.
const BETWEEN: [&str; 38] = [
    "a",
    "an",
    "the",
    "any",
    "all",
    "at",
    "too",
    "very",
    "so",
    "really",
    "quite",
    "that",
    "this",
    "it",
    "be",
    "being",
    "feel",
    "feels",
    "feeling",
    "sound",
    "sounds",
    "sounding",
    "make",
    "get",
    "gets",
    "more",
    "longer",
    "in",
    "way",
    "particularly",
    "overly",
    "even",
    "of",
    "such",
    "bit",
    "least",
    "hint",
    "trace",
];
/// What lets a negation reach on from one word of the lexicon to the next: "neither sad nor dark".
const REACHING: [&str; 3] = ["or", "nor", "and"];

/// What the words of a prompt were taken to mean.
#[derive(Clone, Debug, PartialEq)]
pub struct WordsReading {
    /// The feeling.
    pub emotion: Emotion,
    /// The words of the lexicon it was taken from, each once, in order; negated ones as "not …".
    pub words: Vec<String>,
}

/// Reads the lexicon's words in `text`: their mean, each time one is said, negated ones as their opposite at half
/// strength. `None` where there are none.
///
/// ```
/// use affetto_control::{Lexicon, words};
/// let lexicon = Lexicon::parse("serene,0.6,-0.8\nsad,-0.7,-0.4").unwrap();
/// let reading = words::read_lexicon(&lexicon, "serene strings, not sad").unwrap();
/// assert_eq!(reading.words, ["serene", "not sad"]);
/// assert!(reading.emotion.valence > 0.4);
/// ```
pub fn read_lexicon(lexicon: &Lexicon, text: &str) -> Option<WordsReading> {
    let lower = text.to_lowercase().replace(['’', '‘', 'ʼ', '´', '`'], "'");
    let mut sum = Emotion::NEUTRAL;
    let mut count = 0.0;
    let mut said: Vec<String> = Vec::new();
    for clause in lower.split([',', '.', ';', ':', '!', '?', '(', ')', '\n']) {
        let mut negated = false;
        let mut after_word = false;
        for word in words_of(lexicon, clause) {
            if let Some(emotion) = lexicon.get_inflected(word) {
                let weight = if negated { NEGATED } else { 1.0 };
                sum.valence += weight * emotion.valence;
                sum.arousal += weight * emotion.arousal;
                count += 1.0;
                let name = if negated { format!("not {word}") } else { word.to_owned() };
                if !said.contains(&name) {
                    said.push(name);
                }
                after_word = true;
                continue;
            }
            negated = match word {
                _ if NEGATIONS.contains(&word) || word.ends_with("n't") => true,
                _ if after_word => negated && REACHING.contains(&word),
                _ => negated && BETWEEN.contains(&word),
            };
            after_word = false;
        }
    }
    let emotion = Emotion { valence: sum.valence / count, arousal: sum.arousal / count };
    (count > 0.0).then_some(WordsReading { emotion, words: said })
}

/// The words of a clause: those with hyphens whole where the lexicon has them so, else their parts.
fn words_of<'a>(lexicon: &Lexicon, clause: &'a str) -> Vec<&'a str> {
    let is_mark = |c: char| !c.is_alphanumeric() && c != '\'' && c != '-';
    let mut words = Vec::new();
    for word in clause.split(is_mark).map(|word| word.trim_matches('\'')) {
        match lexicon.get_inflected(word) {
            Some(_) => words.push(word),
            None => words.extend(word.split('-')),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The linear head that reads whole sentences.
#[derive(Clone, Debug, PartialEq)]
pub struct WordsHead {
    /// `[2 × TEXT_WIDTH]`: valence, then arousal.
    weight: Vec<f32>,
    bias: [f32; 2],
    knots: [Vec<f32>; 2],
}

impl WordsHead {
    /// The head of a checkpoint with `weight [2, TEXT_WIDTH]`, `bias [2]`, `knots_valence [33]` and `knots_arousal [33]`.
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
            weight: read("weight", &[2, TEXT_WIDTH])?,
            bias: [bias[0], bias[1]],
            knots: [knots("knots_valence")?, knots("knots_arousal")?],
        })
    }

    /// The feeling of a sentence embedding ([`TEXT_WIDTH`] wide, mean of the token states, L2-normalised).
    ///
    /// # Panics
    /// When `sentence` is not [`TEXT_WIDTH`] long.
    pub fn read(&self, sentence: &[f32]) -> Emotion {
        assert_eq!(sentence.len(), TEXT_WIDTH, "a sentence embedding is {TEXT_WIDTH} wide");
        let axis = |i: usize| {
            let row = &self.weight[i * TEXT_WIDTH..(i + 1) * TEXT_WIDTH];
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
    fn words_are_averaged() {
        let read = |text: &str| read_lexicon(&lexicon(), text);
        let both = read("Calm but HAPPY guitar").unwrap();
        assert_eq!(both.words, ["calm", "happy"]);
        assert!((both.emotion.valence - 0.6).abs() < 1e-6 && (both.emotion.arousal + 0.1).abs() < 1e-6);
        assert_eq!(read("a calm-sounding harp").unwrap().words, ["calm"]);
        assert_eq!(read("'happy'").unwrap().words, ["happy"]);
        assert_eq!(read("lo-fi beat"), None);
        assert_eq!(read("not a song"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_negated_word_counts_as_its_opposite_at_half_strength() {
        let read = |text: &str| read_lexicon(&lexicon(), text).unwrap();
        for text in [
            "not sad",
            "not a sad song",
            "it isn't sad",
            "it isn\u{2019}t sad",
            "it isnt very sad",
            "without any sad chords",
            "never gets too sad",
            "not-so-sad piano",
            "don't make it sad",
        ] {
            let reading = read(text);
            assert_eq!(reading.emotion, Emotion { valence: 0.4, arousal: 0.2 }, "{text}");
            assert_eq!(reading.words, ["not sad"], "{text}");
        }
        assert_eq!(read("neither sad nor calm").words, ["not sad", "not calm"]);
        assert_eq!(read("not sad or calm").words, ["not sad", "not calm"]);
    }

    #[test]
    fn a_negation_reaches_no_further_than_what_it_negates() {
        let words = |text: &str| read_lexicon(&lexicon(), text).unwrap().words;
        assert_eq!(words("no, sad"), ["sad"], "a comma ends what a 'no' reaches");
        assert_eq!(words("no drums calm piano"), ["calm"]);
        assert_eq!(words("not only sad"), ["sad"]);
        assert_eq!(words("not sad but happy"), ["not sad", "happy"]);
        assert_eq!(words("it isn't sad, calm though"), ["not sad", "calm"]);
    }

    #[test]
    fn a_word_said_often_weighs_often_and_is_listed_once() {
        let reading = read_lexicon(&lexicon(), "happy happy happy sad").unwrap();
        assert_eq!(reading.words, ["happy", "sad"]);
        assert!((reading.emotion.valence - 0.4).abs() < 1e-6);
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
        let mut sentence = vec![0.0; TEXT_WIDTH];
        sentence[0] = -0.25;
        let emotion = file(&rising, TEXT_WIDTH).unwrap().read(&sentence);
        assert!((emotion.valence - 0.5).abs() < 1e-6 && (emotion.arousal + 0.25).abs() < 1e-6);
        assert!(file(&rising, 300).unwrap_err().to_string().contains("weight"));
        let falling: Vec<f32> = rising.iter().rev().copied().collect();
        assert!(file(&falling, TEXT_WIDTH).unwrap_err().to_string().contains("knots_valence"));
    }
}
