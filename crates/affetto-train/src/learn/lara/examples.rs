//! Training windows with what is heard in them: a finite list, drawn once, rendered and heard once.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use affetto_score::codec::{BAR, END_OF_PIECE};
use affetto_score::synth::{RenderOptions, SoundFont, render};
use flate2::Crc;

use super::cache::{CacheHeader, FeatureCache, checksum};
use super::encoder::SoundEncoder;
use super::model::{Example, HeardWindows};
use super::targets::{Rows, Scale};
use crate::config::LaraConfig;
use crate::corpora::Corpus;
use crate::error::TrainError;
use crate::windows::{Drawn, ScoreWindows};

/// The step that LARA's windows are drawn at: far from those of plain training and of the prior.
const STEP: u64 = 1 << 41;
/// Raised whenever windows are drawn, augmented or rendered otherwise than before: what was heard is heard anew.
const DRAWING: u32 = 2;
/// Most seconds of a window that are rendered and heard.
const SECONDS: f64 = 120.0;

/// What was heard, for the cache's identity, and the tools to hear it.
pub struct Ears<'a> {
    /// The network that hears.
    pub encoder: &'a dyn SoundEncoder,
    /// The SoundFont the windows are played with.
    pub font: &'a SoundFont,
    /// Files whose content decides what is heard: corpora, label regressor, SoundFont.
    pub files: Vec<PathBuf>,
    /// The corpora and their weights in the draw of windows.
    pub corpora: Vec<(Corpus, f32)>,
    /// Folder of the caches.
    pub folder: PathBuf,
    /// Threads.
    pub threads: usize,
}

impl Ears<'_> {
    /// The cache of `count` windows of `part` (a name for its file), heard where they are not there yet; `told` hears
    /// how many of how many are.
    ///
    /// # Errors
    /// Files that can't be read or written, a cache of something else, sound that can't be heard.
    pub fn hear(
        &self,
        windows: &ScoreWindows,
        count: usize,
        part: &str,
        told: &mut dyn FnMut(usize, usize),
    ) -> Result<FeatureCache, TrainError> {
        let mut heard = format!("{part}, drawing {DRAWING}");
        for (corpus, weight) in &self.corpora {
            heard.push_str(&format!(", {} x {weight}", corpus.name()));
        }
        for path in &self.files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            heard.push_str(&format!(", {name} {:08x}", checksum(path)?));
        }
        let header = CacheHeader {
            encoder: self.encoder.name(),
            width: self.encoder.width(),
            hop_seconds: self.encoder.hop_seconds(),
            heard,
        };
        let mut cache =
            FeatureCache::open(&self.folder.join(format!("{}.features", file_name(part, &header))), &header)?;
        let keys: Vec<u64> = (0..count as u64).collect();
        cache.fill(&keys, self.threads, &|key| self.features(&windows.draw(STEP, key)), told)?;
        Ok(cache)
    }

    fn features(&self, drawn: &Drawn) -> Result<Vec<f32>, TrainError> {
        let score = &drawn.score;
        let seconds = (score.seconds_at(score.end()) + 0.5).clamp(1.0, SECONDS);
        let how = RenderOptions { seconds: Some(seconds), threads: 1, ..RenderOptions::default() };
        let sound = render(self.font, score, &how).map_err(|e| TrainError::Data(format!("{}: {e}", drawn.piece)))?;
        self.encoder.rows(&sound)
    }
}

/// One file for each encoder, part, and what is heard of it.
fn file_name(part: &str, header: &CacheHeader) -> String {
    let mut name = String::new();
    for c in format!("{part} {}", header.encoder).chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let mut heard = Crc::new();
    heard.update(header.heard.as_bytes());
    format!("{name}-{:08x}", heard.sum())
}

/// The score family's windows and their features.
pub struct ScoreExamples {
    windows: ScoreWindows,
    known: Vec<OnceLock<Example>>,
    cache: FeatureCache,
    scale: Scale,
    window_seconds: f64,
}

impl ScoreExamples {
    /// The first `count` windows with features from `cache` at a scale.
    pub fn new(
        windows: ScoreWindows,
        cache: FeatureCache,
        count: usize,
        scale: Scale,
        window_seconds: f64,
    ) -> ScoreExamples {
        let window_seconds = window_seconds.max(cache.header().hop_seconds);
        ScoreExamples { windows, known: (0..count).map(|_| OnceLock::new()).collect(), cache, scale, window_seconds }
    }
}

/// The scale of the first `count` entries of a cache of training windows.
pub fn scale_of(cache: &FeatureCache, count: usize, lara: &LaraConfig) -> Scale {
    let width = cache.header().width;
    let pooled: Vec<f32> = (0..count as u64).flat_map(|key| pooled(cache, key, lara.window_seconds)).collect();
    Scale::fit(pooled.chunks_exact(width.max(1)), width, lara.scaling)
}

