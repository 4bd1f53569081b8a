//! What is measured of a take: attributes of its notes, feelings as judges hear them, styles, timbres, quality.

use affetto::{Assets, Take};
use affetto_judge::attributes::{self, ATTRIBUTES};
use affetto_judge::classes::{self, Classes, Reads};
use affetto_judge::hearing::{Ears, Hearing};
use affetto_judge::metrics::{self, METRICS};
use affetto_judge::{EmotionReading, NotesJudge, SoundJudge};
use serde::Serialize;

use crate::args::BenchSteerArgs;
use crate::bench::{judges, no_notes};
use crate::failure::Failure;
use crate::{input, predictor};

/// Other words for what is measured.
const WORDS: [(&str, &str); 14] = [
    ("note-density", "density"),
    ("onsets", "density"),
    ("pitch", "register"),
    ("major", "mode"),
    ("legato", "articulation"),
    ("bells", "mallets"),
    ("winds", "woodwinds"),
    ("woodwind", "woodwinds"),
    ("voices", "choir"),
    ("pop", "pop909"),
    ("chorale", "chorales"),
    ("leadsheet", "openewld"),
    ("jazz", "openewld"),
    ("game", "freedoom"),
];

/// How closely a take is heard; notes are always read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listening {
    /// Timbre: MusiCNN and texture.
    Timbre,
    /// Also what the sound judges of feeling need: transcribed notes, which take long.
    Everything,
}

/// Numbers of a take, or of a span of one.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// In the order of [`Measures::names`]; NaN (in JSON null) for what was not listened for.
    pub values: Vec<f64>,
    /// In the order of [`METRICS`].
    pub quality: [f64; METRICS.len()],
}

/// All there is to measure with.
pub struct Measures {
    notes: NotesJudge,
    sound: SoundJudge,
    styles: Option<Classes>,
    timbres: Option<Classes>,
    ears: Ears,
    names: Vec<String>,
}

impl Measures {
    /// Judges and classifiers of the folder that `args` name. Classifiers that are not there are left out.
    ///
    /// # Errors
    /// A judge that is missing, or a file that is broken.
    pub fn open(assets: &Assets, args: &BenchSteerArgs) -> Result<Measures, Failure> {
        let judge = |name: &str| judges::read_judge(&args.research, args.judges, name);
        let (path, text) = judge("notes-judge")?;
        let notes = NotesJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
        let (path, text) = judge("sound-judge")?;
        let sound = SoundJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
        let styles = classifiers(args, "styles.json", Reads::Notes)?;
        let timbres = classifiers(args, "timbres.json", Reads::Sound)?;
        let mut names: Vec<String> = ATTRIBUTES.iter().map(|a| a.name.to_owned()).collect();
        names.extend(["valence (notes)", "arousal (notes)", "valence (sound)", "arousal (sound)"].map(str::to_owned));
        names.extend(styles.iter().flat_map(|c| c.names()).map(|name| format!("{name} (style)")));
        names.extend(timbres.iter().flat_map(|c| c.names()).map(|name| format!("{name} (heard)")));
        Ok(Measures { notes, sound, styles, timbres, ears: predictor::ears(assets)?, names })
    }

