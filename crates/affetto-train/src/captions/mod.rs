//! Captions from templates: what a person might have typed for this window.
//!
//! Every attribute is named at random, so words never say everything, and the same window would be
//! called another thing in the next epoch. One to fourteen words, lower case mostly.

pub mod words;

use affetto_control::Emotion;
use affetto_score::{Instrument, Key, MeterChange, Mode};

use crate::augment::dice::Dice;
use crate::augment::ensembles::name;
use words::{ARTICULATIONS, DENSITIES, DYNAMICS, FEELINGS, MUSIC, NOTHING, SCENES, TEMPI};

/// Most words of a caption.
pub const MAX_WORDS: usize = 14;

/// What is known of a window.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Names of the ensemble, or none.
    pub ensemble: &'a [&'static str],
    /// Instruments that play.
    pub instruments: &'a [Instrument],
    /// Style of the piece.
    pub style: &'a str,
    /// Key where it is clear.
    pub key: Option<Key>,
    /// Quarter notes a minute.
    pub bpm: f32,
    /// Meter.
    pub meter: MeterChange,
    /// Onsets a second.
    pub density: f32,
    /// Mean velocity.
    pub velocity: f32,
    /// Melody's articulation factor, where one was drawn.
    pub articulation: Option<f32>,
    /// Mean feeling.
    pub feeling: Emotion,
    /// Whether the piece ends in the window.
    pub ends: bool,
}

/// A caption of the facts.
pub fn caption(facts: &Facts, dice: &mut Dice) -> String {
    let text = match dice.below(100) {
        0..8 => word(&NOTHING, dice).to_owned(),
        8..17 => who(facts, dice),
        17..23 => feeling(facts.feeling, dice).to_owned(),
        23..30 => word(words::styles(facts.style), dice).to_owned(),
        30..38 => styled(facts, dice),
        38..50 => format!("{} {}", adjective(facts, dice), who(facts, dice)),
        50..60 => sentence(facts, dice),
        60..68 => format!("{} {}", adjective(facts, dice), style_or_music(facts, dice)),
        68..75 => format!("{} for {}", feeling_music(facts, dice), who(facts, dice)),
        75..80 => scene(facts, dice),
        _ => tags(facts, dice),
    };
    finish(&text, dice)
}

/// A caption that names no feeling, for music whose feeling is not told: the style, who plays it, and at times an attribute.
pub fn without_feeling(facts: &Facts, dice: &mut Dice) -> String {
    let text = match dice.below(100) {
        0..8 => word(&NOTHING, dice).to_owned(),
        8..20 => who(facts, dice),
        20..40 => word(words::styles(facts.style), dice).to_owned(),
        40..85 => styled(facts, dice),
        _ => {
            let mut all = vec![who(facts, dice), word(words::styles(facts.style), dice).to_owned()];
            all.extend(attributes(facts, dice));
            shuffled(all, dice)
        }
    };
    finish(&text, dice)
}

/// Lower case or a capital at the start, an article at times, no more than [`MAX_WORDS`] words.
fn finish(text: &str, dice: &mut Dice) -> String {
    let mut kept: Vec<&str> = text.split_whitespace().take(MAX_WORDS).collect();
    if let Some(last) = kept.last_mut() {
        *last = last.trim_end_matches(',');
    }
    // A phrase cut short must not end in a joining word.
    while kept.len() > 1 && matches!(kept[kept.len() - 1], "and" | "with" | "for" | "in" | "a" | "of" | "on" | "the") {
        kept.pop();
    }
    let mut text = kept.join(" ");
    if dice.chance(0.15)
        && let Some(first) = text.get(..1)
    {
        text = first.to_uppercase() + &text[1..];
    }
    text
}

/// One of a list.
fn word(list: &[&'static str], dice: &mut Dice) -> &'static str {
    list[dice.below(list.len())]
}

fn step(table: &[(f32, &'static [&'static str])], value: f32) -> &'static [&'static str] {
    table.iter().find(|(limit, _)| value < *limit).map_or(&[], |(_, words)| words)
}

/// A word for the feeling. Near the borders of a region its neighbour may speak.
fn feeling(emotion: Emotion, dice: &mut Dice) -> &'static str {
    let third = |x: f32, dice: &mut Dice| {
        let x = x + 0.12 * dice.normal();
        if x < -0.25 {
            0
        } else if x < 0.25 {
            1
        } else {
            2
        }
    };
    let (v, a) = (third(emotion.valence, dice), third(emotion.arousal, dice));
    word(FEELINGS[v][a], dice)
}

