//! Steering against the emotion condition on the same feelings: neither, each alone, both.

use affetto::steering::{Steer, SteerOptions, Strength};
use affetto::{Emotion, Take};
use affetto_judge::EmotionReading;
use affetto_judge::agreement::{self, Heard, MEASURES};
use affetto_judge::bootstrap::{Estimate, difference, estimate};
use affetto_judge::metrics::METRICS;
use serde::Serialize;

use super::directions::{Direction, shared_site};
use super::making::{Maker, NEUTRAL};
use super::measures::{Listening, Measured};
use super::{Done, number};
use crate::args::BenchSteerArgs;
use crate::bench::axis::as_reading;
use crate::failure::Failure;
use crate::output;

/// Values asked for on both axes.
const GRID: [f32; 3] = [-0.8, 0.0, 0.8];
/// What is done about the feeling: name, whether the model is told it, whether it is steered to it.
const ARMS: [(&str, bool, bool); 4] =
    [("neither", false, false), ("condition", true, false), ("steering", false, true), ("both", true, true)];
/// The judges.
const JUDGES: [&str; 2] = ["notes", "sound"];
/// The arm that others are compared with.
const CONDITION: usize = 1;
/// Measures in the table.
const SHOWN: [&str; 5] = ["error_euclidean", "r_valence", "r_arousal", "ccc_valence", "ccc_arousal"];

/// One arm by one judge.
#[derive(Clone, Debug, Serialize)]
struct Line {
    arm: &'static str,
    judge: &'static str,
    /// In the order of [`MEASURES`].
    values: Vec<Estimate>,
    /// Less those of the condition alone; empty for that one.
    less_condition: Vec<Estimate>,
}

/// Measures. Of `directions`, those that are named valence and arousal are used.
///
/// # Errors
/// One of them is missing, or a take cannot be made or heard.
pub fn run(maker: &mut Maker<'_>, directions: &[Direction]) -> Result<Done, Failure> {
    let args = maker.args;
    let pair = axes(directions)?;
    let options = SteerOptions { site: shared_site(&pair)?, orthogonal: args.orthogonal, ..SteerOptions::default() };
    let seeds = usize::from(args.seeds);
    let targets: Vec<Emotion> =
        GRID.iter().flat_map(|&valence| GRID.iter().map(move |&arousal| Emotion { valence, arousal })).collect();
    // The arm without either is the same takes for every feeling asked for.
    maker.expect(seeds * (targets.len() * (ARMS.len() - 1) + 1));
    let mut heard: Vec<[Vec<Heard>; 2]> = Vec::new();
    let mut quality: Vec<Vec<Measured>> = Vec::new();
    let mut neither: Vec<Option<Measured>> = vec![None; seeds];
    for (_, told, steered) in ARMS {
        let (mut by_judge, mut measured): ([Vec<Heard>; 2], Vec<Measured>) = Default::default();
        for target in &targets {
            for (seed, neither) in neither.iter_mut().enumerate() {
                let found = match (told || steered, neither.as_ref()) {
                    (false, Some(found)) => found.clone(),
                    _ => {
                        let emotion = if told { *target } else { NEUTRAL };
                        let steers = if steered { steers(pair, args, *target) } else { Vec::new() };
                        let take = maker.take(seed, args.seconds, emotion, &steers, options)?;
                        let found = hear(maker, &take)?;
                        if !told && !steered {
                            *neither = Some(found.clone());
                        }
                        found
                    }
                };
                for (judge, heard) in by_judge.iter_mut().enumerate() {
                    heard.push(Heard { asked: as_reading(*target), heard: reading(maker, &found, judge) });
                }
                measured.push(found);
            }
        }
        heard.push(by_judge);
        quality.push(measured);
    }
    Ok(report(maker, pair, &heard, &quality))
}

fn hear(maker: &Maker<'_>, take: &Take) -> Result<Measured, Failure> {
    maker.measures.measure(take, Listening::Everything)
}

fn reading(maker: &Maker<'_>, found: &Measured, judge: usize) -> EmotionReading {
    let of = |axis: &str| {
        let name = format!("{axis} ({})", JUDGES[judge]);
        maker.measures.names().iter().position(|n| *n == name).map_or(0.0, |i| found.values[i])
    };
    EmotionReading { valence: of("valence"), arousal: of("arousal") }
}

/// The directions of valence and arousal.
fn axes(directions: &[Direction]) -> Result<[&Direction; 2], Failure> {
    let find = |name: &str| {
        directions.iter().find(|d| d.file.about.name == name).ok_or_else(|| {
            Failure::usage(format!(
                "--part emotion: there is no direction named {name}; name its file with --directions"
            ))
        })
    };
    Ok([find("valence")?, find("arousal")?])
}

/// Strengths in proportion to the feeling: at the ends of the grid what is recommended.
fn steers(pair: [&Direction; 2], args: &BenchSteerArgs, target: Emotion) -> Vec<Steer> {
    let at = |direction: &Direction, value: f32| {
        direction.at(Strength::Constant(direction.strength(args) * value / GRID[GRID.len() - 1]))
    };
    vec![at(pair[0], target.valence), at(pair[1], target.arousal)]
}

