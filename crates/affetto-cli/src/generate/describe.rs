//! The summary a person reads.

use affetto::{EmotionFrom, Take, TakeSummary};

/// What was made, a line for each thing there is to know.
pub fn describe(take: &Take, files: &[String], seconds_taken: f64) -> String {
    let s = take.summary();
    let mut rows = Vec::new();
    if let Some(notes) = &s.notes {
        let length = short(s.duration_seconds);
        let tempo = match notes.tempo_range_bpm {
            Some((slowest, fastest)) => format!("{} to {}", short(f64::from(slowest)), short(f64::from(fastest))),
            None => short(f64::from(notes.tempo_bpm)),
        };
        rows.push(("feeling", feeling(s)));
        rows.push(("music", format!("{}, {}, {tempo} BPM, {length} s", notes.key, notes.meter)));
        rows.push(("plays", format!("{}; {}", notes.instruments.join(", "), counted(notes.note_count, "note"))));
        rows.extend(notes.notes_continued.map(|given| ("begins", format!("with {} as given", counted(given, "note")))));
    }
    if let Some(codes) = &s.codes {
        if !s.emotion_asked.is_empty() {
            rows.push(("feeling", feeling(s)));
        }
        let channels = if codes.channels == 2 { "stereo" } else { "mono" };
        let length = short(s.duration_seconds);
        let frames = counted(codes.frames, "frame");
        rows.push(("sound", format!("{length} s, {channels}, {} Hz; {frames}", take.sample_rate())));
        match codes.frames_continued {
            0 => {}
            1 => rows.push(("begins", "with 1 frame that was given".to_owned())),
            given => rows.push(("begins", format!("with {given} frames that were given"))),
        }
        rows.push(("melody", codes.melody.clone().unwrap_or_default()));
    }
    let followed = s.steering.iter().map(|s| format!("{}={} at {}", s.name, s.strength, s.site));
    rows.push(("steering", followed.collect::<Vec<_>>().join(", ")));
    rows.extend([
        ("seed", s.seed.to_string()),
        ("model", s.model.clone()),
        ("licences", s.licences.join("; ")),
        ("files", if files.is_empty() { "standard output".into() } else { files.join(", ") }),
        ("took", format!("{seconds_taken:.2} s")),
    ]);
    let lines = rows.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name:<9} {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn feeling(s: &TakeSummary) -> String {
    let points: Vec<String> = match s.emotion_asked.as_slice() {
        [one] => vec![format!("valence {:.2}, arousal {:.2}", one.valence, one.arousal)],
        many => many.iter().map(|p| format!("{}:{:.2},{:.2}", p.seconds, p.valence, p.arousal)).collect(),
    };
    let from = match s.emotion_from {
        EmotionFrom::Asked => "as asked".to_owned(),
        EmotionFrom::Lexicon => format!("from the words: {}", s.emotion_words.join(", ")),
        EmotionFrom::Words => "read from the whole prompt".to_owned(),
        EmotionFrom::None => "none asked".to_owned(),
    };
    match points.len() {
        0 => from,
        _ => format!("{} ({from})", points.join("  ")),
    }
}

/// So many of a thing.
fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// At most two decimals, and none that say nothing.
fn short(x: f64) -> String {
    format!("{:.2}", x).trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(72.0), "72");
        assert_eq!(short(100.0), "100");
        assert_eq!(short(92.456), "92.46");
        assert_eq!((counted(1, "note"), counted(0, "note")), ("1 note".to_owned(), "0 notes".to_owned()));
    }
}