fn feeling_music(facts: &Facts, dice: &mut Dice) -> String {
    format!("{} {}", feeling(facts.feeling, dice), word(&MUSIC, dice))
}

fn style_or_music(facts: &Facts, dice: &mut Dice) -> &'static str {
    if dice.chance(0.8) { word(words::styles(facts.style), dice) } else { word(&MUSIC, dice) }
}

/// A style and who plays it: what names a texture, and neither a feeling nor an attribute.
fn styled(facts: &Facts, dice: &mut Dice) -> String {
    let (style, players) = (word(words::styles(facts.style), dice), who(facts, dice));
    match dice.below(4) {
        0 => format!("{style}, {players}"),
        1 => format!("{style} on {players}"),
        2 => format!("{style} for {players}"),
        _ => format!("{players} playing {style}"),
    }
}

/// The ensemble's name, or its instruments.
fn who(facts: &Facts, dice: &mut Dice) -> String {
    let mut names: Vec<&str> = Vec::new();
    for instrument in facts.instruments {
        let name = name(instrument.0);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() == 1 {
        return match dice.below(5) {
            0 => format!("solo {}", names[0]),
            1 if !facts.ensemble.is_empty() => word(facts.ensemble, dice).to_owned(),
            _ => names[0].to_owned(),
        };
    }
    if !facts.ensemble.is_empty() && dice.chance(0.7) {
        return word(facts.ensemble, dice).to_owned();
    }
    // Some of the instruments, in any order.
    for i in (1..names.len()).rev() {
        names.swap(i, dice.below(i + 1));
    }
    let most = names.len().min(1 + dice.below(3));
    match &names[..most] {
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three, ..] => format!("{one}, {two} and {three}"),
        [] => "instruments".to_owned(),
    }
}

/// One word or two for how it is played or feels.
fn adjective(facts: &Facts, dice: &mut Dice) -> String {
    let one = |dice: &mut Dice| -> &'static str {
        match dice.below(10) {
            0..5 => feeling(facts.feeling, dice),
            5 | 6 => word(step(&TEMPI, facts.bpm), dice),
            7 => word(step(&DYNAMICS, facts.velocity), dice),
            8 => word(step(&DENSITIES, facts.density), dice),
            _ => match facts.key.map(|k| k.mode) {
                Some(Mode::Major) => "major key",
                Some(Mode::Minor) => "minor key",
                None => feeling(facts.feeling, dice),
            },
        }
    };
    let first = one(dice);
    if dice.chance(0.25) {
        let second = one(dice);
        if second != first {
            return format!("{first}, {second}");
        }
    }
    first.to_owned()
}

fn meter(facts: &Facts) -> Option<&'static str> {
    Some(match (facts.meter.numerator, facts.meter.denominator) {
        (3, 4) => "waltz",
        (6, 8) => "in 6/8",
        (2, 4) => "in two",
        (4, 4) => "in 4/4",
        (12, 8) => "in 12/8",
        (9, 8) => "in 9/8",
        (5, 4) => "in 5/4",
        _ => return None,
    })
}

fn key_name(key: Key, dice: &mut Dice) -> String {
    const SHARPS: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    const FLATS: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];
    let tonic = if dice.chance(0.5) { FLATS } else { SHARPS }[usize::from(key.tonic % 12)];
    format!("in {tonic} {}", if key.mode == Mode::Major { "major" } else { "minor" })
}

fn sentence(facts: &Facts, dice: &mut Dice) -> String {
    let (mood, kind, players) = (feeling(facts.feeling, dice), style_or_music(facts, dice), who(facts, dice));
    let article = |word: &str| if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    match dice.below(6) {
        0 => format!("{} {mood} {kind} with {players}", article(mood)),
        1 => format!("{} {mood} {players} {kind}", article(mood)),
        2 => format!("{players} playing {} {mood} {kind}", article(mood)),
        3 => {
            let tempo = word(step(&TEMPI, facts.bpm), dice);
            format!("{mood} {kind}, {tempo}, {players}")
        }
        4 => format!("{} {kind} that sounds {mood}, {players}", article(kind)),
        _ => match facts.key {
            Some(key) => format!("{mood} {kind} {}, {players}", key_name(key, dice)),
            None => format!("{mood} {kind} played by {players}"),
        },
    }
}

fn scene(facts: &Facts, dice: &mut Dice) -> String {
    let side = |x: f32, dice: &mut Dice| usize::from(x + 0.15 * dice.normal() > 0.0);
    let (v, a) = (side(facts.feeling.valence, dice), side(facts.feeling.arousal, dice));
    let scene = word(SCENES[v][a], dice);
    match dice.below(4) {
        0 => (*scene).to_owned(),
        1 => format!("{} for {scene}", word(&MUSIC, dice)),
        2 => format!("{}, {scene}", who(facts, dice)),
        _ => format!("{} {}, {scene}", feeling(facts.feeling, dice), who(facts, dice)),
    }
}

