//! Fitting the sound judges: labelled pieces are rendered with several instruments, brought to one
//! loudness, heard by MusiCNN, and a ridge is fitted on what it hears.

use std::fmt;
use std::path::{Path, PathBuf};

use affetto_judge::sound::{self, SoundError, SoundJudge};
use affetto_judge::{
    ridge::{RidgeError, RidgeFit, RidgeOptions, Samples, fit},
    stats,
};
use affetto_models::musicnn::{MusiCnn, PENULTIMATE};
use affetto_score::synth::{RenderOptions, SoundFont, SynthError, render};
use affetto_score::{Instrument, Score};

use crate::labelled::{LABELLED, LabelledCorpus, LabelledError, LabelledPiece, Part, quantile_ranks, read_labelled};

/// Seconds of each piece that are rendered.
const SECONDS: f64 = 30.0;
/// MusiCNN windows of a crop: 10.5 s.
const CROP: usize = 6;
/// The parts that get a sound judge.
const PARTS: [Part; 2] = [Part::Dev, Part::Test];
/// Sets of programs (bass, middle, top) a piece may be played with besides the piano.
const ENSEMBLES: [[u8; 3]; 12] = [
    [48, 48, 48], // strings
    [24, 24, 24], // nylon guitar
    [4, 4, 4],    // electric piano
    [46, 46, 46], // harp
    [32, 0, 0],   // acoustic bass under a piano
    [43, 48, 40], // double bass, strings, violin
    [42, 46, 73], // cello, harp, flute
    [33, 4, 65],  // electric bass, electric piano, saxophone
    [32, 24, 71], // acoustic bass, guitar, clarinet
    [70, 60, 68], // bassoon, horn, oboe
    [58, 61, 56], // tuba, brass, trumpet
    [11, 11, 11], // vibraphone
];

/// What to fit with.
#[derive(Clone, Debug)]
pub struct SoundFitOptions {
    /// Folder of `vgmidi.tar.xz`, `emopia.tar.gz` and `emotion-splits.json`.
    pub data: PathBuf,
    /// Folder the judges are written to.
    pub out: PathBuf,
    /// MusiCNN's weights, `musicnn.safetensors`.
    pub musicnn: PathBuf,
    /// The SoundFont to render with.
    pub soundfont: PathBuf,
    /// Folder that keeps what MusiCNN heard, so that a second run, or one after a kill, goes on.
    pub cache: PathBuf,
    /// Renderings of each piece: the first on a piano, the others on ensembles drawn by its name.
    pub renderings: usize,
    /// Threads for rendering (MusiCNN's are the engine's).
    pub threads: usize,
}

/// Why the sound judges could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum SoundFitError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] LabelledError),
    /// The SoundFont cannot be used.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// MusiCNN cannot be loaded.
    #[error(transparent)]
    Model(#[from] affetto_models::ModelError),
    /// A rendering cannot be judged.
    #[error("{piece}: {source}")]
    Sound {
        /// The piece.
        piece: String,
        /// What went wrong.
        source: SoundError,
    },
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

/// Correlations with labels: whole renderings of one corpus.
#[derive(Clone, Debug)]
pub struct SoundAgreement {
    /// Which model on which pieces.
    pub what: String,
    /// The corpus.
    pub corpus: LabelledCorpus,
    /// How many renderings.
    pub renderings: usize,
    /// Heard with labelled: valence, arousal.
    pub r: (f64, f64),
    /// Heard valence with labelled arousal; heard arousal with labelled valence.
    pub cross: (f64, f64),
    /// Area under the ROC curve: valence, arousal (label above the median).
    pub auc: (f64, f64),
}

/// What [`fit_sound`] measured and wrote.
#[derive(Clone, Debug, Default)]
pub struct SoundFitReport {
    /// All measurements.
    pub agreements: Vec<SoundAgreement>,
    /// The penalties chosen: (part, valence's, arousal's).
    pub lambdas: Vec<(Part, f64, f64)>,
    /// The files written.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for SoundFitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:<7} renderings  r valence  arousal  v<-a   a<-v   AUC v  AUC a", "fit", "corpus")?;
        for a in &self.agreements {
            writeln!(
                f,
                "{:<20} {:<7} {:>10}  {:>9.3}  {:>7.3}  {:>5.2}  {:>5.2}  {:>5.3}  {:>5.3}",
                a.what,
                a.corpus.name(),
                a.renderings,
                a.r.0,
                a.r.1,
                a.cross.0,
                a.cross.1,
                a.auc.0,
                a.auc.1
            )?;
        }
        for (part, v, a) in &self.lambdas {
            writeln!(f, "penalty, {} part: valence {v}, arousal {a}", part.name())?;
        }
        for file in &self.files {
            writeln!(f, "wrote {}", file.display())?;
        }
        Ok(())
    }
}

