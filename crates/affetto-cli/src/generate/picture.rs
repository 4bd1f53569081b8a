//! The picture of a take (`--plot`): the feeling asked for, the one a judge hears, and the notes or the sound.

use std::path::Path;

use affetto::{Assets, Family, Score, Take, TakeSummary};
use affetto_judge::plot::{FeelingPoint, Panel, Spectrogram, Strip, Timeline};
use affetto_judge::{EmotionReading, NotesJudge, SoundJudge, sound};
use affetto_models::musicnn::MusiCnn;

use crate::args::AssetArgs;
use crate::failure::Failure;
use crate::input;

/// Seconds of a window that is judged.
const WINDOW: f64 = 5.0;
/// Where the judges lie that do not ship, among the assets or in the repository the command runs in.
const NOTES_JUDGE: &str = "research/notes-judge-dev.json";
const SOUND_JUDGE: &str = "research/sound-judge-dev.json";
const MUSICNN: &str = "musicnn/musicnn.safetensors";

/// Paints takes.
pub struct Painter {
    judge: Judge,
}

enum Judge {
    Notes(Box<NotesJudge>),
    Sound(Box<SoundJudge>, Box<MusiCnn>),
    /// There is none; the picture says so.
    None,
}

impl Painter {
    /// With a judge of what the family makes, if one is there. A judge that is there but broken is an error.
    pub fn open(assets: &AssetArgs, family: Family) -> Result<Painter, Failure> {
        // A MusicGen folder needs no assets; a picture of its takes can do without.
        let assets = match family {
            Family::Score => Some(assets.open()?),
            Family::MusicGen => Assets::open_default().ok(),
        };
        let wrong = |name: &str, error: &dyn std::fmt::Display| Failure::failed(format!("--plot: {name}: {error}"));
        let judge = match family {
            Family::Score => match research(assets.as_ref(), NOTES_JUDGE)? {
                Some(text) => Judge::Notes(Box::new(NotesJudge::load(&text).map_err(|e| wrong(NOTES_JUDGE, &e))?)),
                None => Judge::None,
            },
            Family::MusicGen => {
                let network = assets.as_ref().filter(|a| a.contains(MUSICNN));
                match (research(assets.as_ref(), SOUND_JUDGE)?, network) {
                    (Some(text), Some(assets)) => {
                        let judge = SoundJudge::load(&text).map_err(|e| wrong(SOUND_JUDGE, &e))?;
                        let network = MusiCnn::load(&assets.checkpoint(&[MUSICNN])?).map_err(|e| wrong(MUSICNN, &e))?;
                        Judge::Sound(Box::new(judge), Box::new(network))
                    }
                    _ => Judge::None,
                }
            }
        };
        Ok(Painter { judge })
    }

    /// The picture of a take, as SVG.
    pub fn paint(&self, take: &Take) -> Result<String, Failure> {
        let summary = take.summary();
        let (name, windows) = match &self.judge {
            Judge::Notes(judge) => {
                let hear = |score: &Score| {
                    let reading = |(start, end)| ((start + end) / 2.0, judge.judge(score, (start, end)));
                    spans(summary.duration_seconds).map(reading).collect()
                };
                ("heard in the notes", take.score().map(hear))
            }
            Judge::Sound(judge, network) => {
                let heard =
                    sound::listen(network, take.audio()?).map_err(|e| Failure::failed(format!("--plot: {e}")))?;
                ("heard in the sound", Some(judge.windows(&heard, WINDOW, WINDOW)))
            }
            Judge::None => ("", None),
        };
        let asked = summary.emotion_asked.iter();
        let asked = asked.map(|p| FeelingPoint::sure(p.seconds, f64::from(p.valence), f64::from(p.arousal)));
        let asked: Vec<FeelingPoint> = asked.collect();
        let point = |(seconds, r): &(f64, EmotionReading)| FeelingPoint::sure(*seconds, r.valence, r.arousal);
        let heard: Option<Vec<FeelingPoint>> = windows.map(|windows| windows.iter().map(point).collect());
        let spectrogram = match take.score() {
            Some(_) => None,
            None => Some(Spectrogram::of(take.audio()?)),
        };
        let panel = match (take.score(), &spectrogram) {
            (Some(score), _) => Panel::Notes(score),
            (None, Some(spectrogram)) => Panel::Sound(spectrogram),
            (None, None) => Panel::Nothing,
        };
        let picture = Timeline {
            title: if summary.prompt.is_empty() { summary.model.clone() } else { summary.prompt.clone() },
            seconds: summary.duration_seconds,
            strips: Strip::of_feeling(&asked, heard.as_deref().map(|points| (name, points))),
            panel,
            caption: caption(summary, heard.is_some()),
        };
        Ok(picture.svg())
    }
}

/// The windows of a piece, one after the other; the last one may be half as long again, or half as long.
fn spans(seconds: f64) -> impl Iterator<Item = (f64, f64)> {
    let count = (seconds / WINDOW).round().max(1.0) as usize;
    (0..count).map(move |i| (i as f64 * WINDOW, if i + 1 == count { seconds } else { (i + 1) as f64 * WINDOW }))
}

fn caption(summary: &TakeSummary, judged: bool) -> Vec<String> {
    let mut lines = vec![format!("{}, seed {}", summary.model, summary.seed)];
    if summary.emotion_asked.is_empty() {
        lines.push("no feeling was asked for".to_owned());
    }
    lines.push(match judged {
        true => format!("heard: in windows of {WINDOW} s, by a judge fitted on labelled music"),
        false => format!("no judge is there to draw what is heard; it is read from {NOTES_JUDGE} among the assets"),
    });
    lines
}

/// The text of a judge that does not ship, if it is there.
fn research(assets: Option<&Assets>, name: &str) -> Result<Option<String>, Failure> {
    if let Some(assets) = assets.filter(|a| a.contains(name)) {
        return Ok(Some(assets.read_text(name)?));
    }
    let path = Path::new("assets").join(name);
    match input::text(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("--plot: {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_reach_to_the_end() {
        let of = |seconds| spans(seconds).collect::<Vec<_>>();
        assert_eq!(of(12.0), [(0.0, 5.0), (5.0, 12.0)]);
        assert_eq!(of(13.0), [(0.0, 5.0), (5.0, 10.0), (10.0, 13.0)]);
        assert_eq!(of(1.0), [(0.0, 1.0)]);
    }
}
