//! From takes to numbers: agreement by arm, part and judge, differences of arms, Fréchet distances, quality.

use affetto_judge::agreement::{Heard, MEASURES, measures};
use affetto_judge::bootstrap::{Estimate, difference, estimate};
use affetto_judge::frechet::Gaussian;
use affetto_judge::metrics::METRICS;
use affetto_judge::stats::mean;
use serde::Serialize;

use super::arms::{Made, Part};
use super::real::Known;

/// A judge, as the report knows it.
#[derive(Clone, Debug, Serialize)]
pub struct JudgeInfo {
    /// Its name.
    pub name: &'static str,
    /// Whether it hears by the encoder that LARA aligns to.
    pub aligned: bool,
}

/// How one arm agrees with what was asked, by one judge.
pub struct Line {
    /// The arm.
    pub arm: String,
    /// Who hears the feeling; none for real music.
    pub part: Option<Part>,
    /// The judge, by its place among the judges.
    pub judge: usize,
    /// Models, and pieces of each.
    pub count: (usize, usize),
    /// [`MEASURES`].
    pub measures: [Estimate; MEASURES.len()],
    /// Every piece.
    pub pieces: Vec<Heard>,
}

/// What one arm has before another, on the same requests.
pub struct Difference {
    /// The arm, and the one it is compared with.
    pub arms: (String, String),
    /// Who hears the feeling.
    pub part: Part,
    /// The judge, by its place; none for [`METRICS`].
    pub judge: Option<usize>,
    /// [`MEASURES`] of the first less those of the second; of [`METRICS`] where no judge is named.
    pub values: Vec<Estimate>,
}

/// The Fréchet distance of an arm's sound from the reference's.
#[derive(Clone, Debug, Serialize)]
pub struct Distance {
    /// The arm.
    pub arm: String,
    /// Who hears the feeling; none for real music.
    pub part: Option<Part>,
    /// Mean over the models.
    pub distance: f64,
    /// That of each model.
    pub by_model: Vec<f64>,
    /// Pieces of each model.
    pub pieces: usize,
    /// Windows of each model, on average.
    pub windows: usize,
    /// Whether there were too few windows for a covariance of full rank.
    pub lacks_rank: bool,
}

/// The metrics of an arm's notes.
pub struct Quality {
    /// The arm.
    pub arm: String,
    /// Who hears the feeling; none for real music.
    pub part: Option<Part>,
    /// Means of [`METRICS`].
    pub means: [Estimate; METRICS.len()],
}

/// All numbers of a comparison.
pub struct Report {
    /// The judges.
    pub judges: Vec<JudgeInfo>,
    /// Agreement.
    pub lines: Vec<Line>,
    /// Differences of arms, the later less the earlier.
    pub differences: Vec<Difference>,
    /// Fréchet distances, where there is a reference.
    pub distances: Vec<Distance>,
    /// Symbolic quality.
    pub quality: Vec<Quality>,
}

/// A table `[model][item]` of what `of` takes from the takes of an arm's part.
fn table<T>(takes: &[Made], arm: &str, part: Part, of: impl Fn(&Made) -> T) -> Vec<Vec<T>> {
    let of_arm = || takes.iter().filter(|t| t.arm == arm && t.part == part);
    let models = of_arm().map(|t| t.model + 1).max().unwrap_or(0);
    (0..models).map(|m| of_arm().filter(|t| t.model == m).map(&of).collect()).collect()
}

/// What of a take one judge heard. A judge that hears nothing of takes is told apart before.
fn heard(take: &Made, judge: usize) -> Heard {
    Heard { asked: take.asked, heard: take.heard[judge].unwrap_or_default() }
}

impl Report {
    /// Of takes, of real music with labels, and of what Fréchet distances are taken from.
    pub fn new(judges: Vec<JudgeInfo>, takes: &[Made], real: &[Known], reference: Option<&[Known]>) -> Report {
        let mut arms: Vec<&'static str> = Vec::new();
        takes.iter().for_each(|t| arms.extend((!arms.contains(&t.arm)).then_some(t.arm)));
        let parts: Vec<Part> =
            [Part::Whole, Part::ModelOnly].into_iter().filter(|p| takes.iter().any(|t| t.part == *p)).collect();
        let mut report =
            Report { judges, lines: Vec::new(), differences: Vec::new(), distances: Vec::new(), quality: Vec::new() };
        let means = |items: &[&[f64; METRICS.len()]]| -> [f64; METRICS.len()] {
            std::array::from_fn(|i| mean(&items.iter().map(|m| m[i]).collect::<Vec<_>>()))
        };
        let heard_by: Vec<usize> =
            (0..report.judges.len()).filter(|&j| takes.iter().all(|t| t.heard[j].is_some())).collect();
        for &part in &parts {
            for (i, arm) in arms.iter().enumerate() {
                for &judge in &heard_by {
                    let own = table(takes, arm, part, |t| heard(t, judge));
                    report.lines.push(Line {
                        arm: (*arm).to_owned(),
                        part: Some(part),
                        judge,
                        count: (own.len(), own.first().map_or(0, Vec::len)),
                        measures: estimate(&own, measures),
                        pieces: own.concat(),
                    });
                    for other in &arms[..i] {
                        let theirs = table(takes, other, part, |t| heard(t, judge));
                        let values = difference(&own, &theirs, measures).to_vec();
                        let arms = ((*arm).to_owned(), (*other).to_owned());
                        report.differences.push(Difference { arms, part, judge: Some(judge), values });
                    }
                }
                let own = table(takes, arm, part, |t| t.metrics);
                let (arm_name, part_of) = ((*arm).to_owned(), Some(part));
                report.quality.push(Quality { arm: arm_name, part: part_of, means: estimate(&own, means) });
                for other in &arms[..i] {
                    let theirs = table(takes, other, part, |t| t.metrics);
                    let values = difference(&own, &theirs, means).to_vec();
                    let arms = ((*arm).to_owned(), (*other).to_owned());
                    report.differences.push(Difference { arms, part, judge: None, values });
                }
            }
        }
        report.add_real(real, means);
        if let Some(reference) = reference {
            report.add_distances(takes, &arms, &parts, real, reference);
        }
        report
    }

