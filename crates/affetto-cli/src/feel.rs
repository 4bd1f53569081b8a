//! `affetto feel`: what music feels like, over time and as a whole.

mod sound;

use std::path::Path;

use affetto::whole;
use affetto_judge::plot::{FeelingPoint, Panel, Strip, Timeline};
use affetto_judge::predictor::{EmotionPredictor, Feeling, FeelingWindow};
use serde::Serialize;

use self::sound::{Heard, Listening};
use crate::args::FeelArgs;
use crate::failure::Failure;
use crate::output;
use crate::predictor;
use crate::progress::Progress;

/// The shortest window, in seconds: what is shorter holds too little to be heard.
const MIN_WINDOW: f64 = 1.0;

/// One file's answer, as it is printed with `--json`.
#[derive(Debug, Serialize)]
struct Answer {
    file: String,
    #[serde(flatten)]
    feeling: Feeling,
    windows: Vec<FeelingWindow>,
}

/// Hears the files one after the other. A file that cannot be heard is named and the others still are.
pub fn run(args: &FeelArgs) -> Result<(), Failure> {
    if !(args.window >= MIN_WINDOW && args.window.is_finite()) {
        return Err(Failure::usage(format!("--window {}: expected seconds, {MIN_WINDOW} or more", args.window)));
    }
    if let Some(path) = &args.plot {
        check_plot(args, path)?;
    }
    let assets = args.assets.open()?;
    let predictor = predictor::open(&assets)?;
    let ears = predictor::ears(&assets)?;
    let mut progress = Progress::new(args.json);
    let width = args.files.iter().map(|f| f.display().to_string().chars().count()).max().unwrap_or(0);
    let mut failed = 0;
    for path in &args.files {
        let mut listening =
            Listening { assets: &assets, ears: &ears, progress: &mut progress, picture: args.plot.is_some() };
        let heard = listening.hear(path);
        progress.finish();
        match heard {
            Ok(heard) => answer(args, &predictor, path, &heard, width)?,
            Err(Failure::Told { code, message }) if args.files.len() == 1 => {
                return Err(Failure::Told { code, message });
            }
            Err(Failure::Told { message, .. }) => {
                output::error(&message);
                failed += 1;
            }
            Err(other) => return Err(other),
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::failed(format!("{failed} of {} files could not be heard", args.files.len()))),
    }
}

/// Refuses a picture that cannot be made before anything is heard.
fn check_plot(args: &FeelArgs, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    if args.files.len() > 1 {
        return Err(Failure::usage(format!(
            "--plot {shown}: one picture shows one file; {} were given",
            args.files.len()
        )));
    }
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg")) {
        return Err(Failure::usage(format!("--plot {shown}: a picture's name ends in .svg; give such a one")));
    }
    Ok(whole::check_targets(&[path], args.force)?)
}

/// Prints, and draws where asked, what one file feels like.
fn answer(
    args: &FeelArgs,
    predictor: &EmotionPredictor,
    path: &Path,
    heard: &Heard,
    width: usize,
) -> Result<(), Failure> {
    let (feeling, windows) = predictor.feel(&heard.hearing, args.window);
    let file = path.display().to_string();
    if let Some(plot) = &args.plot {
        let svg = picture(&file, heard, &feeling, &windows);
        let content: whole::Content = Box::new(move |out| out.write_all(svg.as_bytes()));
        whole::write_all(&[whole::Pending { path: plot.clone(), content }], args.force)?;
    }
    if args.json {
        return output::json(&Answer { file, feeling, windows });
    }
    output::line(&format!(
        "{file:<width$}  valence {:+.2}  arousal {:+.2}  confidence {:.2}",
        feeling.valence, feeling.arousal, feeling.confidence
    ))
}

/// The windows' feelings over time, above the notes or the sound.
fn picture(file: &str, heard: &Heard, feeling: &Feeling, windows: &[FeelingWindow]) -> String {
    let point = |w: &FeelingWindow| FeelingPoint {
        seconds: (w.start + w.end) / 2.0,
        valence: w.feeling.valence,
        arousal: w.feeling.arousal,
        confidence: w.feeling.confidence,
    };
    let points: Vec<FeelingPoint> = windows.iter().map(point).collect();
    let panel = match (&heard.score, &heard.spectrogram) {
        (Some(score), _) => Panel::Notes(score),
        (None, Some(spectrogram)) => Panel::Sound(spectrogram),
        (None, None) => Panel::Nothing,
    };
    let picture = Timeline {
        title: file.to_owned(),
        seconds: heard.hearing.seconds,
        strips: Strip::of_feeling(&[], Some(("heard", &points))),
        panel,
        caption: vec![format!(
            "as a whole: valence {:+.2}, arousal {:+.2}, confidence {:.2}; points are the paler the less sure",
            feeling.valence, feeling.arousal, feeling.confidence
        )],
    };
    picture.svg()
}