    /// What is measured, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Words that [`Measures::own`] knows: what is measured, each once.
    pub fn words(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.names.iter().map(|name| word(name)).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// What a direction of this name is meant to move; the first is the one that counts. For feelings what judges hear, for
    /// styles and timbres what classifiers say, else what the notes say. Empty where nothing fits.
    pub fn own(&self, name: &str) -> Vec<usize> {
        own(&self.names, name)
    }

    /// The smallest deviation that changes of a measure are divided by: shares of notes that nobody plays do not vary.
    pub fn least_sd(&self, at: usize) -> f64 {
        let share = ATTRIBUTES.get(at).is_some_and(|a| a.is_share());
        if share { 0.05 } else { 1e-6 }
    }

    /// Listens to a whole take.
    ///
    /// # Errors
    /// A take without notes, sound that cannot be made or heard.
    pub fn measure(&self, take: &Take, listening: Listening) -> Result<Measured, Failure> {
        let seconds = take.summary().duration_seconds;
        Ok(self.measure_spans(take, listening, &[(0.0, seconds)])?.remove(0))
    }

    /// Listens to a take, and measures each of some spans. Quality is that of the whole.
    ///
    /// # Errors
    /// As [`Measures::measure`].
    pub fn measure_spans(
        &self,
        take: &Take,
        listening: Listening,
        spans: &[(f64, f64)],
    ) -> Result<Vec<Measured>, Failure> {
        let written = take.written().ok_or_else(no_notes)?;
        let quality = metrics::measure(written).values();
        let failed = |e: &dyn std::fmt::Display| Failure::failed(e.to_string());
        let audio = take.audio()?;
        let hearing = match listening {
            Listening::Timbre => self.ears.hear_timbre(audio),
            Listening::Everything => self.ears.hear(audio),
        };
        let hearing = hearing.map_err(|e| failed(&e))?;
        spans
            .iter()
            .map(|&span| Ok(Measured { values: self.values(take, &hearing, listening, span)?, quality }))
            .collect()
    }

    fn values(
        &self,
        take: &Take,
        hearing: &Hearing,
        listening: Listening,
        (start, end): (f64, f64),
    ) -> Result<Vec<f64>, Failure> {
        // As it is written for what is counted, as it is played for what judges read.
        let (written, played) = (take.written().ok_or_else(no_notes)?, take.score().ok_or_else(no_notes)?);
        let mut values = attributes::measure_all(written, start, end);
        let notes = self.notes.judge(played, (start, end));
        let sound = match listening {
            Listening::Everything => self.sound.judge_span(hearing, start, end),
            Listening::Timbre => EmotionReading { valence: f64::NAN, arousal: f64::NAN },
        };
        values.extend([notes.valence, notes.arousal, sound.valence, sound.arousal]);
        if let Some(styles) = &self.styles {
            values.extend(styles.answers(&classes::notes_numbers(played, start, end)));
        }
        if let Some(timbres) = &self.timbres {
            values.extend(timbres.answers(&classes::sound_numbers(hearing, start, end)));
        }
        Ok(values)
    }

    /// The measures that need [`Listening::Everything`].
    pub fn needs(&self, own: &[usize]) -> Listening {
        let feeling = own.iter().any(|&i| self.names[i].ends_with("(sound)"));
        if feeling { Listening::Everything } else { Listening::Timbre }
    }
}

/// A measure without what says who measures it.
fn word(name: &str) -> &str {
    name.split(" (").next().unwrap_or(name)
}

fn own(names: &[String], name: &str) -> Vec<usize> {
    let plain = name.trim().to_lowercase().replace(['_', ' '], "-");
    let wanted = WORDS.iter().find(|(other, _)| *other == plain).map_or(plain.as_str(), |(_, word)| word);
    let mut found: Vec<usize> = (0..names.len()).filter(|&i| word(&names[i]) == wanted).collect();
    // Shares of notes say least of a timbre: what is heard comes first.
    found.sort_by_key(|&i| !names[i].ends_with("(heard)"));
    found
}

fn classifiers(args: &BenchSteerArgs, file: &str, reads: Reads) -> Result<Option<Classes>, Failure> {
    let path = args.research.join("steering").join(file);
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let text = match input::text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let classes = Classes::load(&text).map_err(|e| failed(&e))?;
    match classes.reads == reads {
        true => Ok(Some(classes)),
        false => Err(failed(&format!("reads {:?}, expected {reads:?}", classes.reads))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_what_is_measured() {
        let names =
            ["density", "mode", "strings", "valence (notes)", "valence (sound)", "folk (style)", "strings (heard)"];
        let names = names.map(str::to_owned);
        assert_eq!(own(&names, "Note density"), [0]);
        assert_eq!(own(&names, "major"), [1]);
        assert_eq!(own(&names, "valence"), [3, 4]);
        assert_eq!(own(&names, "strings"), [6, 2]);
        assert_eq!(own(&names, "folk"), [5]);
        assert!(own(&names, "wit").is_empty());
    }
}
