//! DEAM's song labels, whose valence and arousal were published exchanged for a part of the songs.
//!
//! DEAM (Aljanabi et al. 2017, 1,802 excerpts) rates each song twice: once as a whole (`static_annotations*.csv`) and twice
//! a second (`valence.csv`, `arousal.csv`). In the published song labels of songs 2 to 1000, "valence" follows the
//! *arousal* curves. Whoever uses them unawares conditions, trains or judges on exchanged axes. Here the exchange is found
//! by the curves, block of ids by block of ids, and undone; without curves some well-known songs tell a file that is right
//! from one that is not; a file that cannot be told is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::stats::{mean, pearson};

/// Ids that DEAM's songs have.
const IDS: std::ops::RangeInclusive<u32> = 2..=2058;
/// Ids of a block that is judged as one.
const BLOCK: u32 = 100;
/// The last of the songs whose labels were published exchanged. Blocks on its two sides are never joined: one answer for
/// both would be wrong for one of them.
const LAST_EXCHANGED: u32 = 1000;
/// Songs a block needs; smaller ones are joined to a neighbour on their side of [`LAST_EXCHANGED`].
const MIN_SONGS: usize = 12;
/// By how much the correlations with the curves (mean of the two axes) must speak for one reading.
const MARGIN: f64 = 0.05;
/// Songs whose axes lie at least 1.8 of nine steps apart, and whether valence is the higher one. By the curves, and by the
/// labels of emoMusic, which has the same songs and was right.
const KNOWN: [(u32, bool); 24] = [
    (25, false),
    (43, false),
    (60, true),
    (127, true),
    (145, true),
    (157, true),
    (243, false),
    (308, true),
    (445, true),
    (554, true),
    (617, false),
    (631, false),
    (647, true),
    (702, false),
    (726, false),
    (779, true),
    (829, true),
    (893, false),
    (902, false),
    (939, false),
    (962, false),
    (977, false),
    (979, true),
    (985, true),
];
/// Known songs that a file must hold to be told by them.
const MIN_KNOWN: usize = 8;

/// A song's label as a whole, on the scale from 1 to 9.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Song {
    /// DEAM's number of the song.
    pub id: u32,
    /// Unpleasant (1) to pleasant (9).
    pub valence: f64,
    /// Calm (1) to excited (9).
    pub arousal: f64,
}

/// Why labels cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum DeamError {
    /// A line that cannot be read.
    #[error("line {line}: {reason}")]
    Line {
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No curves, and the songs that are known do not show the labels right.
    #[error(
        "these are DEAM's song labels, {found}; the published file has valence and arousal exchanged for songs 2 to 1000. \
         Give the folder of its continuous curves (valence.csv and arousal.csv), by which the exchange is found and undone, \
         or a file with the columns file, valence, arousal"
    )]
    Untold {
        /// What the known songs show.
        found: String,
    },
    /// The curves speak for neither reading.
    #[error(
        "songs {first} to {last}: their labels follow the curves of either axis about as well (r {own:.2} as labelled, \
         {crossed:.2} exchanged, {songs} songs with curves, at least {MIN_SONGS} are needed), so it cannot be told whether \
         they are exchanged; are these the curves of the same songs? Leave these songs out otherwise"
    )]
    Undecided {
        /// First song of the block.
        first: u32,
        /// Last song of the block.
        last: u32,
        /// Songs in it that have curves.
        songs: usize,
        /// Mean correlation of each axis with its own curve.
        own: f64,
        /// Mean correlation of each axis with the other's curve.
        crossed: f64,
    },
}

