//! Fitting the notes judges: what labels training music, what judges while choosing, and what
//! judges reported numbers.

use std::fmt;
use std::path::{Path, PathBuf};

use affetto_judge::NotesJudge;
use affetto_judge::features::{self, Group, Timeline};
use affetto_judge::ridge::{RidgeError, RidgeFit, RidgeOptions, Samples, fit};
use affetto_judge::stats;

use crate::labelled::{
    LABELLED, LabelledCorpus, LabelledError, LabelledPiece, PARTS, Part, quantile_ranks, read_labelled,
};

/// A piece counts as one sample over its first minute…
const WHOLE_SECONDS: f64 = 60.0;
/// … and as crops of these lengths within its first 80 s, since spans of 5–20 s are to be judged.
const CROP_SECONDS: [f64; 2] = [10.0, 20.0];
/// Where crops end.
const CROPS_UNTIL: f64 = 80.0;
/// How much dearer features of time and touch are to the valence model, so that it leans on
/// harmony, mode and register: tempo and velocity of much training music are drawn, not played.
const RHYTHM_PENALTY: f64 = 3.0;
/// How much dearer features of key and harmony are to the arousal model.
const TONAL_PENALTY: f64 = 3.0;

/// Why the judges could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum PredictorError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] LabelledError),
    /// The samples cannot be fitted.
    #[error(transparent)]
    Ridge(#[from] RidgeError),
    /// A model cannot be written.
    #[error("{path}: cannot be written ({source})")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Correlations of a model's answers with the labels of some pieces of one corpus.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Which model on which pieces, such as "label, grouped CV" or "label judges test".
    pub what: String,
    /// The corpus.
    pub corpus: LabelledCorpus,
    /// How many pieces.
    pub pieces: usize,
    /// Heard valence with labelled valence, whole pieces.
    pub valence: f64,
    /// Heard arousal with labelled arousal, whole pieces.
    pub arousal: f64,
    /// Heard valence with labelled arousal.
    pub valence_hears_arousal: f64,
    /// Heard arousal with labelled valence.
    pub arousal_hears_valence: f64,
    /// As `valence`, over 10 and 20 s crops.
    pub valence_crops: f64,
    /// As `arousal`, over 10 and 20 s crops.
    pub arousal_crops: f64,
    /// How often a piece of positive label is heard above one of negative label (valence, arousal);
    /// for VGMIDI positive is above the median.
    pub auc: (f64, f64),
}

/// What [`fit_labelers`] measured and wrote.
#[derive(Clone, Debug, Default)]
pub struct PredictorReport {
    /// All measurements.
    pub agreements: Vec<Agreement>,
    /// The penalties chosen: (part, valence's, arousal's).
    pub lambdas: Vec<(Part, f64, f64)>,
    /// Weights of the `label` fit on standardised features, heaviest first: valence.
    pub valence_weights: Vec<(String, f64)>,
    /// As `valence_weights`, for arousal.
    pub arousal_weights: Vec<(String, f64)>,
    /// The files written.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for PredictorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:<7} pieces  r valence  arousal  v<-a   a<-v   crops v  crops a  AUC v  AUC a",
            "fit", "corpus"
        )?;
        for a in &self.agreements {
            writeln!(
                f,
                "{:<22} {:<7} {:>6}  {:>9.3}  {:>7.3}  {:>5.2}  {:>5.2}  {:>7.3}  {:>7.3}  {:>5.3}  {:>5.3}",
                a.what,
                a.corpus.name(),
                a.pieces,
                a.valence,
                a.arousal,
                a.valence_hears_arousal,
                a.arousal_hears_valence,
                a.valence_crops,
                a.arousal_crops,
                a.auc.0,
                a.auc.1
            )?;
        }
        for (part, v, a) in &self.lambdas {
            writeln!(f, "penalty, {} part: valence {v}, arousal {a}", part.name())?;
        }
        for (axis, weights) in [("valence", &self.valence_weights), ("arousal", &self.arousal_weights)] {
            writeln!(f, "weights of {axis} (label part, standardised features):")?;
            for chunk in weights.chunks(4) {
                let cells: Vec<String> = chunk.iter().map(|(n, w)| format!("{n} {w:+.3}")).collect();
                writeln!(f, "  {}", cells.join(", "))?;
            }
        }
        for file in &self.files {
            writeln!(f, "wrote {}", file.display())?;
        }
        Ok(())
    }
}