/// Readings by seed, each of all feelings. Resampled so, that "neither" is the same takes for every feeling counts as
/// what it is.
fn by_seed(heard: &[Heard], seeds: usize) -> Vec<Vec<Heard>> {
    (0..seeds).map(|seed| heard.iter().skip(seed).step_by(seeds).copied().collect()).collect()
}

fn agreement_of(seeds: &[&Vec<Heard>]) -> [f64; MEASURES.len()] {
    agreement::measures(&seeds.iter().copied().flatten().collect::<Vec<_>>())
}

fn report(maker: &Maker<'_>, pair: [&Direction; 2], heard: &[[Vec<Heard>; 2]], quality: &[Vec<Measured>]) -> Done {
    let args = maker.args;
    let mut lines = Vec::new();
    for (judge, name) in JUDGES.into_iter().enumerate() {
        for (arm, (arm_name, ..)) in ARMS.into_iter().enumerate() {
            let table = |arm: usize| vec![by_seed(&heard[arm][judge], usize::from(args.seeds))];
            let less = match arm == CONDITION {
                true => Vec::new(),
                false => difference(&table(arm), &table(CONDITION), agreement_of).to_vec(),
            };
            let values = estimate(&table(arm), agreement_of).to_vec();
            lines.push(Line { arm: arm_name, judge: name, values, less_condition: less });
        }
    }
    let heading = ["FEELING BY", "JUDGE", "DISTANCE", "r V", "r A", "CCC V", "CCC A"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let mut differences =
        vec![heading.map(|h| if h == "FEELING BY" { "LESS CONDITION" } else { h }.to_owned()).to_vec()];
    for line in &lines {
        let shown = |values: &[Estimate], signed: bool| -> Vec<String> {
            let of = |name: &&str| MEASURES.iter().position(|m| m == name).and_then(|i| values.get(i)).copied();
            SHOWN.iter().filter_map(of).map(|e| text(e, signed)).collect()
        };
        let start = vec![line.arm.to_owned(), line.judge.to_owned()];
        rows.push([start.clone(), shown(&line.values, false)].concat());
        if !line.less_condition.is_empty() {
            differences.push([start, shown(&line.less_condition, true)].concat());
        }
    }
    let medians: Vec<[f64; METRICS.len()]> = quality.iter().map(|takes| super::curve::medians(takes)).collect();
    let mut table = vec![["FEELING BY"].into_iter().chain(METRICS).map(str::to_uppercase).collect::<Vec<_>>()];
    table.extend(
        ARMS.iter()
            .zip(&medians)
            .map(|((name, ..), m)| std::iter::once((*name).to_owned()).chain(m.iter().map(|x| number(*x))).collect()),
    );
    let model = maker.studio.model().to_owned();
    let strengths = pair.map(|d| d.strength(args));
    Done {
        text: format!(
            "{}\n{}\n{}the same {} feelings (3 × 3, ±0.8) and {} seeds of {} s in all conditions; steering: valence to ±{:.2}, \
             arousal to ±{:.2}, in proportion to the feeling. DISTANCE: of heard and asked, smaller is better; [low, high]: \
             95 % bootstrap over the seeds, paired in the differences; * where it leaves out 0. Last: median quality\n\
             {model}, {:?}, judges fitted on the {} part\n",
            output::table(&rows),
            output::table(&differences),
            output::table(&table),
            GRID.len() * GRID.len(),
            args.seeds,
            args.seconds,
            strengths[0],
            strengths[1],
            args.words,
            args.judges.name(),
        ),
        json: serde_json::json!({
            "part": "emotion", "model": model, "measures": MEASURES, "lines": lines, "strengths": strengths,
            "seeds": args.seeds, "metrics": METRICS, "quality_medians": medians, "arms": ARMS.map(|a| a.0),
            "directions": pair.map(|d| d.label.clone()), "judges_fitted_on": args.judges.name(),
        }),
        files: Vec::new(),
    }
}

fn text(e: Estimate, signed: bool) -> String {
    match signed {
        false => format!("{:.2} [{:.2}, {:.2}]", e.value, e.low, e.high),
        true => {
            let clear = if e.is_clear() { " *" } else { "" };
            format!("{:+.2} [{:+.2}, {:+.2}]{clear}", e.value, e.low, e.high)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_that_are_counted_for_every_feeling_are_resampled_once() {
        let seeds = 4;
        // As `run` gathers them: each feeling with all seeds, and the same take for every feeling.
        let axes = GRID.into_iter().map(f64::from);
        let heard: Vec<Heard> = axes
            .flat_map(|v| {
                (0..seeds).map(move |seed| Heard {
                    asked: EmotionReading { valence: v, arousal: 0.0 },
                    heard: EmotionReading { valence: 0.0, arousal: seed as f64 },
                })
            })
            .collect();
        let table = by_seed(&heard, seeds);
        assert!(
            table.iter().enumerate().all(|(s, row)| row.len() == 3 && row.iter().all(|h| h.heard.arousal == s as f64))
        );
        let error = MEASURES.iter().position(|m| *m == "error_arousal").unwrap();
        let of_takes: Vec<Vec<Heard>> = heard[..seeds].iter().map(|h| vec![*h]).collect();
        let (many, once) = (estimate(&[table], agreement_of)[error], estimate(&[of_takes], agreement_of)[error]);
        assert_eq!(many, once, "no surer for being counted three times");
        assert!(many.low <= 0.5 && many.high >= 2.5, "{many:?}");
    }
}