/// A run of songs that were judged alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// First song.
    pub first: u32,
    /// Last song.
    pub last: u32,
    /// Number of songs.
    pub songs: usize,
    /// Correlation of labelled valence with the curves of valence and of arousal.
    pub valence: (f64, f64),
    /// Correlation of labelled arousal with the curves of arousal and of valence.
    pub arousal: (f64, f64),
    /// Whether the labels were exchanged, and are now the other way round.
    pub exchanged: bool,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.exchanged { "exchanged, put right" } else { "as published" };
        write!(
            f,
            "songs {} to {} ({}): labelled valence follows the curves of valence at r {:.3}, of arousal at {:.3}; labelled \
             arousal those of arousal at {:.3}, of valence at {:.3}: {done}",
            self.first, self.last, self.songs, self.valence.0, self.valence.1, self.arousal.0, self.arousal.1
        )
    }
}

/// DEAM's song labels, if the text is such a file: columns `song_id`, `valence_mean` and `arousal_mean`, and ids in DEAM's
/// range. `None` for any other.
///
/// # Errors
/// [`DeamError::Line`] for such a file with a line that is none.
pub fn song_labels(csv: &str) -> Result<Option<Vec<Song>>, DeamError> {
    let mut lines = csv.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let columns: Vec<String> = match lines.next() {
        Some((_, header)) => header.split(',').map(|c| c.trim().trim_matches('"').to_lowercase()).collect(),
        None => return Ok(None),
    };
    let find = |name: &str| columns.iter().position(|c| c == name);
    let (Some(id), Some(valence), Some(arousal)) = (find("song_id"), find("valence_mean"), find("arousal_mean")) else {
        return Ok(None);
    };
    let mut songs = Vec::new();
    for (i, line) in lines {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let number = |column: usize| {
            let field = fields.get(column).copied().unwrap_or_default();
            let value = field.parse::<f64>().ok().filter(|x| x.is_finite());
            value.ok_or_else(|| DeamError::Line { line: i + 1, reason: format!("{field:?} is not a number") })
        };
        let (id, valence, arousal) = (number(id)?, number(valence)?, number(arousal)?);
        if id.fract() != 0.0 || !IDS.contains(&(id.clamp(0.0, 1e9) as u32)) {
            return Ok(None);
        }
        if let Some(value) = [valence, arousal].into_iter().find(|x| !(1.0..=9.0).contains(x)) {
            return Err(DeamError::Line { line: i + 1, reason: format!("{value} lies outside DEAM's scale, 1 to 9") });
        }
        songs.push(Song { id: id as u32, valence, arousal });
    }
    Ok((!songs.is_empty()).then_some(songs))
}