/// A piece's samples: its first minute first, then its crops.
struct Spans {
    features: Vec<Vec<f64>>,
}

impl Spans {
    fn of(piece: &LabelledPiece) -> Self {
        let timeline = Timeline::new(&piece.score);
        let start = timeline.notes().first().map_or(0.0, |n| n.onset);
        let end = timeline.end();
        let mut features = vec![features::extract_from(&timeline, start, end.min(start + WHOLE_SECONDS))];
        for length in CROP_SECONDS {
            let mut at = start;
            while at + length <= end + 2.0 && at < start + CROPS_UNTIL {
                features.push(features::extract_from(&timeline, at, at + length));
                at += length;
            }
        }
        Spans { features }
    }
}

/// Both axes' samples of the pieces chosen, each corpus weighing 1 in all and each of its pieces
/// alike; targets are quantile ranks within the corpus.
fn samples(pieces: &[LabelledPiece], spans: &[Spans], part: Part) -> [Samples; 2] {
    let mut axes = [Samples::default(), Samples::default()];
    for corpus in LABELLED {
        let chosen: Vec<usize> =
            (0..pieces.len()).filter(|&i| pieces[i].part == part && pieces[i].corpus == corpus).collect();
        let of = |get: fn(&LabelledPiece) -> f64| {
            quantile_ranks(&chosen.iter().map(|&i| get(&pieces[i])).collect::<Vec<_>>())
        };
        let targets = [of(|p| p.valence), of(|p| p.arousal)];
        for (k, &i) in chosen.iter().enumerate() {
            let weight = 1.0 / (chosen.len() * spans[i].features.len()) as f64;
            for row in &spans[i].features {
                for (axis, targets) in axes.iter_mut().zip(&targets) {
                    axis.push(row.clone(), targets[k], weight, &pieces[i].group);
                }
            }
        }
    }
    axes
}

/// Fits the notes judges on the archives in `data_dir` and writes `label-regressor.json`,
/// `notes-judge-dev.json` and `notes-judge-test.json` into `out_dir` (made if missing).
///
/// # Errors
///
/// [`PredictorError`] where data is missing or damaged, or a file cannot be written.
pub fn fit_labelers(data_dir: &Path, out_dir: &Path) -> Result<PredictorReport, PredictorError> {
    let pieces = read_labelled(data_dir)?;
    let spans: Vec<Spans> = pieces.iter().map(Spans::of).collect();
    let mut report = PredictorReport::default();
    let write = |source, path: &Path| PredictorError::Write { path: path.to_owned(), source };
    std::fs::create_dir_all(out_dir).map_err(|e| write(e, out_dir))?;
    for part in PARTS {
        let axes = samples(&pieces, &spans, part);
        let fits =
            [fit_axis(&axes[0], Group::Rhythm, RHYTHM_PENALTY)?, fit_axis(&axes[1], Group::Tonal, TONAL_PENALTY)?];
        measure_folds(&mut report, &pieces, &spans, part, &fits);
        report.lambdas.push((part, fits[0].lambda, fits[1].lambda));
        let [valence, arousal] = fits.map(|f| f.model);
        let judge = NotesJudge { about: about(part, &pieces), valence, arousal };
        if part == Part::Label {
            for other in [Part::Dev, Part::Test] {
                measure_judge(&mut report, &pieces, &spans, other, &judge);
            }
            report.valence_weights = heaviest(&judge.valence.names, &judge.valence.weights);
            report.arousal_weights = heaviest(&judge.arousal.names, &judge.arousal.weights);
        }
        let path = out_dir.join(match part {
            Part::Label => "label-regressor.json",
            Part::Dev => "notes-judge-dev.json",
            Part::Test => "notes-judge-test.json",
        });
        let mut json = serde_json::to_string(&judge).map_err(|e| write(e.into(), &path))?;
        json.push('\n');
        std::fs::write(&path, json).map_err(|e| write(e, &path))?;
        report.files.push(path);
    }
    Ok(report)
}

fn fit_axis(samples: &Samples, dear: Group, penalty: f64) -> Result<RidgeFit, RidgeError> {
    let penalties =
        (0..features::NAMES.len()).map(|i| if features::group(i) == dear { penalty } else { 1.0 }).collect();
    fit(&features::NAMES, samples, &RidgeOptions { penalties, lambdas: vec![0.3, 1.0, 3.0], ..RidgeOptions::default() })
}

