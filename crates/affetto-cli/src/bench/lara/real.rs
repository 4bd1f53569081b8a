//! Real music from files: the ceiling of the comparison, and what Fréchet distances are taken from.

use std::path::{Path, PathBuf};

use affetto::{AudioBuffer, Score, Sound};
use affetto_audio::AudioStream;
use affetto_judge::labels::Labels;
use affetto_judge::metrics::{METRICS, measure};
use affetto_judge::{EmotionReading, deam, features};

use crate::bench::judges::{Heard, Judges, Piece};
use crate::failure::Failure;
use crate::input;
use crate::progress::Progress;

/// Seconds of a file that are heard at most.
pub const MAX_SECONDS: f64 = 120.0;
/// Files of a set at most.
const MAX_FILES: usize = 10_000;
/// Names that files of music end in.
const ENDINGS: [&str; 7] = ["wav", "flac", "mp3", "ogg", "aac", "mid", "midi"];

/// A set of files, and what is known of them.
pub struct Set {
    /// As it is printed.
    pub name: String,
    /// What has to be said of it: the scale of its labels, what was put right.
    pub notes: Vec<String>,
    /// The files, with their labels where there are any.
    pub files: Vec<(PathBuf, Option<EmotionReading>)>,
}

/// A file, heard.
pub struct Known {
    /// Its path, as printed.
    pub file: String,
    /// What it is known to feel like.
    pub label: Option<EmotionReading>,
    /// What is heard in it.
    pub hearing: Heard,
    /// The metrics of its notes, where it has any.
    pub metrics: Option<[f64; METRICS.len()]>,
}

impl Set {
    /// Files and labels from a table: file, valence, arousal; or DEAM's song labels, whose exchange is found and put right
    /// by the curves in `curves` (or beside the table).
    ///
    /// # Errors
    /// A table that cannot be read or trusted.
    pub fn labelled(csv: &Path, curves: Option<&Path>) -> Result<Set, Failure> {
        let shown = csv.display();
        let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{shown}: {e}"));
        let text = input::text(csv).map_err(|e| said(&e))?;
        let folder = csv.parent().unwrap_or(Path::new(""));
        if let Some(songs) = deam::song_labels(&text).map_err(|e| said(&e))? {
            return Set::of_deam(csv, songs, curves.unwrap_or(folder));
        }
        if curves.is_some() {
            return Err(Failure::usage(format!(
                "--deam-curves is for DEAM's song labels, and {shown} has no columns song_id, valence_mean, arousal_mean"
            )));
        }
        let labels = Labels::parse(&text).map_err(|e| said(&e))?;
        if deam::exchanged_files(
            labels.rows.iter().map(|(file, label)| (Path::new(file), label.valence, label.arousal)),
        ) {
            return Err(said(
                &"these are DEAM's published song labels, whose valence and arousal are exchanged for songs 2 to 1000; give \
                  DEAM's own file (song_id, valence_mean, arousal_mean) with --deam-curves, or put the two columns right",
            ));
        }
        Set::of_labels(csv, &labels)
    }

    fn of_labels(csv: &Path, labels: &Labels) -> Result<Set, Failure> {
        let shown = csv.display();
        let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{shown}: {e}"));
        let folder = csv.parent().unwrap_or(Path::new(""));
        let notes = vec![format!("{shown}: {} pieces, labels {}", labels.rows.len(), labels.scale.name())];
        let files: Vec<_> = labels.rows.iter().map(|(file, label)| (folder.join(file), Some(*label))).collect();
        if let Some((missing, _)) = files.iter().find(|(file, _)| !file.is_file()) {
            return Err(said(&format!("{} is not there; paths are taken from the table's folder", missing.display())));
        }
        Ok(Set { name: shown.to_string(), notes, files })
    }

    fn of_deam(csv: &Path, songs: Vec<deam::Song>, curves: &Path) -> Result<Set, Failure> {
        let shown = csv.display();
        let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{shown}: {e}"));
        let mut notes = Vec::new();
        let paths = ["valence.csv", "arousal.csv"].map(|name| curves.join(name));
        let songs = if paths.iter().all(|p| p.is_file()) {
            let read = |path: &Path| {
                let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", path.display()));
                let text = input::text(path).map_err(|e| said(&e))?;
                deam::curve_means(&text).map_err(|e| said(&e))
            };
            let (right, runs) = deam::corrected(&songs, &read(&paths[0])?, &read(&paths[1])?).map_err(|e| said(&e))?;
            notes.extend(runs.iter().map(|run| format!("{shown}: {run}")));
            right
        } else {
            let known = deam::known_right(&songs).map_err(|e| said(&e))?;
            notes.push(format!("{shown}: DEAM's song labels, right for {known} songs that tell whether they are"));
            songs
        };
        Set::of_songs(csv, &songs, notes)
    }