/// The mean of each song's curve, by its id, from `valence.csv` or `arousal.csv`: columns `song_id, sample_15000ms, …`, rows
/// of different lengths.
///
/// # Errors
/// [`DeamError::Line`] where the first column is no `song_id` or a field no number.
pub fn curve_means(csv: &str) -> Result<BTreeMap<u32, f64>, DeamError> {
    let wrong = |line: usize, reason: String| DeamError::Line { line, reason };
    let mut means = BTreeMap::new();
    for (i, line) in csv.trim_start_matches('\u{feff}').lines().enumerate() {
        let mut fields = line.split(',').map(|f| f.trim().trim_matches('"'));
        let first = fields.next().unwrap_or_default();
        if i == 0 {
            if !first.eq_ignore_ascii_case("song_id") {
                return Err(wrong(1, "the first column is not song_id; these are not DEAM's curves".into()));
            }
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        let id = first.parse().map_err(|_| wrong(i + 1, format!("{first:?} is no song's number")))?;
        let mut values = Vec::new();
        for field in fields.filter(|f| !f.is_empty()) {
            let value = field.parse::<f64>().map_err(|_| wrong(i + 1, format!("{field:?} is not a number")))?;
            values.extend(value.is_finite().then_some(value));
        }
        if !values.is_empty() {
            means.insert(id, mean(&values));
        }
    }
    Ok(means)
}

/// Labels that can be trusted, by the curves: what was exchanged is put right, and each run of songs says what was found.
/// Songs without curves go with their block.
///
/// # Errors
/// [`DeamError::Undecided`] for a block that the curves do not tell.
pub fn corrected(
    songs: &[Song],
    valence: &BTreeMap<u32, f64>,
    arousal: &BTreeMap<u32, f64>,
) -> Result<(Vec<Song>, Vec<Run>), DeamError> {
    let mut songs = songs.to_vec();
    songs.sort_by_key(|s| s.id);
    let with_curves = |songs: &[Song]| -> Vec<(Song, f64, f64)> {
        songs.iter().filter_map(|s| Some((*s, *valence.get(&s.id)?, *arousal.get(&s.id)?))).collect()
    };
    let mut blocks: Vec<Vec<Song>> = Vec::new();
    for block in songs.chunk_by(|a, b| (a.id - 1) / BLOCK == (b.id - 1) / BLOCK) {
        match blocks.last_mut() {
            Some(last)
                if (last[0].id <= LAST_EXCHANGED) == (block[0].id <= LAST_EXCHANGED)
                    && (with_curves(block).len() < MIN_SONGS || with_curves(last).len() < MIN_SONGS) =>
            {
                last.extend_from_slice(block);
            }
            _ => blocks.push(block.to_vec()),
        }
    }
    let measure = |songs: &[Song], exchanged: bool| {
        let column = |of: fn(&(Song, f64, f64)) -> f64| with_curves(songs).iter().map(of).collect::<Vec<f64>>();
        let (v, a) = (column(|x| x.0.valence), column(|x| x.0.arousal));
        let (curve_v, curve_a) = (column(|x| x.1), column(|x| x.2));
        Run {
            first: songs.first().map_or(0, |s| s.id),
            last: songs.last().map_or(0, |s| s.id),
            songs: songs.len(),
            valence: (pearson(&v, &curve_v), pearson(&v, &curve_a)),
            arousal: (pearson(&a, &curve_a), pearson(&a, &curve_v)),
            exchanged,
        }
    };
    // Neighbours that are judged alike are measured again as one.
    let mut judged: Vec<(Vec<Song>, bool)> = Vec::new();
    for block in blocks {
        let run = measure(&block, false);
        let (own, crossed) = ((run.valence.0 + run.arousal.0) / 2.0, (run.valence.1 + run.arousal.1) / 2.0);
        let known = with_curves(&block).len();
        if known < MIN_SONGS || (own - crossed).abs() < MARGIN {
            return Err(DeamError::Undecided { first: run.first, last: run.last, songs: known, own, crossed });
        }
        match judged.last_mut().filter(|last| last.1 == (crossed > own)) {
            Some(last) => last.0.extend(block),
            None => judged.push((block, crossed > own)),
        }
    }
    let runs = judged.iter().map(|(songs, exchanged)| measure(songs, *exchanged)).collect();
    let right = |(songs, exchanged): (Vec<Song>, bool)| {
        songs.into_iter().map(move |s| match exchanged {
            true => Song { valence: s.arousal, arousal: s.valence, ..s },
            false => s,
        })
    };
    Ok((judged.into_iter().flat_map(right).collect(), runs))
}

/// Whether the rows of a user's own table (file, valence, arousal; on any scale) are DEAM's songs, by the numbers in their
/// names (`2.mp3`), with the axes exchanged as they were published.
pub fn exchanged_files<'a>(rows: impl IntoIterator<Item = (&'a Path, f64, f64)>) -> bool {
    let turned = |(file, valence, arousal): (&Path, f64, f64)| {
        let id = file.file_stem()?.to_str()?.parse().ok()?;
        Some(Song { id, valence: arousal, arousal: valence })
    };
    known_right(&rows.into_iter().filter_map(turned).collect::<Vec<_>>()).is_ok()
}

