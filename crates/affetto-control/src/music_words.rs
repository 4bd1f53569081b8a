//! Words that say what music is made of, and nothing of how it feels.
//!
//! The head that reads whole prompts was fitted on news and on words of feeling. Of "traditional melody, solo
//! clarinet" it makes a deep calm, which nobody asked for. A prompt of such words alone names no feeling; the language
//! model and the attributes' prior still hear it. Plurals count, but not the lexicon's other endings: "bitter" is not
//! more of a bit.

/// Instruments, groups, forms, styles, periods, and what joins them; in lower case, in the singular.
const WORDS: &str = "\
    a an the of on in for with and or by to from some any one two three four five music musical piece tune song \
    melody track instrumental instrument soundtrack score theme sound composition number loop background play \
    playing played solo duo duet trio quartet quintet ensemble orchestra orchestral symphony symphonic chamber band \
    full group piano upright keyboard guitar acoustic electric nylon steel distorted overdriven bass double violin \
    fiddle viola cello contrabass string choir choral voice vocal organ church pipe pan harpsichord celesta \
    glockenspiel vibraphone marimba mallet xylophone accordion harp flute piccolo recorder oboe clarinet bassoon \
    saxophone sax trumpet trombone horn tuba brass woodwind percussion drum as kit timpani bell box synth \
    synthesizer pad lead chip chiptune bit electronic rhode chorale hymn carol sonata sonatina fugue prelude etude \
    invention suite rondo waltz minuet gavotte sarabande reel jig hornpipe polka strathspey air ballad sheet chord \
    accompaniment part harmony counterpoint arpeggio baroque renaissance medieval classical bach mozart beethoven \
    chopin pop rock jazz blues metal folk country celtic irish scottish english french german american mandopop tin \
    alley ragtime standard evergreen traditional old vintage retro modern new style genre game video film movie \
    meter tempo bpm";

/// Names of kinds of music in which a word sounds like a feeling and is none: a folk dance may be as sad as a love song.
const KINDS: [&str; 12] = [
    "folk dance",
    "irish dance",
    "celtic dance",
    "scottish dance",
    "country dance",
    "court dance",
    "baroque dance",
    "sailor dance",
    "love song",
    "sacred music",
    "sacred song",
    "action game",
];

/// `text` in lower case, words apart by single spaces, hyphens too, where each name of a kind of music that sounds like a
/// feeling is plain "music".
///
/// ```
/// use affetto_control::music_words::plain_kinds;
/// assert_eq!(plain_kinds("A sad Love Song"), "a sad music");
/// assert_eq!(plain_kinds("dance music, in love"), "dance music, in love");
/// ```
pub fn plain_kinds(text: &str) -> String {
    let mut text = text.to_lowercase().replace('-', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    for kind in KINDS {
        let mut from = 0;
        while let Some(start) = text[from..].find(kind).map(|i| from + i) {
            let end = start + kind.len();
            let end = end + usize::from(text[end..].starts_with('s'));
            let goes_on = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            if goes_on(text[..start].chars().next_back()) || goes_on(text[end..].chars().next()) {
                from = end;
            } else {
                text.replace_range(start..end, "music");
                from = start;
            }
        }
    }
    text
}

/// Whether `text` has words, and all of them say what music is made of; numbers do too.
///
/// ```
/// use affetto_control::music_words::nothing_else;
/// assert!(nothing_else("Traditional melody, solo clarinet"));
/// assert!(!nothing_else("traditional melody at a graveside"));
/// ```
pub fn nothing_else(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    let plain = |word: &str| {
        let of_more_than_one =
            |w: &str| word.len() > 3 && word.strip_prefix(w).is_some_and(|end| matches!(end, "s" | "es"));
        WORDS.split(' ').any(|w| w == word || of_more_than_one(w)) || word.bytes().all(|b| b.is_ascii_digit())
    };
    words.peek().is_some() && words.all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;

    #[test]
    fn plain_prompts_name_no_feeling_and_scenes_may() {
        for plain in
            ["instrumental music", "a hymn on the organ", "Four-part chorale, string quartet", "two waltzes in 3/4"]
        {
            assert!(nothing_else(plain), "{plain}");
        }
        for scene in ["water over stones", "", " , ", "lullaby for a child", "rain on a tin roof", "ins and outs"] {
            assert!(!nothing_else(scene), "{scene}");
        }
    }

    #[test]
    fn a_kind_of_music_is_no_feeling_whatever_its_name_sounds_like() {
        for (text, plain) in [
            ("a modern love song for piano", "a modern music for piano"),
            ("Folk dances; LOVE SONGS", "music; music"),
            ("action game", "music"),
            ("action gamers, glove song", "action gamers, glove song"),
            ("love song love song", "music music"),
            ("a song of love", "a song of love"),
            ("A folk-dance,  a love\nsong", "a music, a music"),
            ("ein LOVE SONG für İstanbul", "ein music für i\u{307}stanbul"),
        ] {
            assert_eq!(plain_kinds(text), plain);
        }
    }

    #[test]
    fn no_word_of_the_lexicon_is_said_to_feel_like_nothing() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/lexicon/lexicon.csv");
        let lexicon = Lexicon::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        for word in WORDS.split(' ') {
            assert!(lexicon.get_inflected(word).is_none(), "{word}");
        }
    }
}