fn about(part: Part, pieces: &[LabelledPiece]) -> String {
    let count = |corpus| pieces.iter().filter(|p| p.part == part && p.corpus == corpus).count();
    format!(
        "Notes judge fitted on the {} part of emotion-splits.json: {} VGMIDI pieces (labels of lucasnfe/vgmidi) and {} \
         EMOPIA clips (Hung et al. 2021). Licence: CC BY-NC-SA 4.0. Made by `affetto train predictor`; see README.md here.",
        part.name(),
        count(LabelledCorpus::Vgmidi),
        count(LabelledCorpus::Emopia)
    )
}

fn heaviest(names: &[String], weights: &[f64]) -> Vec<(String, f64)> {
    let mut all: Vec<(String, f64)> = names.iter().cloned().zip(weights.iter().copied()).collect();
    all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    all
}

/// Agreement of out-of-fold answers with the labels of the part fitted.
fn measure_folds(
    report: &mut PredictorReport,
    pieces: &[LabelledPiece],
    spans: &[Spans],
    part: Part,
    fits: &[RidgeFit; 2],
) {
    let mut next = 0;
    for corpus in LABELLED {
        let mut heard = Vec::new();
        for i in (0..pieces.len()).filter(|&i| pieces[i].part == part && pieces[i].corpus == corpus) {
            let rows = spans[i].features.len();
            let answers = (next..next + rows).map(|k| (fits[0].out_of_fold[k], fits[1].out_of_fold[k])).collect();
            heard.push((&pieces[i], answers));
            next += rows;
        }
        report.agreements.push(agreement(format!("{}, grouped CV", part.name()), corpus, &heard));
    }
}

/// Agreement of a judge's answers with the labels of another part.
fn measure_judge(
    report: &mut PredictorReport,
    pieces: &[LabelledPiece],
    spans: &[Spans],
    part: Part,
    judge: &NotesJudge,
) {
    for corpus in LABELLED {
        let heard: Vec<_> = (0..pieces.len())
            .filter(|&i| pieces[i].part == part && pieces[i].corpus == corpus)
            .map(|i| (&pieces[i], spans[i].features.iter().map(|row| judge.raw(row)).collect()))
            .collect();
        report.agreements.push(agreement(format!("label judges {}", part.name()), corpus, &heard));
    }
}

/// A piece with the answers for its spans: (valence, arousal), the whole piece first.
type Heard<'a> = (&'a LabelledPiece, Vec<(f64, f64)>);

fn agreement(what: String, corpus: LabelledCorpus, heard: &[Heard]) -> Agreement {
    let axes: [fn(&LabelledPiece) -> f64; 2] = [|p| p.valence, |p| p.arousal];
    let answer = |axis: usize, x: &(f64, f64)| if axis == 0 { x.0 } else { x.1 };
    let labels = |axis: usize| -> Vec<f64> { heard.iter().map(|h| axes[axis](h.0)).collect() };
    let whole = |axis: usize| -> Vec<f64> { heard.iter().map(|h| answer(axis, &h.1[0])).collect() };
    let crops = |axis: usize| {
        let pairs: Vec<(f64, f64)> =
            heard.iter().flat_map(|h| h.1[1..].iter().map(move |x| (answer(axis, x), axes[axis](h.0)))).collect();
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        stats::pearson(&x, &y)
    };
    let auc = |axis: usize| {
        let labels = labels(axis);
        let middle = if corpus == LabelledCorpus::Emopia { 0.0 } else { stats::median(&labels) };
        stats::auc(&whole(axis), &labels.iter().map(|&l| l > middle).collect::<Vec<_>>())
    };
    Agreement {
        what,
        corpus,
        pieces: heard.len(),
        valence: stats::pearson(&whole(0), &labels(0)),
        arousal: stats::pearson(&whole(1), &labels(1)),
        valence_hears_arousal: stats::pearson(&whole(0), &labels(1)),
        arousal_hears_valence: stats::pearson(&whole(1), &labels(0)),
        valence_crops: crops(0),
        arousal_crops: crops(1),
        auc: (auc(0), auc(1)),
    }
}