/// Lets labels pass that the known songs show to be right, where there are no curves; says by how many.
///
/// # Errors
/// [`DeamError::Untold`] for labels they show to be exchanged, and where too few of them are there.
pub fn known_right(songs: &[Song]) -> Result<usize, DeamError> {
    let by_id: BTreeMap<u32, &Song> = songs.iter().map(|s| (s.id, s)).collect();
    let found: Vec<bool> =
        KNOWN.iter().filter_map(|(id, higher)| by_id.get(id).map(|s| (s.valence > s.arousal) == *higher)).collect();
    let right = found.iter().filter(|r| **r).count();
    match found.len() {
        n if n < MIN_KNOWN => {
            let found = format!("and of the {} songs that would tell whether they are right it has {n}", KNOWN.len());
            Err(DeamError::Untold { found })
        }
        n if right * 10 < n * 9 => {
            Err(DeamError::Untold { found: format!("and of {n} songs that tell, {} are exchanged", n - right) })
        }
        _ => Ok(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::splitmix;

    /// Songs with axes that go together (r about 0.5), and curves that follow them with some noise.
    fn made() -> (Vec<Song>, BTreeMap<u32, f64>, BTreeMap<u32, f64>) {
        let mut state = 7;
        let mut uniform = || (splitmix(&mut state) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        let (mut songs, mut v, mut a) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for id in (2..=1400).filter(|id| id % 3 != 0) {
            let shared = uniform();
            let (valence, arousal) = (0.5 * shared + 0.5 * uniform(), 0.5 * shared + 0.5 * uniform());
            songs.push(Song { id, valence: 5.0 + 3.5 * valence, arousal: 5.0 + 3.5 * arousal });
            v.insert(id, 0.5 * valence + 0.1 * uniform());
            a.insert(id, 0.5 * arousal + 0.1 * uniform());
        }
        (songs, v, a)
    }

    fn exchanged(songs: &[Song], ids: std::ops::RangeInclusive<u32>) -> Vec<Song> {
        let turn = |s: &Song| match ids.contains(&s.id) {
            true => Song { valence: s.arousal, arousal: s.valence, ..*s },
            false => *s,
        };
        songs.iter().map(turn).collect()
    }

    #[test]
    fn exchanged_songs_are_found_and_put_right() {
        let (songs, v, a) = made();
        let (right, runs) = corrected(&exchanged(&songs, 2..=1000), &v, &a).unwrap();
        assert_eq!(right, songs);
        assert_eq!(
            runs.iter().map(|r| (r.first, r.last, r.exchanged)).collect::<Vec<_>>(),
            [(2, 1000, true), (1001, 1400, false)]
        );
        assert!(runs[0].valence.1 > 0.9 && runs[0].valence.0 < 0.7, "{:?}", runs[0]);
        assert!(runs[0].to_string().contains("put right"));
        let (as_it_is, runs) = corrected(&songs, &v, &a).unwrap();
        assert_eq!((as_it_is, runs.len(), runs[0].exchanged), (songs.clone(), 1, false));
        // Every third song without curves goes with its block.
        let some =
            |all: &BTreeMap<u32, f64>| all.iter().filter(|(id, _)| *id % 5 != 0).map(|(i, x)| (*i, *x)).collect();
        assert_eq!(corrected(&exchanged(&songs, 2..=1000), &some(&v), &some(&a)).unwrap().0, songs);
    }

    #[test]
    fn no_block_lies_on_both_sides_of_song_1000() {
        let (songs, v, a) = made();
        // Too few songs on one side: they go with nobody.
        let few = |low: u32, high: u32| -> Vec<Song> {
            exchanged(&songs, 2..=1000).into_iter().filter(|s| (low..=high).contains(&s.id)).collect()
        };
        for (low, high, first, last) in [(801, 1005, 1001, 1004), (992, 1300, 992, 1000)] {
            let error = corrected(&few(low, high), &v, &a).unwrap_err();
            let DeamError::Undecided { first: f, last: l, .. } = error else { panic!("{error}") };
            assert_eq!((f, l), (first, last));
        }
        // Few songs on one side of it still go with their neighbours there.
        let right = corrected(&few(801, 1203), &v, &a).unwrap().0;
        assert!(right.iter().all(|s| songs.contains(s)) && right.len() > 200);
    }

    #[test]
    fn curves_of_other_songs_decide_nothing() {
        let (songs, v, a) = made();
        let shifted: BTreeMap<u32, f64> = v.keys().zip(v.values().skip(5)).map(|(i, x)| (*i, *x)).collect();
        let other: BTreeMap<u32, f64> = a.keys().zip(a.values().skip(9)).map(|(i, x)| (*i, *x)).collect();
        let Err(DeamError::Undecided { first: 2, .. }) = corrected(&songs, &shifted, &other) else {
            // By chance a block may lean one way; not all fourteen do.
            assert!(corrected(&songs, &shifted, &other).is_err());
            return;
        };
        assert!(corrected(&songs, &BTreeMap::new(), &a).unwrap_err().to_string().contains("0 songs with curves"));
    }

    #[test]
    fn without_curves_the_known_songs_tell_or_the_file_is_refused() {
        let known = |right: bool| -> Vec<Song> {
            let song = |&(id, higher): &(u32, bool)| match higher == right {
                true => Song { id, valence: 6.0, arousal: 4.0 },
                false => Song { id, valence: 3.0, arousal: 7.0 },
            };
            KNOWN.iter().map(song).collect()
        };
        assert_eq!(known_right(&known(true)), Ok(24));
        let message = known_right(&known(false)).unwrap_err().to_string();
        assert!(message.contains("24 are exchanged") && message.contains("valence.csv"), "{message}");
        for (right, low) in [(true, false), (false, true)] {
            let files: Vec<_> = KNOWN.iter().map(|(id, _)| std::path::PathBuf::from(format!("a/{id}.mp3"))).collect();
            let songs = known(right);
            let rows = |scale: fn(f64) -> f64| {
                let row = |(f, s): (&std::path::PathBuf, &Song)| (f.clone(), scale(s.valence), scale(s.arousal));
                files.iter().zip(&songs).map(row).collect::<Vec<_>>()
            };
            for rows in [rows(|x| x), rows(|x| (x - 5.0) / 4.0)] {
                assert_eq!(exchanged_files(rows.iter().map(|(f, v, a)| (f.as_path(), *v, *a))), low);
            }
        }
        let message = known_right(&known(true)[..5]).unwrap_err().to_string();
        assert!(message.contains("it has 5"), "{message}");
    }

    #[test]
    fn files_are_told_by_their_columns_and_ids() {
        let csv =
            "song_id, valence_mean, valence_std, arousal_mean, arousal_std\n2, 3.1, 0.94, 3, 0.63\n\n3,3.5,1,3.3,1\n";
        let songs = song_labels(csv).unwrap().unwrap();
        assert_eq!(songs[0], Song { id: 2, valence: 3.1, arousal: 3.0 });
        assert_eq!(songs.len(), 2);
        assert_eq!(song_labels("file,valence,arousal\na.wav,0,0\n"), Ok(None));
        assert_eq!(song_labels("song_id,valence_mean,arousal_mean\n9001,5,5\n"), Ok(None));
        assert_eq!(song_labels(""), Ok(None));
        let error = song_labels("song_id,valence_mean,arousal_mean\n7,x,5\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("\"x\""), "{error}");
        assert!(song_labels("song_id,valence_mean,arousal_mean\n7,50,5\n").unwrap_err().to_string().contains("1 to 9"));
        let means = curve_means("song_id,sample_15000ms,sample_15500ms\n2,0.1,0.3\n5,-0.5,\n").unwrap();
        assert!((means[&2] - 0.2).abs() < 1e-12 && means[&5] == -0.5);
        assert!(curve_means("a,b\n").unwrap_err().to_string().contains("not DEAM's curves"));
        assert!(curve_means("song_id,x\n2,y\n").is_err());
    }
}
