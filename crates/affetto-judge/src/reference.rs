//! Where the metrics of real pieces lie, family by family, and whether takes lie there too.
//!
//! A [`Reference`] is a small JSON file made from held-out pieces (`quality_reference`, an example of
//! `affetto-train`), so that takes can be compared on any machine, without the pieces.

use affetto_score::Score;
use serde::{Deserialize, Serialize};

use crate::copying::{CopyCount, CopyIndex};
use crate::metrics::{METRICS, Metrics, measure};
use crate::stats;

/// Quantiles that bound a band, its median between them.
const BAND: [f64; 3] = [0.05, 0.5, 0.95];
/// Slack of a band's edges, for numbers that went through text.
const SLACK: f64 = 1e-9;
/// The share of takes that shall lie inside a band.
pub const GOAL_INSIDE: f64 = 0.8;

/// A reference that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// Not JSON of the expected shape.
    #[error("not a quality reference ({0}); make one with the example quality_reference of affetto-train")]
    Json(#[from] serde_json::Error),
    /// Its numbers make no sense.
    #[error("not a usable quality reference ({0}); make one with the example quality_reference of affetto-train")]
    Content(String),
}

/// Bands of every family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// What it was made from, in words.
    pub source: String,
    /// Length of each measured stretch, in seconds, at most; takes shall be as long.
    pub seconds: f64,
    /// The families.
    pub families: Vec<Family>,
}

/// Bands of one family of pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Short name, such as `pop909`.
    pub name: String,
    /// Pieces the stretches come from.
    pub pieces: usize,
    /// Stretches measured.
    pub stretches: usize,
    /// Windows of the stretches that match a training piece, transposition ignored.
    pub copied: CopyCount,
    /// One band a metric, in the order of [`METRICS`].
    pub bands: Vec<Band>,
}

/// Where one metric of real pieces lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Name, as in [`METRICS`].
    pub metric: String,
    /// 5th percentile.
    pub p5: f64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// One metric of takes beside its band.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The band of the real pieces.
    pub band: Band,
    /// Median of the takes.
    pub median: f64,
    /// Share of the takes inside the band, its edges included.
    pub inside: f64,
    /// Whether the median and at least [`GOAL_INSIDE`] of the takes lie inside.
    pub reached: bool,
}

impl Band {
    /// Whether `x` lies inside, the edges included.
    pub fn holds(&self, x: f64) -> bool {
        x >= self.p5 - SLACK && x <= self.p95 + SLACK
    }
}

impl Family {
    /// Measures the stretches of `pieces` pieces, also against the `training` pieces.
    pub fn measure(name: &str, pieces: usize, stretches: &[Score], training: &CopyIndex) -> Family {
        let measured: Vec<Metrics> = stretches.iter().map(measure).collect();
        let bands = METRICS.iter().enumerate().map(|(m, metric)| {
            let values = column(&measured, m);
            let [p5, p50, p95] = BAND.map(|q| stats::quantile(&values, q));
            Band { metric: (*metric).to_owned(), p5, p50, p95 }
        });
        let bands = bands.collect();
        let mut copied = CopyCount::default();
        stretches.iter().for_each(|score| copied.add(training.count_with_top_line(score)));
        Family { name: name.to_owned(), pieces, stretches: stretches.len(), copied, bands }
    }

    /// Compares the metrics of takes with the bands, metric by metric. Without takes nothing is reached.
    pub fn compare(&self, takes: &[Metrics]) -> Vec<Comparison> {
        let compare = |(m, band): (usize, &Band)| {
            let values = column(takes, m);
            let median = stats::median(&values);
            let inside = values.iter().filter(|&&x| band.holds(x)).count() as f64 / values.len().max(1) as f64;
            let reached = band.holds(median) && inside >= GOAL_INSIDE;
            Comparison { band: band.clone(), median, inside, reached }
        };
        self.bands.iter().enumerate().map(compare).collect()
    }
}

