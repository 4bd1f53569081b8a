//! Fitting the classifiers that `affetto bench steer` judges styles and timbres by.
//!
//! Examples are drawn as training windows are, but only from songs that were held out of training (the parts `valid` and
//! `test`): directions are fitted on the part `train`, so nothing that judges them has seen what they were made from.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use affetto_engine::Checkpoint;
use affetto_judge::attributes::{self, ATTRIBUTES};
use affetto_judge::classes::{self, Classes, Example, Reads};
use affetto_judge::hearing::Ears;
use affetto_judge::notes::NotesJudge;
use affetto_models::basic_pitch::BasicPitch;
use affetto_models::musicnn::MusiCnn;
use affetto_score::Score;
use affetto_score::synth::{RenderOptions, SoundFont, render};

use crate::corpora::{Corpus, Split, cache};
use crate::error::TrainError;
use crate::windows::{Making, ScoreWindows, WINDOW_ROWS};

/// The styles: the corpora. The last has too few songs for a class of its own; it counts among the rest.
const STYLES: [Corpus; 5] = [Corpus::Pop909, Corpus::OpenEwld, Corpus::Chorales, Corpus::Folk, Corpus::Freedoom];
/// The timbres: attributes that are shares of the notes.
const TIMBRES: [&str; 9] = ["piano", "mallets", "organ", "guitar", "strings", "choir", "brass", "woodwinds", "drums"];
/// A timbre that plays this share of the notes is what the example is drawn for.
const LEADS: f64 = 0.6;
/// Drums play few of the notes even where they are loudest.
const DRUMS: f64 = 2.0;
/// Seconds of an example's sound, and of its notes where styles are read; shorter ones are drawn anew.
const SECONDS: (f64, f64) = (12.0, 20.0);
const SHORTEST: f64 = 8.0;
/// Windows drawn for each one asked for, at most.
const PATIENCE: usize = 12;
/// The seed of the windows.
const SEED: u64 = 5;

/// What to fit with.
#[derive(Clone, Debug)]
pub struct SteerJudgesOptions {
    /// The corpus cache that `train prepare` wrote.
    pub corpus: PathBuf,
    /// The assets folder: its SoundFont, networks and label regressor are used, its `research/steering` is written to.
    pub assets: PathBuf,
    /// Examples of styles.
    pub styles: usize,
    /// Examples of timbres, which are rendered and heard.
    pub timbres: usize,
    /// Threads to hear on.
    pub threads: usize,
}

/// What was fitted, and the files written.
#[derive(Clone, Debug)]
pub struct SteerJudgesReport {
    /// Styles and timbres.
    pub fitted: [Classes; 2],
    /// Songs the examples of each come from.
    pub songs: [usize; 2],
    /// The files written.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for SteerJudgesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:6} {:10} {:>6} {:>8} {:>8}", "READS", "CLASS", "AUC", "OF IT", "NOT")?;
        for classes in &self.fitted {
            let reads = if classes.reads == Reads::Notes { "notes" } else { "sound" };
            for class in &classes.classes {
                let (of_it, not) = class.examples;
                writeln!(f, "{reads:6} {:10} {:6.3} {of_it:8} {not:8}", class.name, class.auc)?;
            }
        }
        writeln!(f, "held out by song; songs: {} (styles), {} (timbres)", self.songs[0], self.songs[1])?;
        self.files.iter().try_for_each(|file| writeln!(f, "wrote {}", file.display()))
    }
}

/// One drawn window.
struct Window {
    song: String,
    score: Score,
    seconds: f64,
    shares: Vec<f64>,
}

