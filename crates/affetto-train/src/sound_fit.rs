//! Fitting what hears emotion in sound: the sound judges of the benchmarks, and the emotion predictor that ships.
//!
//! Labelled pieces are rendered (see [`crate::renderings`]) and heard; ridges are fitted on what was heard. The judges
//! are fitted on one part each; the predictor on the parts `label` and `dev`, and measured on `test`.

mod agreement;
mod spans;

use std::fmt;
use std::path::{Path, PathBuf};

use affetto_judge::hearing::{Hearing, Sense};
use affetto_judge::predictor::{EmotionPredictor, strangeness};
use affetto_judge::ridge::{RidgeError, RidgeFit, RidgeOptions, Samples, fit, weighted_correlation};
use affetto_judge::sound::SoundJudge;
use affetto_judge::stats;

use self::agreement::Answer;
pub use self::agreement::SoundAgreement;
use self::spans::{Rendering, samples, spans};
use crate::labelled::{LABELLED, LabelledError, Part, read_labelled};
use crate::renderings::{Manner, RenderingError, Renderings, kind_of_not_music};

/// The parts that get sound judges.
const JUDGE_PARTS: [Part; 2] = [Part::Dev, Part::Test];
/// What the judges of a part hear, and the names of their files. The headline judge shares nothing with MusiCNN, which
/// LARA aligns to.
const JUDGES: [(Sense, &str); 2] = [(Sense::Transcription, "sound-judge"), (Sense::MusiCnn, "musicnn-judge")];
/// Sounds that are no music, for the predictor's confidence.
const NOT_MUSIC: usize = 160;
/// How much dearer MusiCNN's features may be to the predictor than the others.
const MUSICNN_PENALTIES: [f64; 4] = [1.0, 4.0, 16.0, 64.0];
/// Penalties to choose from.
const LAMBDAS: [f64; 7] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];
/// Seconds of the predictor's windows in measurements: what `affetto feel` uses.
const WINDOW_SECONDS: f64 = 5.0;

/// What to fit with.
#[derive(Clone, Debug)]
pub struct SoundFitOptions {
    /// Folder of `vgmidi.tar.xz`, `emopia.tar.gz` and `emotion-splits.json`.
    pub data: PathBuf,
    /// The assets folder: its SoundFont and networks are used, its `research/` is written to.
    pub assets: PathBuf,
    /// Folder that keeps what was heard.
    pub cache: PathBuf,
    /// Renderings of each piece: the first on a piano, the others drawn.
    pub renderings: usize,
    /// Threads for rendering (the networks' are the engine's).
    pub threads: usize,
}