    fn add_real(&mut self, real: &[Known], means: impl Fn(&[&[f64; METRICS.len()]]) -> [f64; METRICS.len()]) {
        for judge in 0..self.judges.len() {
            let pieces: Vec<Heard> = real
                .iter()
                .filter_map(|k| Some(Heard { asked: k.label?, heard: k.hearing.readings[judge]? }))
                .collect();
            if !pieces.is_empty() {
                self.lines.push(Line {
                    arm: "real music".into(),
                    part: None,
                    judge,
                    count: (1, pieces.len()),
                    measures: estimate(std::slice::from_ref(&pieces), measures),
                    pieces,
                });
            }
        }
        let metrics: Vec<_> = real.iter().filter_map(|k| k.metrics).collect();
        if !metrics.is_empty() {
            self.quality.push(Quality { arm: "real music".into(), part: None, means: estimate(&[metrics], means) });
        }
    }

    fn add_distances(&mut self, takes: &[Made], arms: &[&str], parts: &[Part], real: &[Known], reference: &[Known]) {
        let Some(from) = gaussian(reference.iter().map(|k| &k.hearing.embeddings)) else { return };
        let mut add = |arm: &str, part: Option<Part>, models: Vec<Vec<&Vec<Vec<f32>>>>, from: &Gaussian| {
            let gaussians: Vec<Gaussian> = models.iter().filter_map(|m| gaussian(m.iter().copied())).collect();
            let by_model: Vec<f64> = gaussians.iter().filter_map(|g| g.distance(from)).collect();
            if !by_model.is_empty() {
                self.distances.push(Distance {
                    arm: arm.to_owned(),
                    part,
                    distance: mean(&by_model),
                    pieces: models[0].len(),
                    windows: gaussians.iter().map(Gaussian::count).sum::<usize>() / gaussians.len(),
                    lacks_rank: from.lacks_rank() || gaussians.iter().any(Gaussian::lacks_rank),
                    by_model,
                });
            }
        };
        for &part in parts {
            for arm in arms {
                let of_arm = || takes.iter().filter(|t| t.arm == *arm && t.part == part);
                let models = of_arm().map(|t| t.model + 1).max().unwrap_or(0);
                let of_model = |m| of_arm().filter(move |t| t.model == m).map(|t| &t.embeddings).collect();
                add(arm, Some(part), (0..models).map(of_model).collect(), &from);
            }
        }
        let of = |known: &[Known]| known.iter().any(|k| k.label.is_some());
        let same =
            of(real) && real.len() == reference.len() && real.iter().zip(reference).all(|(a, b)| a.file == b.file);
        if of(real) && !same {
            add("real music", None, vec![real.iter().map(|k| &k.hearing.embeddings).collect()], &from);
        }
        // How far apart two halves of the reference are: a distance below it says nothing.
        let half =
            |odd: usize| reference.iter().skip(odd).step_by(2).map(|k| &k.hearing.embeddings).collect::<Vec<_>>();
        if let Some(other) = gaussian(half(1).into_iter()) {
            add("the reference's halves", None, vec![half(0)], &other);
        }
    }