/// A list of two to five: players, feeling, style and attributes.
fn tags(facts: &Facts, dice: &mut Dice) -> String {
    let mut all: Vec<String> = vec![who(facts, dice), feeling(facts.feeling, dice).to_owned()];
    if dice.chance(0.6) {
        all.push(word(words::styles(facts.style), dice).to_owned());
    }
    all.extend(attributes(facts, dice));
    shuffled(all, dice)
}

/// Some of the attributes, in words.
fn attributes(facts: &Facts, dice: &mut Dice) -> Vec<String> {
    let mut all = Vec::new();
    let maybe: [(f32, String); 6] = [
        (0.4, word(step(&TEMPI, facts.bpm), dice).to_owned()),
        (0.25, word(step(&DYNAMICS, facts.velocity), dice).to_owned()),
        (0.2, word(step(&DENSITIES, facts.density), dice).to_owned()),
        (0.12, facts.articulation.map(|a| word(step(&ARTICULATIONS, a), dice).to_owned()).unwrap_or_default()),
        (0.1, format!("{} bpm", facts.bpm.round())),
        (0.25, facts.key.map(|k| key_name(k, dice)).unwrap_or_default()),
    ];
    for (chance, word) in maybe {
        if dice.chance(chance) && !word.is_empty() {
            all.push(word);
        }
    }
    if dice.chance(0.25)
        && let Some(meter) = meter(facts)
    {
        all.push(meter.to_owned());
    }
    if facts.ends && dice.chance(0.1) {
        all.push("with an ending".to_owned());
    }
    all
}

/// Two to five of them in any order.
fn shuffled(mut all: Vec<String>, dice: &mut Dice) -> String {
    for i in (1..all.len()).rev() {
        all.swap(i, dice.below(i + 1));
    }
    all.truncate(2 + dice.below(4));
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(valence: f32, arousal: f32) -> Facts<'static> {
        Facts {
            ensemble: &[],
            instruments: &[Instrument(0), Instrument(48)],
            style: "pop",
            key: Some(Key { tonic: 9, mode: Mode::Minor }),
            bpm: 70.0,
            meter: MeterChange { tick: 0, numerator: 3, denominator: 4 },
            density: 2.0,
            velocity: 40.0,
            articulation: Some(0.9),
            feeling: Emotion { valence, arousal },
            ends: false,
        }
    }

    #[test]
    fn captions_are_short_varied_and_speak_of_the_feeling() {
        let sad = facts(-0.8, -0.8);
        let all: std::collections::BTreeSet<String> = (0..2000).map(|i| caption(&sad, &mut Dice::new(&[i]))).collect();
        assert!(all.len() > 900, "{}", all.len());
        assert!(all.iter().all(|c| (1..=MAX_WORDS).contains(&c.split_whitespace().count())));
        assert!(all.contains("piano") && all.contains("instrumental music"));
        let with = |word: &str| all.iter().filter(|c| c.contains(word)).count();
        assert!(with("mournful") > 5 && with("joyful") == 0 && with("presto") == 0);
        assert!(with("slow") > 20 && with("waltz") > 5 && with("A minor") > 5);
    }

    #[test]
    fn captions_without_feeling_name_none() {
        let sad = facts(-0.8, -0.8);
        let all: std::collections::BTreeSet<String> =
            (0..2000).map(|i| without_feeling(&sad, &mut Dice::new(&[i])).to_lowercase()).collect();
        assert!(all.len() > 200, "{}", all.len());
        let feelings: Vec<&str> = FEELINGS.iter().flatten().flat_map(|words| words.iter().copied()).collect();
        // Tempo and loudness have words of their own that feelings share.
        let shared = |word: &str| {
            TEMPI.iter().chain(&DYNAMICS).chain(&DENSITIES).any(|(_, words)| words.iter().any(|w| w.contains(word)))
        };
        for caption in &all {
            let named = caption.split([' ', ',']).find(|word| feelings.contains(word) && !shared(word));
            assert_eq!(named, None, "{caption}");
        }
        assert!(all.contains("pop song for piano") && all.iter().any(|c| c.contains("slow")));
    }

    #[test]
    fn equal_draws_give_equal_captions() {
        assert_eq!(caption(&facts(0.5, 0.5), &mut Dice::new(&[7])), caption(&facts(0.5, 0.5), &mut Dice::new(&[7])));
    }
}