/// Why nothing could be fitted.
#[derive(Debug, thiserror::Error)]
pub enum SoundFitError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] LabelledError),
    /// A rendering cannot be made or heard.
    #[error(transparent)]
    Rendering(#[from] RenderingError),
    /// The samples cannot be fitted.
    #[error(transparent)]
    Ridge(#[from] RidgeError),
    /// A file cannot be written.
    #[error("{path}: cannot be written ({source})")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What [`fit_sound`] measured and wrote.
#[derive(Clone, Debug, Default)]
pub struct SoundFitReport {
    /// All measurements.
    pub agreements: Vec<SoundAgreement>,
    /// Penalties chosen and other facts, a line each.
    pub notes: Vec<String>,
    /// The files written.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for SoundFitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", SoundAgreement::HEADING)?;
        for agreement in &self.agreements {
            writeln!(f, "{agreement}")?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        for file in &self.files {
            writeln!(f, "wrote {}", file.display())?;
        }
        Ok(())
    }
}

/// Fits the sound judges of both parts and the emotion predictor, and writes them to `research/` in the assets folder.
/// `progress` is told how many sounds of how many have been heard.
///
/// # Errors
///
/// [`SoundFitError`] where data, a network or the SoundFont is missing or damaged, or a file cannot be written.
pub fn fit_sound(
    options: &SoundFitOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<SoundFitReport, SoundFitError> {
    let pieces = read_labelled(&options.data)?;
    let renderings = Renderings::open(&options.assets, &options.cache, options.threads)?;
    let total = pieces.len() * options.renderings + NOT_MUSIC;
    let mut heard = 0;
    let mut tell = |heard: &mut usize| {
        *heard += 1;
        progress(*heard, total);
    };
    let mut others = Vec::new();
    for index in 0..NOT_MUSIC {
        others.push(renderings.hear_not_music(index)?);
        tell(&mut heard);
    }
    let mut all = Vec::new();
    for index in 0..options.renderings {
        let manner = if index == 0 { Manner::Piano } else { Manner::Drawn(index as u64) };
        for piece in &pieces {
            all.push(Rendering::new(piece, manner, renderings.hear(piece, manner)?));
            tell(&mut heard);
        }
    }
    let mut report = SoundFitReport::default();
    let out = options.assets.join("research");
    for (sense, name) in JUDGES {
        for part in JUDGE_PARTS {
            let judge = fit_judge(&all, sense, name, part, &mut report)?;
            for other in JUDGE_PARTS.into_iter().filter(|&other| other != part) {
                measure_judge(&all, &judge, name, (part, other), &mut report);
            }
            write_json(out.join(format!("{name}-{}.json", part.name())), &judge, &mut report)?;
        }
    }
    let predictor = fit_predictor(&all, &others, &mut report)?;
    measure_predictor(&all, &others, &predictor, &mut report);
    write_json(out.join("emotion-predictor.json"), &predictor, &mut report)?;
    Ok(report)
}

fn write_json(path: PathBuf, model: &impl serde::Serialize, report: &mut SoundFitReport) -> Result<(), SoundFitError> {
    let written = |path: &Path| {
        let mut json = serde_json::to_string(model)?;
        json.push('\n');
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        std::fs::write(path, json)
    };
    written(&path).map_err(|source| SoundFitError::Write { path: path.clone(), source })?;
    report.files.push(path);
    Ok(())
}

/// Fits one axis; how dear MusiCNN's features are is chosen by cross-validation, as the penalty is.
fn fit_axis(sense: Sense, samples: &Samples) -> Result<(RidgeFit, f64), RidgeError> {
    let names = sense.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let choices: &[f64] = if sense == Sense::All { &MUSICNN_PENALTIES } else { &MUSICNN_PENALTIES[..1] };
    let musicnn = if sense == Sense::Transcription { 0 } else { Sense::MusiCnn.names().len() };
    let mut best: Option<(f64, RidgeFit, f64)> = None;
    for &dear in choices {
        let penalties = (0..names.len()).map(|i| if i < musicnn { dear } else { 1.0 }).collect();
        let fitted =
            fit(&names, samples, &RidgeOptions { penalties, lambdas: LAMBDAS.to_vec(), ..Default::default() })?;
        let score = weighted_correlation(&fitted.out_of_fold, &samples.targets, &samples.weights);
        if best.as_ref().is_none_or(|b| score > b.0) {
            best = Some((score, fitted, dear));
        }
    }
    best.map(|(_, fit, dear)| (fit, dear)).ok_or_else(|| RidgeError::Samples { what: "no penalty to try".into() })
}

fn fit_judge(
    all: &[Rendering],
    sense: Sense,
    name: &str,
    part: Part,
    report: &mut SoundFitReport,
) -> Result<SoundJudge, SoundFitError> {
    let (axes, wholes) = samples(all, sense, &[part]);
    let fits = [fit_axis(sense, &axes[0])?.0, fit_axis(sense, &axes[1])?.0];
    for corpus in LABELLED {
        let answers: Vec<_> = wholes
            .iter()
            .filter(|w| w.0.piece.corpus == corpus)
            .map(|&(rendering, at)| (rendering.piece, (fits[0].out_of_fold[at], fits[1].out_of_fold[at])))
            .collect();
        report.agreements.push(SoundAgreement::of(format!("{name} {}, grouped CV", part.name()), corpus, &answers));
    }
    report.notes.push(format!(
        "penalty, {name} {}: valence {}, arousal {}",
        part.name(),
        fits[0].lambda,
        fits[1].lambda
    ));
    let [valence, arousal] = fits.map(|f| f.model);
    let heard = match sense {
        Sense::MusiCnn => "mean and spread of MusiCNN's penultimate layer",
        _ => "notes transcribed by Basic Pitch and the texture of the sound",
    };
    let about = format!(
        "Sound judge: ridge on {heard}, over renderings of the {} part of emotion-splits.json (VGMIDI and EMOPIA labels). \
         Licence: CC BY-NC-SA 4.0. Made by `affetto train predictor`; see README.md here.",
        part.name()
    );
    Ok(SoundJudge { about, sense, valence, arousal })
}

fn measure_judge(all: &[Rendering], judge: &SoundJudge, name: &str, parts: (Part, Part), report: &mut SoundFitReport) {
    for corpus in LABELLED {
        let chosen = all.iter().filter(|r| r.piece.part == parts.1 && r.piece.corpus == corpus);
        let answers: Vec<_> = chosen.map(|r| (r.piece, judge.raw(judge.sense.of_all(&r.whole().features)))).collect();
        let what = format!("{name} {} judges {}", parts.0.name(), parts.1.name());
        report.agreements.push(SoundAgreement::of(what, corpus, &answers));
    }
}

fn fit_predictor(
    all: &[Rendering],
    others: &[Hearing],
    report: &mut SoundFitReport,
) -> Result<EmotionPredictor, SoundFitError> {
    let (axes, _) = samples(all, Sense::All, &[Part::Label, Part::Dev]);
    let mut models = Vec::new();
    for (axis, samples) in ["valence", "arousal"].into_iter().zip(&axes) {
        let (fitted, dear) = fit_axis(Sense::All, samples)?;
        let r = weighted_correlation(&fitted.out_of_fold, &samples.targets, &samples.weights);
        report.notes.push(format!(
            "predictor, {axis}: penalty {}, MusiCNN's {dear} times as dear, grouped CV r {r:.3} over all spans",
            fitted.lambda
        ));
        models.push(fitted.model);
    }
    let (arousal, valence) = (models.pop(), models.pop());
    let (Some(valence), Some(arousal)) = (valence, arousal) else {
        return Err(RidgeError::Samples { what: "an axis is missing".into() }.into());
    };
    // Music against the rest, each side weighing the same.
    let mut both = Samples::default();
    let music = &axes[0];
    let each = 1.0 / music.len().max(1) as f64;
    for (row, group) in music.features.iter().zip(&music.groups) {
        both.push(row.clone(), 1.0, each, group);
    }
    let rows: Vec<(usize, Vec<f64>)> =
        others.iter().enumerate().flat_map(|(i, h)| spans(h).into_iter().map(move |s| (i, s.features))).collect();
    // Whole kinds are left out, so that what is measured is noise of a kind that was not learned from.
    for (i, row) in &rows {
        both.push(row.clone(), 0.0, 1.0 / rows.len() as f64, &format!("not music {}", kind_of_not_music(*i)));
    }
    let music_model = fit_axis(Sense::All, &both)?.0;
    let told = both.targets.iter().map(|&t| t > 0.5).collect::<Vec<_>>();
    let auc = stats::auc(&music_model.out_of_fold, &told);
    report.notes.push(format!("music against noise, clicks, hum and babble: grouped CV AUC {auc:.4}"));
    let strange: Vec<f64> = music.features.iter().map(|row| strangeness(&arousal, row)).collect();
    let usual = stats::quantile(&strange, 0.95);
    let about = "Emotion predictor: ridges on MusiCNN's penultimate layer, notes transcribed by Basic Pitch and the texture \
                 of the sound, over renderings of the label and dev parts of emotion-splits.json (VGMIDI and EMOPIA \
                 labels). Licence: CC BY-NC-SA 4.0. Made by `affetto train predictor`; see README.md here.";
    Ok(EmotionPredictor {
        about: about.to_owned(),
        valence,
        arousal,
        music: music_model.model,
        strangeness: (usual, 3.0 * usual),
    })
}

/// The predictor on the part it has not seen, as `affetto feel` uses it: by manner of rendering and corpus.
fn measure_predictor(all: &[Rendering], others: &[Hearing], predictor: &EmotionPredictor, report: &mut SoundFitReport) {
    let mut confidences = Vec::new();
    let manners: std::collections::BTreeSet<u64> = all.iter().map(|r| r.manner_number()).collect();
    for manner in manners {
        for corpus in LABELLED {
            let chosen = all
                .iter()
                .filter(|r| r.piece.part == Part::Test && r.piece.corpus == corpus && r.manner_number() == manner);
            let answers: Vec<Answer> = chosen
                .map(|r| {
                    let (feeling, _) = predictor.feel(&r.hearing, WINDOW_SECONDS);
                    confidences.push(feeling.confidence);
                    (r.piece, (feeling.valence, feeling.arousal))
                })
                .collect();
            let kind = if manner == 0 { "piano".to_owned() } else { format!("drawn {manner}") };
            report.agreements.push(SoundAgreement::of(format!("predictor, test, {kind}"), corpus, &answers));
        }
    }
    let noise: Vec<f64> = others.iter().map(|h| predictor.feel(h, WINDOW_SECONDS).0.confidence).collect();
    for (what, values) in [("music of the test part", &confidences), ("what is no music (fitted on)", &noise)] {
        let q = |q| stats::quantile(values, q);
        report.notes.push(format!("confidence, {what}: 5 % {:.2}, median {:.2}, 95 % {:.2}", q(0.05), q(0.5), q(0.95)));
    }
}