/// FNV-1a, for names of cache files and for drawing ensembles: the same on every machine.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// The first [`SECONDS`] of a piece for rendering `index`: 0 on a piano, others on an ensemble.
fn arrange(piece: &LabelledPiece, index: usize) -> Score {
    let mut score = piece.score.clone();
    let cut = score.tick_at(SECONDS);
    score.notes.retain(|n| n.onset < cut);
    let ensemble = match index {
        0 => [0, 0, 0],
        // The name's first letters hold EMOPIA's quadrant: the label must not draw the ensemble.
        _ => {
            let neutral = piece.name.get(3..).unwrap_or(&piece.name);
            ENSEMBLES[(hash(&format!("{index} {neutral}")) % ENSEMBLES.len() as u64) as usize]
        }
    };
    for note in &mut score.notes {
        let role = match note.pitch {
            0..=51 => 0,
            52..=69 => 1,
            _ => 2,
        };
        note.instrument = Instrument(ensemble[role]);
    }
    score.sort();
    score
}

/// MusiCNN's penultimate rows for one rendering, from the cache where they are.
fn hear(
    options: &SoundFitOptions,
    tools: &(SoundFont, MusiCnn),
    piece: &LabelledPiece,
    index: usize,
) -> Result<Vec<Vec<f32>>, SoundFitError> {
    let file = options.cache.join(format!("{:016x}-{index}.f32", hash(&piece.name)));
    if let Ok(bytes) = std::fs::read(&file)
        && !bytes.is_empty()
        && bytes.len().is_multiple_of(4 * PENULTIMATE)
    {
        let numbers: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        return Ok(numbers.chunks_exact(PENULTIMATE).map(<[f32]>::to_vec).collect());
    }
    let score = arrange(piece, index);
    let seconds = (score.seconds_at(score.end()) + 1.5).clamp(4.0, SECONDS);
    let how = RenderOptions { seconds: Some(seconds), threads: options.threads, ..RenderOptions::default() };
    let audio = render(&tools.0, &score, &how)?;
    let heard =
        sound::listen(&tools.1, &audio).map_err(|source| SoundFitError::Sound { piece: piece.name.clone(), source })?;
    let rows: Vec<Vec<f32>> = heard.into_iter().map(|w| w.penultimate).collect();
    let bytes: Vec<u8> = rows.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
    let partial = file.with_extension("partial");
    let write = |source| SoundFitError::Write { path: file.clone(), source };
    std::fs::write(&partial, bytes).map_err(write)?;
    std::fs::rename(&partial, &file).map_err(write)?;
    Ok(rows)
}

/// One rendering: its piece, and features of the whole, then of its crops.
struct Rendering<'a> {
    piece: &'a LabelledPiece,
    features: Vec<Vec<f64>>,
}