fn column(all: &[Metrics], metric: usize) -> Vec<f64> {
    all.iter().map(|m| m.values()[metric]).collect()
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] where it is not one, or not of these metrics.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        let reference: Reference = serde_json::from_str(text)?;
        let wrong = |what: String| Err(ReferenceError::Content(what));
        if !(1.0..=3600.0).contains(&reference.seconds) {
            return wrong(format!("its stretches last {} s, expected 1 to 3600", reference.seconds));
        }
        if reference.families.is_empty() {
            return wrong("it has no families".into());
        }
        for family in &reference.families {
            if !family.bands.iter().map(|b| b.metric.as_str()).eq(METRICS) {
                return wrong(format!("the metrics of {} are not {}", family.name, METRICS.join(", ")));
            }
            if let Some(band) = family.bands.iter().find(|b| !(b.p5 <= b.p50 && b.p50 <= b.p95)) {
                return wrong(format!("the quantiles of {}, {}, do not rise", family.name, band.metric));
            }
        }
        Ok(reference)
    }

    /// One band a metric around those of all families: from the lowest 5th percentile to the highest 95th, the mean of
    /// the medians between them. For takes that are of no family.
    pub fn envelope(&self) -> Vec<Band> {
        let of = |(m, metric): (usize, &&str)| {
            let column = |get: fn(&Band) -> f64| self.families.iter().map(|f| get(&f.bands[m])).collect::<Vec<f64>>();
            Band {
                metric: (*metric).to_owned(),
                p5: column(|b| b.p5).into_iter().fold(f64::INFINITY, f64::min),
                p50: stats::mean(&column(|b| b.p50)),
                p95: column(|b| b.p95).into_iter().fold(f64::NEG_INFINITY, f64::max),
            }
        };
        METRICS.iter().enumerate().map(of).collect()
    }

    /// The family of this name.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|f| f.name == name)
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, Note};

    use super::*;

    /// Bars of quarters, `step` semitones apart, `voices` at a time.
    fn tune(step: u8, voices: u8) -> Score {
        let mut score = Score::default();
        for i in 0..48u32 {
            for voice in 0..voices {
                let pitch = 48 + (i as u8 * step) % 24 + voice * 4;
                score.notes.push(Note {
                    onset: i * 480,
                    duration: 480,
                    pitch,
                    velocity: 70,
                    instrument: Instrument::PIANO,
                });
            }
        }
        score
    }

    fn reference() -> Reference {
        let real: Vec<Score> = (0..20).map(|i| tune(1 + i % 5, 2 + i % 3)).collect();
        let family = Family::measure("tunes", 20, &real, &CopyIndex::new());
        Reference { source: "a test".into(), seconds: 30.0, families: vec![family] }
    }

    #[test]
    fn like_music_is_inside_and_unlike_music_is_not() {
        let reference = reference();
        let tunes = reference.family("tunes").unwrap();
        let polyphony = |takes: &[Score]| tunes.compare(&takes.iter().map(measure).collect::<Vec<_>>())[4].clone();
        let (like, unlike) = (vec![tune(2, 3); 5], vec![tune(2, 7); 5]);
        assert!(polyphony(&like).reached && polyphony(&like).inside == 1.0, "{:?}", polyphony(&like));
        assert!(!polyphony(&unlike).reached && polyphony(&unlike).inside == 0.0);
        // Seven of ten inside: the median is, but too few are.
        let most = [vec![tune(2, 3); 7], vec![tune(2, 7); 3]].concat();
        assert!(!polyphony(&most).reached && (polyphony(&most).inside - 0.7).abs() < 1e-12);
        assert!(!polyphony(&[]).reached);
    }

    #[test]
    fn the_envelope_holds_every_band() {
        let mut reference = reference();
        let mut other = reference.families[0].clone();
        (other.bands[3].p5, other.bands[3].p95) = (0.5, reference.families[0].bands[3].p95 - 0.1);
        reference.families.push(other);
        let density = &reference.envelope()[3];
        assert_eq!((density.p5, density.p95), (0.5, reference.families[0].bands[3].p95));
        assert!(density.holds(0.5) && !density.holds(0.4));
    }

    #[test]
    fn a_reference_comes_back_from_text_and_a_wrong_one_is_refused() {
        let reference = reference();
        let text = serde_json::to_string(&reference).unwrap();
        let read = Reference::parse(&text).unwrap();
        assert_eq!((read.seconds, read.families.len()), (30.0, 1));
        assert!((read.families[0].bands[3].p50 - reference.families[0].bands[3].p50).abs() < 1e-9);
        let message = |text: &str| Reference::parse(text).unwrap_err().to_string();
        assert!(message("{}").contains("not a quality reference"));
        assert!(message(&text.replace("\"density\"", "\"weight\"")).contains("metrics of tunes"));
        assert!(message(&text.replace("30.0", "0.0")).contains("last 0 s"));
        let mut upside_down = reference;
        upside_down.families[0].bands[0].p95 = -1.0;
        assert!(message(&serde_json::to_string(&upside_down).unwrap()).contains("do not rise"));
    }
}