    /// The sound of DEAM's songs, with labels that were looked at.
    fn of_songs(csv: &Path, songs: &[deam::Song], mut notes: Vec<String>) -> Result<Set, Failure> {
        let shown = csv.display();
        let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{shown}: {e}"));
        let folder = csv.parent().unwrap_or(Path::new(""));
        let find = |id: u32| {
            let named =
                |ending: &&str| [folder.join(format!("{id}.{ending}")), folder.join(format!("audio/{id}.{ending}"))];
            ENDINGS.iter().flat_map(named).find(|path| path.is_file())
        };
        let value = |x: f64| (x - 5.0) / 4.0;
        let files: Vec<_> = songs
            .iter()
            .filter_map(|s| {
                let label = EmotionReading { valence: value(s.valence), arousal: value(s.arousal) };
                find(s.id).map(|path| (path, Some(label)))
            })
            .collect();
        if files.is_empty() {
            return Err(said(&"no song's sound is beside it or in audio/ (as 2.mp3)"));
        }
        notes.push(format!("{shown}: sound of {} of {} songs is there", files.len(), songs.len()));
        Ok(Set { name: shown.to_string(), notes, files })
    }

    /// The files of a table alone. Its labels are passed over, so they need not be right.
    fn listed(csv: &Path) -> Result<Set, Failure> {
        let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", csv.display()));
        let text = input::text(csv).map_err(|e| said(&e))?;
        let mut set = match deam::song_labels(&text).map_err(|e| said(&e))? {
            Some(songs) => Set::of_songs(csv, &songs, Vec::new())?,
            None => Set::of_labels(csv, &Labels::parse(&text).map_err(|e| said(&e))?)?,
        };
        set.files.iter_mut().for_each(|(_, label)| *label = None);
        Ok(set)
    }

    /// A folder's files of music, in the order of their names; or those of a table like that of [`Set::labelled`], without
    /// their labels.
    ///
    /// # Errors
    /// A folder or table that cannot be read, or has no music.
    pub fn of_sound(path: &Path) -> Result<Set, Failure> {
        if !path.is_dir() {
            return Set::listed(path);
        }
        let said = |e: &dyn std::fmt::Display| Failure::failed(format!("--reference-sound {}: {e}", path.display()));
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| said(&e))? {
            let file = entry.map_err(|e| said(&e))?.path();
            let ending = file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
            if ending.is_some_and(|e| ENDINGS.contains(&e.as_str())) && file.is_file() {
                files.push((file, None));
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files.truncate(MAX_FILES);
        if files.is_empty() {
            return Err(said(&format!("no music in it; names end in {}", ENDINGS.join(", "))));
        }
        Ok(Set { name: path.display().to_string(), notes: Vec::new(), files })
    }

    /// Hears every file. Velocities are brought to the common scale first, as a corpus; notes are rendered as they are.
    ///
    /// # Errors
    /// A file that cannot be read or heard, named.
    pub fn hear(&self, judges: &Judges, sound: &Sound, progress: &mut Progress) -> Result<Vec<Known>, Failure> {
        let mut scores = Vec::new();
        for (file, _) in &self.files {
            scores.push(notes_of(file)?);
        }
        let (mean, sd) = features::velocity_statistics(scores.iter().flatten());
        let mut heard = Vec::new();
        for (i, ((file, label), score)) in self.files.iter().zip(&scores).enumerate() {
            progress.show("real music", i as f32 / self.files.len() as f32);
            let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", file.display()));
            let audio = match score {
                Some(score) => {
                    let seconds = score.seconds_at(score.end()).clamp(1.0, MAX_SECONDS);
                    sound.render(score, seconds).map_err(|e| said(&e))?
                }
                None => beginning(file).map_err(|e| said(&e))?,
            };
            let brought = score.clone().map(|mut score| {
                features::normalize_velocities(&mut score, mean, sd);
                score
            });
            let piece = Piece { score: brought.as_ref(), audio: &audio, seconds: audio.seconds() };
            let hearing = judges.hear(&piece).map_err(|e| e.with(&file.display().to_string()))?;
            let metrics = score.as_ref().map(|score| measure(score).values());
            heard.push(Known { file: file.display().to_string(), label: *label, hearing, metrics });
        }
        Ok(heard)
    }
}

/// A file's notes; none where it is sound.
fn notes_of(file: &Path) -> Result<Option<Score>, Failure> {
    let ending = file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    if !ending.is_some_and(|e| e == "mid" || e == "midi") {
        return Ok(None);
    }
    let said = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", file.display()));
    let bytes = input::bytes(file, input::MAX_TEXT).map_err(|e| said(&e))?;
    let score = affetto_score::midi::read(&bytes).map_err(|e| said(&e))?;
    if score.notes.is_empty() {
        return Err(said(&"there are no notes in it"));
    }
    Ok(Some(score))
}

/// The beginning of a sound file, [`MAX_SECONDS`] at most.
fn beginning(file: &Path) -> Result<AudioBuffer, affetto_audio::AudioError> {
    let mut stream = AudioStream::open(file)?;
    let mut whole: Option<AudioBuffer> = None;
    while let Some(block) = stream.next_block()? {
        let whole = whole.get_or_insert_with(|| AudioBuffer::silence(block.sample_rate, block.channels.len(), 0));
        for (channel, more) in whole.channels.iter_mut().zip(&block.channels) {
            channel.extend_from_slice(more);
        }
        if whole.seconds() >= MAX_SECONDS {
            break;
        }
    }
    Ok(whole.unwrap_or_else(|| AudioBuffer::silence(44_100, 1, 0)))
}