fn pooled(cache: &FeatureCache, key: u64, window_seconds: f64) -> Vec<f32> {
    let header = cache.header();
    let rows = Rows { values: cache.get(key).unwrap_or(&[]), width: header.width, hop_seconds: header.hop_seconds };
    rows.pooled(window_seconds)
}

impl HeardWindows for ScoreExamples {
    fn len(&self) -> usize {
        self.known.len()
    }

    fn example(&self, index: usize) -> Example {
        let made = self.known[index].get_or_init(|| {
            let drawn = self.windows.draw(STEP, index as u64);
            let score = &drawn.score;
            let sounding = drawn.window.rows.iter().filter(|row| row[BAR] != END_OF_PIECE).count();
            let seconds = score.notes.iter().take(sounding).map(|n| score.seconds_at(n.onset) as f32).collect();
            let mut features = pooled(&self.cache, index as u64, self.window_seconds);
            self.scale.apply(&mut features);
            Example { window: drawn.window, seconds, features }
        });
        made.clone()
    }

    fn width(&self) -> usize {
        self.cache.header().width
    }

    fn window_seconds(&self) -> f64 {
        self.window_seconds
    }
}

/// The files that decide what windows of a run sound like.
pub fn deciding_files(corpus: &Path, assets: &Path) -> Vec<PathBuf> {
    vec![corpus.to_path_buf(), assets.join("research/label-regressor.json"), soundfont(assets)]
}

/// The SoundFont of an assets folder.
pub fn soundfont(assets: &Path) -> PathBuf {
    assets.join("soundfont/affetto-gm.sf3")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use affetto_audio::AudioBuffer;
    use affetto_judge::notes::NotesJudge;

    use super::*;
    use crate::config::Scaling;
    use crate::corpora::{Split, tiny};

    /// Hears how loud each second is.
    struct Loudness(AtomicUsize);

    impl SoundEncoder for Loudness {
        fn name(&self) -> String {
            "loudness".into()
        }

        fn width(&self) -> usize {
            1
        }

        fn hop_seconds(&self) -> f64 {
            1.0
        }

        fn rows(&self, sound: &AudioBuffer) -> Result<Vec<f32>, TrainError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let second = sound.sample_rate as usize;
            let loud = |part: &[f32]| (part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32).sqrt();
            Ok(sound.mixdown().chunks_exact(second).map(loud).collect())
        }
    }

    #[test]
    fn windows_are_heard_once_and_their_notes_lie_where_they_sound() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
        let folder = tempfile::tempdir().unwrap();
        let json = std::fs::read_to_string(assets.join("research/label-regressor.json")).unwrap();
        let windows = || {
            let judge = NotesJudge::load(&json).unwrap();
            ScoreWindows::new(tiny::pieces(), judge, &[(Corpus::Tiny, 1.0)], Split::Train, 5, 48).unwrap()
        };
        let (encoder, font) = (Loudness(0.into()), SoundFont::open(soundfont(&assets)).unwrap());
        let ears = |weight| Ears {
            encoder: &encoder,
            font: &font,
            files: vec![soundfont(&assets)],
            corpora: vec![(Corpus::Tiny, weight)],
            folder: folder.path().into(),
            threads: 2,
        };
        let mut last = (0, 0);
        let cache = ears(1.0).hear(&windows(), 3, "tiny", &mut |done, total| last = (done, total)).unwrap();
        drop(cache);
        let cache = ears(1.0).hear(&windows(), 4, "tiny", &mut |_, _| {}).unwrap();
        assert_eq!((encoder.0.load(Ordering::Relaxed), last), (4, (3, 3)), "three, then the fourth alone");
        ears(2.0).hear(&windows(), 1, "tiny", &mut |_, _| {}).unwrap();
        assert_eq!(encoder.0.load(Ordering::Relaxed), 5, "other weights are heard anew");
        let none = Scale::fit(std::iter::empty(), 1, Scaling::None);
        let examples = ScoreExamples::new(windows(), cache, 4, none, 2.0);
        assert_eq!((examples.len(), examples.width(), examples.window_seconds()), (4, 1, 2.0));
        for index in 0..4 {
            let example = examples.example(index);
            let ends = example.window.rows.last().is_some_and(|row| row[BAR] == END_OF_PIECE);
            assert_eq!(example.seconds.len() + usize::from(ends), example.window.rows.len());
            assert!(example.seconds.is_sorted());
            // A window of two seconds in which notes begin is louder than silence.
            for (window, loud) in example.features.iter().enumerate() {
                let begins = example.seconds.iter().any(|s| (*s / 2.0) as usize == window);
                assert!(!begins || *loud > 1e-3, "window {window} of example {index}: {loud}");
            }
            let sounding = example.seconds.last().copied().unwrap_or(0.0) / 2.0;
            assert!(example.features.len() >= sounding as usize, "{} windows", example.features.len());
        }
        assert_ne!(examples.example(0).window, examples.example(1).window);
    }
}