/// Fits both sets of classifiers and writes `styles.json` and `timbres.json`. `progress` is told how many sounds of how
/// many have been heard.
///
/// # Errors
/// [`TrainError`] where the cache, an asset or a file does not serve.
pub fn fit_steer_judges(
    options: &SteerJudgesOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<SteerJudgesReport, TrainError> {
    let data = |e: &dyn fmt::Display| TrainError::Data(e.to_string());
    let sources = sources(options)?;
    let styles: Vec<&str> = STYLES[..STYLES.len() - 1].iter().map(|c| c.name()).collect();
    let of_styles: Vec<Example> = drawn(&sources, options.styles, STYLES.len(), SECONDS.1, &|corpus, _, _| {
        STYLES.iter().map(|s| f64::from(u8::from(*s == corpus))).collect()
    })
    .into_iter()
    .map(|w| Example { numbers: classes::notes_numbers(&w.score, 0.0, w.seconds), shares: w.shares, song: w.song })
    .collect();
    let windows = drawn(&sources, options.timbres, TIMBRES.len(), SECONDS.0, &|_, score, end| timbres(score, end));
    let of_timbres = hear(options, &windows, progress)?;
    let about = |what: &str| {
        format!(
            "{what} Fitted on training windows drawn from songs held out of training (parts valid and test of POP909, \
             OpenEWLD, Bach chorales, folk tunes and Freedoom), which no direction was fitted on. Licence: CC0-1.0. Made by \
             `affetto train steer-judges`."
        )
    };
    let fitted = [
        classes::fit(&about("Styles by note features: which corpus."), Reads::Notes, &styles, &of_styles),
        classes::fit(
            &about("Timbres by sound: the share of the notes that a family plays (of drums, twice that share)."),
            Reads::Sound,
            &TIMBRES,
            &of_timbres,
        ),
    ];
    let [styles, timbres] = fitted;
    let fitted = [styles.map_err(|e| data(&e))?, timbres.map_err(|e| data(&e))?];
    let songs = [&of_styles, &of_timbres].map(|examples| {
        let mut songs: Vec<&str> = examples.iter().map(|e| e.song.as_str()).collect();
        songs.sort_unstable();
        songs.dedup();
        songs.len()
    });
    let folder = options.assets.join("research/steering");
    let mut files = Vec::new();
    std::fs::create_dir_all(&folder).map_err(|source| TrainError::Write { path: folder.clone(), source })?;
    for (name, classes) in ["styles.json", "timbres.json"].into_iter().zip(&fitted) {
        let path = folder.join(name);
        let mut json = serde_json::to_string(classes).map_err(|e| data(&e))?;
        json.push('\n');
        std::fs::write(&path, json).map_err(|source| TrainError::Write { path: path.clone(), source })?;
        files.push(path);
    }
    Ok(SteerJudgesReport { fitted, songs, files })
}

/// Windows of both parts that were held out, every corpus as often as any other.
fn sources(options: &SteerJudgesOptions) -> Result<Vec<ScoreWindows>, TrainError> {
    let path = options.assets.join("research/label-regressor.json");
    let json = std::fs::read_to_string(&path).map_err(|source| TrainError::Read { path, source })?;
    let judge = NotesJudge::load(&json).map_err(|e| TrainError::Data(e.to_string()))?;
    let pieces = cache::read(&options.corpus).map_err(|e| TrainError::Data(e.to_string()))?;
    let weights = STYLES.map(|corpus| (corpus, 1.0));
    let part = |split| {
        ScoreWindows::new(pieces.clone(), judge.clone(), &weights, split, SEED, WINDOW_ROWS)
            .map_err(|e| TrainError::Data(e.to_string()))
    };
    Ok(vec![part(Split::Valid)?, part(Split::Test)?])
}

/// What each of [`TIMBRES`] plays of a score until `end` seconds.
fn timbres(score: &Score, end: f64) -> Vec<f64> {
    let all = attributes::measure_all(score, 0.0, end);
    let of = |name: &&str| {
        let share = ATTRIBUTES.iter().position(|a| a.name == *name).map_or(0.0, |i| all[i]);
        if *name == "drums" { (share * DRUMS).min(1.0) } else { share }
    };
    TIMBRES.iter().map(of).collect()
}

/// About `count` windows in which each of `classes` leads equally often, and as many again of one class in which none
/// does; `shares` says how much of each class is in a score until a second.
fn drawn(
    sources: &[ScoreWindows],
    count: usize,
    classes: usize,
    longest: f64,
    shares: &dyn Fn(Corpus, &Score, f64) -> Vec<f64>,
) -> Vec<Window> {
    let songs: Vec<HashMap<&str, &str>> =
        sources.iter().map(|s| s.pieces().map(|p| (p.id.as_str(), p.song.as_str())).collect()).collect();
    let most = count.div_ceil(classes);
    let mut found: Vec<usize> = vec![0; classes + 1];
    let mut windows = Vec::new();
    for index in 0..count * PATIENCE {
        if windows.len() >= count {
            break;
        }
        let part = index % sources.len();
        let drawn = sources[part].made(Making::Performed, 0, index as u64);
        let seconds = drawn.score.seconds_at(drawn.score.end()).min(longest);
        if seconds < SHORTEST {
            continue;
        }
        let shares = shares(drawn.corpus, &drawn.score, seconds);
        // A mixture counts as a class of its own.
        let leads = shares.iter().position(|&s| s >= LEADS).unwrap_or(classes);
        if found[leads] < most {
            found[leads] += 1;
            let song = songs[part].get(drawn.piece.as_str()).copied().unwrap_or(&drawn.piece).to_owned();
            windows.push(Window { song, score: drawn.score, seconds, shares });
        }
    }
    windows
}

/// Renders and hears windows.
fn hear(
    options: &SteerJudgesOptions,
    windows: &[Window],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Example>, TrainError> {
    let data = |e: &dyn fmt::Display| TrainError::Data(e.to_string());
    let open = |name: &str| Checkpoint::open(options.assets.join(name)).map_err(|e| data(&e));
    let ears = Ears {
        musicnn: MusiCnn::load(&open("musicnn/musicnn.safetensors")?).map_err(|e| data(&e))?,
        basic_pitch: BasicPitch::load(&open("basic-pitch/basic_pitch.safetensors")?).map_err(|e| data(&e))?,
    };
    let font = SoundFont::open(options.assets.join("soundfont/affetto-gm.sf3")).map_err(|e| data(&e))?;
    let example = |window: &Window| -> Result<Example, TrainError> {
        let how = RenderOptions { seconds: Some(window.seconds), threads: 1, ..RenderOptions::default() };
        let sound = render(&font, &window.score, &how).map_err(|e| data(&e))?;
        let hearing = ears.hear_timbre(&sound).map_err(|e| data(&e))?;
        let numbers = classes::sound_numbers(&hearing, 0.0, hearing.seconds);
        Ok(Example { numbers, shares: window.shares.clone(), song: window.song.clone() })
    };
    let done = std::sync::atomic::AtomicUsize::new(0);
    let chunk = windows.len().div_ceil(options.threads.max(1)).max(1);
    let parts: Vec<Result<Vec<Example>, TrainError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = windows
            .chunks(chunk)
            .map(|part| {
                scope.spawn(|| {
                    let heard = part.iter().map(|window| {
                        let heard = example(window);
                        progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, windows.len());
                        heard
                    });
                    heard.collect()
                })
            })
            .collect();
        let gone = || Err(TrainError::Data("a thread that hears was lost".into()));
        workers.into_iter().map(|w| w.join().unwrap_or_else(|_| gone())).collect()
    });
    Ok(parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

#[cfg(test)]
mod tests {
    use affetto_judge::features;
    use affetto_judge::ridge::RidgeModel;

    use super::*;
    use crate::corpora::tiny;

    #[test]
    fn windows_come_from_held_out_songs_and_no_class_takes_all() {
        let names: Vec<String> = features::NAMES.iter().map(|n| (*n).to_owned()).collect();
        let d = names.len();
        let ridge = RidgeModel {
            names,
            mean: vec![0.0; d],
            scale: vec![1.0; d],
            weights: vec![0.0; d],
            bias: 0.0,
            knots: vec![],
        };
        let judge = NotesJudge { about: "test".into(), valence: ridge.clone(), arousal: ridge };
        // The tiny corpus as if it were folk, of which all songs are in this part.
        let pieces: Vec<_> = tiny::pieces().into_iter().filter(|p| Split::of(&p.song) == Split::Train).collect();
        let source = ScoreWindows::new(pieces, judge, &[(Corpus::Tiny, 1.0)], Split::Train, SEED, 96).unwrap();
        let windows = drawn(&[source], 24, TIMBRES.len(), SECONDS.0, &|_, score, end| timbres(score, end));
        assert!(windows.len() > 5, "{}", windows.len());
        let of_piano = windows.iter().filter(|w| w.shares[0] >= LEADS).count();
        assert!((1..=3).contains(&of_piano), "{of_piano}");
        assert!(windows.iter().all(|w| w.seconds >= SHORTEST && w.seconds <= SECONDS.0 && w.shares.len() == 9));
    }
}