    /// As JSON, its numbers by name.
    pub fn json(&self) -> serde_json::Value {
        let named = |names: &[&str], values: &[Estimate]| {
            names
                .iter()
                .zip(values)
                .map(|(n, v)| ((*n).to_owned(), serde_json::json!(v)))
                .collect::<serde_json::Map<_, _>>()
        };
        let judge = |j: usize| self.judges[j].name;
        let lines = self.lines.iter().map(|l| {
            serde_json::json!({
                "arm": l.arm, "part": l.part, "judge": judge(l.judge), "aligned": self.judges[l.judge].aligned,
                "models": l.count.0, "pieces": l.count.1, "measures": named(&MEASURES, &l.measures),
            })
        });
        let differences = self.differences.iter().map(|d| {
            let names: &[&str] = if d.judge.is_some() { &MEASURES } else { &METRICS };
            serde_json::json!({
                "arm": d.arms.0, "less": d.arms.1, "part": d.part, "judge": d.judge.map(judge),
                "values": named(names, &d.values),
            })
        });
        let quality = self
            .quality
            .iter()
            .map(|q| serde_json::json!({ "arm": q.arm, "part": q.part, "means": named(&METRICS, &q.means) }));
        serde_json::json!({
            "judges": self.judges,
            "agreement": lines.collect::<Vec<_>>(),
            "differences": differences.collect::<Vec<_>>(),
            "frechet": self.distances,
            "quality": quality.collect::<Vec<_>>(),
        })
    }
}

/// The Gaussian of all windows of some pieces; none where there are too few.
fn gaussian<'a>(pieces: impl Iterator<Item = &'a Vec<Vec<f32>>>) -> Option<Gaussian> {
    let rows: Vec<&[f32]> = pieces.flatten().map(Vec::as_slice).collect();
    Gaussian::of(&rows)
}

#[cfg(test)]
mod tests {
    use affetto_judge::EmotionReading;

    use super::*;
    use crate::bench::judges::Heard as Hearing;

    fn reading(valence: f64, arousal: f64) -> EmotionReading {
        EmotionReading { valence, arousal }
    }

    /// Takes of nine targets: heard as asked times `by`, by the first judge; the second hears nothing of it.
    fn takes(arm: &'static str, model: usize, by: f64) -> Vec<Made> {
        let at = [-0.8, 0.0, 0.8];
        let targets = at.iter().flat_map(|&v| at.iter().map(move |&a| (v, a)));
        targets
            .enumerate()
            .map(|(i, (v, a))| Made {
                arm,
                part: Part::Whole,
                model,
                seed: i as u64,
                prompt: "x".into(),
                asked: reading(v, a),
                heard: vec![Some(reading(v * by, a * by)), Some(reading(0.1, 0.0))],
                metrics: [by; METRICS.len()],
                embeddings: vec![vec![i as f32, by as f32], vec![-(i as f32), by as f32 + 1.0]],
            })
            .collect()
    }

    fn judges() -> Vec<JudgeInfo> {
        vec![JudgeInfo { name: "notes", aligned: false }, JudgeInfo { name: "MusiCNN", aligned: true }]
    }

    fn known(file: &str, label: Option<EmotionReading>) -> Known {
        let embeddings = vec![vec![0.0, 1.0], vec![1.0, 0.0], vec![0.5, 0.2]];
        let hearing = Hearing { readings: vec![None, label], embeddings };
        Known { file: file.into(), label, hearing, metrics: None }
    }

    #[test]
    fn arms_are_measured_and_their_order_is_found() {
        let all =
            [takes("plain", 0, 0.5), takes("plain", 1, 0.5), takes("LARA", 0, 1.0), takes("LARA", 1, 0.9)].concat();
        let real = [known("a.wav", Some(reading(0.5, 0.5))), known("b.wav", Some(reading(-0.5, 0.1)))];
        let report = Report::new(judges(), &all, &real, Some(&real));
        let json = report.json();
        let line = |arm: &str, judge: &str| {
            let lines = json["agreement"].as_array().unwrap();
            lines.iter().find(|l| l["arm"] == arm && l["judge"] == judge).cloned()
        };
        let plain = line("plain", "notes").unwrap();
        assert_eq!((plain["models"].as_u64(), plain["pieces"].as_u64()), (Some(2), Some(9)));
        // Errors 0.4, 0, 0.4 on each axis.
        assert!((plain["measures"]["error_valence"]["value"].as_f64().unwrap() - 0.8 / 3.0).abs() < 1e-9);
        assert!((plain["measures"]["r_arousal"]["value"].as_f64().unwrap() - 1.0).abs() < 1e-9);
        assert!(line("plain", "MusiCNN").unwrap()["aligned"] == true);
        // The notes judge cannot hear sound alone; the other hears the labels.
        assert!(line("real music", "notes").is_none());
        assert_eq!(line("real music", "MusiCNN").unwrap()["measures"]["error_euclidean"]["value"], 0.0);
        let first = &json["differences"].as_array().unwrap()[0];
        assert_eq!((first["arm"].as_str(), first["less"].as_str()), (Some("LARA"), Some("plain")));
        let less = &first["values"]["error_euclidean"];
        assert!(less["high"].as_f64().unwrap() < 0.0, "{less}");
        // The real set is the reference itself: only its halves are left to be compared.
        let arms: Vec<&str> = report.distances.iter().map(|d| d.arm.as_str()).collect();
        assert_eq!(arms, ["plain", "LARA", "the reference's halves"]);
        assert_eq!((report.distances[0].pieces, report.distances[0].windows), (9, 18));
        assert!(report.distances[2].distance < 1e-9);
        assert!((report.quality[1].means[0].value - 0.95).abs() < 1e-9);
    }
}