/// Fits the sound judges and writes `sound-judge-dev.json` and `sound-judge-test.json`.
/// `progress` is told how many renderings of how many have been heard.
///
/// # Errors
///
/// [`SoundFitError`] where data, MusiCNN or the SoundFont is missing or damaged, or a file cannot
/// be written.
pub fn fit_sound(
    options: &SoundFitOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<SoundFitReport, SoundFitError> {
    let pieces: Vec<LabelledPiece> =
        read_labelled(&options.data)?.into_iter().filter(|p| PARTS.contains(&p.part)).collect();
    let checkpoint = affetto_engine::Checkpoint::open(&options.musicnn).map_err(affetto_models::ModelError::from)?;
    let tools = (SoundFont::open(&options.soundfont)?, MusiCnn::load(&checkpoint)?);
    for folder in [&options.cache, &options.out] {
        std::fs::create_dir_all(folder).map_err(|source| SoundFitError::Write { path: folder.clone(), source })?;
    }
    let total = pieces.len() * options.renderings;
    let mut all = Vec::with_capacity(total);
    for index in 0..options.renderings {
        for piece in &pieces {
            let rows = hear(options, &tools, piece, index)?;
            let of = |rows: &[Vec<f32>]| sound::features(rows.iter().map(Vec::as_slice));
            let mut features = vec![of(&rows)];
            features.extend(rows.chunks(CROP).filter(|c| c.len() == CROP && rows.len() > CROP).map(of));
            all.push(Rendering { piece, features });
            progress(all.len(), total);
        }
    }
    let mut report = SoundFitReport::default();
    let mut judges = Vec::new();
    for part in PARTS {
        let (judge, lambdas) = fit_part(&all, part, &mut report)?;
        report.lambdas.push((part, lambdas.0, lambdas.1));
        let path = options.out.join(format!("sound-judge-{}.json", part.name()));
        write_json(&path, &judge)?;
        report.files.push(path);
        judges.push(judge);
    }
    for (judge, fitted, other) in [(&judges[0], Part::Dev, Part::Test), (&judges[1], Part::Test, Part::Dev)] {
        for corpus in LABELLED {
            let chosen: Vec<&Rendering> =
                all.iter().filter(|r| r.piece.part == other && r.piece.corpus == corpus).collect();
            let heard: Vec<_> = chosen.iter().map(|r| (r.piece, judge.raw(&r.features[0]))).collect();
            let what = format!("{} judges {}", fitted.name(), other.name());
            report.agreements.push(agreement(what, corpus, &heard));
        }
    }
    Ok(report)
}

fn write_json(path: &Path, judge: &SoundJudge) -> Result<(), SoundFitError> {
    let write = |source| SoundFitError::Write { path: path.to_owned(), source };
    let mut json = serde_json::to_string(judge).map_err(|e| write(e.into()))?;
    json.push('\n');
    std::fs::write(path, json).map_err(write)
}

/// Fits both axes on one part, each corpus weighing the same, each of its pieces the same.
fn fit_part(
    all: &[Rendering],
    part: Part,
    report: &mut SoundFitReport,
) -> Result<(SoundJudge, (f64, f64)), SoundFitError> {
    let mut axes = [Samples::default(), Samples::default()];
    let mut wholes: Vec<(&LabelledPiece, usize)> = Vec::new();
    for corpus in LABELLED {
        let chosen: Vec<&Rendering> = all.iter().filter(|r| r.piece.part == part && r.piece.corpus == corpus).collect();
        let ranks =
            |get: fn(&LabelledPiece) -> f64| quantile_ranks(&chosen.iter().map(|r| get(r.piece)).collect::<Vec<_>>());
        let targets = [ranks(|p| p.valence), ranks(|p| p.arousal)];
        for (k, rendering) in chosen.iter().enumerate() {
            wholes.push((rendering.piece, axes[0].len()));
            let weight = 1.0 / (chosen.len() * rendering.features.len()) as f64;
            for row in &rendering.features {
                for (axis, targets) in axes.iter_mut().zip(&targets) {
                    axis.push(row.clone(), targets[k], weight, &rendering.piece.group);
                }
            }
        }
    }
    let names = sound::feature_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let how = RidgeOptions { lambdas: vec![0.3, 1.0, 3.0, 10.0, 30.0, 100.0], ..RidgeOptions::default() };
    let fits: [RidgeFit; 2] = [fit(&names, &axes[0], &how)?, fit(&names, &axes[1], &how)?];
    for corpus in LABELLED {
        let heard: Vec<_> = wholes
            .iter()
            .filter(|w| w.0.corpus == corpus)
            .map(|&(piece, at)| (piece, (fits[0].out_of_fold[at], fits[1].out_of_fold[at])))
            .collect();
        report.agreements.push(agreement(format!("{}, grouped CV", part.name()), corpus, &heard));
    }
    let lambdas = (fits[0].lambda, fits[1].lambda);
    let [valence, arousal] = fits.map(|f| f.model);
    let about = format!(
        "Sound judge: ridge on mean and spread of MusiCNN's penultimate layer over renderings of the {} part of \
         emotion-splits.json (VGMIDI and EMOPIA labels). Licence: CC BY-NC-SA 4.0. Made by `affetto train predictor`; \
         see README.md here.",
        part.name()
    );
    Ok((SoundJudge { about, valence, arousal }, lambdas))
}

fn agreement(what: String, corpus: LabelledCorpus, heard: &[(&LabelledPiece, (f64, f64))]) -> SoundAgreement {
    let valence: Vec<f64> = heard.iter().map(|h| h.1.0).collect();
    let arousal: Vec<f64> = heard.iter().map(|h| h.1.1).collect();
    let asked_valence: Vec<f64> = heard.iter().map(|h| h.0.valence).collect();
    let asked_arousal: Vec<f64> = heard.iter().map(|h| h.0.arousal).collect();
    let auc = |x: &[f64], y: &[f64]| {
        let middle = if corpus == LabelledCorpus::Emopia { 0.0 } else { stats::median(y) };
        stats::auc(x, &y.iter().map(|&v| v > middle).collect::<Vec<_>>())
    };
    SoundAgreement {
        what,
        corpus,
        renderings: heard.len(),
        r: (stats::pearson(&valence, &asked_valence), stats::pearson(&arousal, &asked_arousal)),
        cross: (stats::pearson(&valence, &asked_arousal), stats::pearson(&arousal, &asked_valence)),
        auc: (auc(&valence, &asked_valence), auc(&arousal, &asked_arousal)),
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::Note;

    use super::*;

    #[test]
    fn renderings_are_cut_and_keep_the_label_out_of_the_ensemble() {
        let mut score = Score::default();
        for i in 0..200u32 {
            let pitch = 40 + (i % 40) as u8;
            score.notes.push(Note { onset: i * 480, duration: 400, pitch, velocity: 70, instrument: Instrument(5) });
        }
        let piece = |name: &str| LabelledPiece {
            corpus: LabelledCorpus::Emopia,
            part: Part::Dev,
            name: name.to_owned(),
            group: String::new(),
            score: score.clone(),
            valence: 1.0,
            arousal: 1.0,
        };
        let piano = arrange(&piece("Q1_x_0.mid"), 0);
        assert_eq!(piano.instruments(), [Instrument::PIANO]);
        assert_eq!(piano.notes.len(), 60); // 30 s at two a second
        assert_eq!(arrange(&piece("Q1_x_0.mid"), 1), arrange(&piece("Q3_x_0.mid"), 1));
        let drawn: std::collections::BTreeSet<_> =
            (0..30).map(|i| arrange(&piece(&format!("Q1_x_{i}.mid")), 1).instruments()).collect();
        assert!(drawn.len() > 4);
    }
}
