//! `affetto bench emotion --suite axes`: the feeling moved along each axis in seven steps. Does what is heard rise with it?

use affetto::{Prompt, Studio};
use affetto_judge::agreement::{Along, along};
use affetto_judge::plot::{Scatter, ScatterPanel};
use serde::Serialize;

use super::arms::WORDS;
use crate::args::EmotionArgs;
use crate::bench::axis::Axis;
use crate::bench::judges::{Judges, Piece};
use crate::bench::no_notes;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// The values asked for on one axis, the other at 0.
const STEPS: [f32; 7] = [-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9];
const SEEDS: u16 = 8;
/// The axes, and the goal of Spearman's correlation on each.
const AXES: [(Axis, f64); 2] = [(Axis::Valence, 0.8), (Axis::Arousal, 0.9)];

/// One axis by one judge.
#[derive(Serialize)]
struct Line {
    axis: &'static str,
    judge: &'static str,
    aligned: bool,
    #[serde(flatten)]
    along: Along,
    goal: f64,
    /// Whether Spearman's goal is reached.
    reached: bool,
    /// Whether the mean heard rises on every step.
    monotone: bool,
    /// What was heard, by seed and step.
    readings: Vec<Vec<f64>>,
}

/// Measures and prints.
pub fn run(args: &EmotionArgs) -> Result<(), Failure> {
    super::check_out(args.lara.out.as_deref())?;
    let assets = args.assets.open()?;
    let judges = Judges::open(&assets, args)?;
    let mut studio = Studio::with_assets(assets, usize::from(args.threads.unwrap_or(0)))?;
    let mut progress = Progress::new(args.json);
    let mut lines = Vec::new();
    for (axis, goal) in AXES {
        lines.extend(measure(axis, goal, args, &judges, &mut studio, &mut progress)?);
    }
    progress.finish();
    let json = serde_json::json!({ "model": studio.model(), "judges_fitted_on": args.judges.name(), "axes": lines });
    if let Some(out) = &args.lara.out {
        let mut files = vec![("table.json".to_owned(), format!("{}\n", output::to_json(&json)?))];
        files.extend(
            judges.list().iter().map(|j| (format!("axes-{}.svg", j.name.to_lowercase()), picture(&lines, j.name))),
        );
        super::write(out, files)?;
    }
    match args.json {
        true => output::json(&json),
        false => output::bytes(text(args, studio.model(), &lines).as_bytes()),
    }
}

fn measure(
    axis: Axis,
    goal: f64,
    args: &EmotionArgs,
    judges: &Judges,
    studio: &mut Studio,
    progress: &mut Progress,
) -> Result<Vec<Line>, Failure> {
    let seeds = usize::from(args.seeds.unwrap_or(SEEDS));
    // [judge][seed][step]
    let mut heard = vec![vec![Vec::new(); seeds]; judges.list().len()];
    for (i, &value) in STEPS.iter().enumerate() {
        for seed in 0..seeds {
            progress.show(axis.name(), (i * seeds + seed) as f32 / (STEPS.len() * seeds) as f32);
            // The same seeds at every step: what changes is the feeling.
            let prompt = Prompt::new(WORDS).emotion(axis.feeling(value, 0.0)).duration_seconds(args.lara.seconds);
            let prompt = prompt.seed(u64::from(args.first_seed) + seed as u64);
            let take = studio.generate(&match args.guidance {
                Some(guidance) => prompt.guidance(guidance),
                None => prompt,
            })?;
            take.score().ok_or_else(no_notes)?;
            let readings = judges.hear(&Piece::of(&take)?)?.readings;
            for (of_judge, reading) in heard.iter_mut().zip(&readings) {
                // A take that is not heard is no take heard as neutral.
                let unheard = || {
                    Failure::failed(format!(
                        "{} {value:+.1}, seed {}: a judge hears nothing in this take; try other seeds with --first-seed",
                        axis.name(),
                        u64::from(args.first_seed) + seed as u64
                    ))
                };
                of_judge[seed].push(axis.heard(reading.as_ref().ok_or_else(unheard)?));
            }
        }
    }
    let asked: Vec<f64> = STEPS.iter().map(|&x| axis.asked(axis.feeling(x, 0.0))).collect();
    let lines = judges.list().iter().zip(heard).map(|(judge, readings)| {
        let along = along(&asked, &readings);
        let reached = along.spearman.value >= goal;
        let monotone = along.rising + 1 == STEPS.len();
        let (judge, aligned) = (judge.name, judge.aligned);
        Line { axis: axis.name(), judge, aligned, along, goal, reached, monotone, readings }
    });
    Ok(lines.collect())
}

fn text(args: &EmotionArgs, model: &str, lines: &[Line]) -> String {
    let heading = ["AXIS".to_owned(), "JUDGE".to_owned()].into_iter().chain(STEPS.iter().map(|s| format!("{s:+.1}")));
    let ends = ["SPEARMAN", "GOAL", "MONOTONE"].map(str::to_owned);
    let mut rows = vec![heading.chain(ends).collect::<Vec<_>>()];
    for line in lines {
        let judge =
            if line.aligned { format!("{} (on the aligned encoder)", line.judge) } else { line.judge.to_owned() };
        let means = line.along.heard.iter().map(|x| format!("{x:+.2}"));
        let s = line.along.spearman;
        let ends = [
            format!("{:.2} [{:.2}, {:.2}]", s.value, s.low, s.high),
            format!("≥ {:.1}: {}", line.goal, if line.reached { "PASS" } else { "miss" }),
            format!(
                "{} (rises {} of {})",
                if line.monotone { "yes" } else { "no" },
                line.along.rising,
                STEPS.len() - 1
            ),
        ];
        rows.push([line.axis.to_owned(), judge].into_iter().chain(means).chain(ends).collect());
    }
    format!(
        "{}mean heard at each step, over {} seeds of {} s, the other axis asked at 0; Spearman of the seven means, 95 % \
         bootstrap over the seeds; PASS is of Spearman's goal alone, monotone (the mean rises on every step) is asked as \
         well\n{model}, {WORDS:?}, judges fitted on the {} part\n",
        output::table(&rows),
        args.seeds.unwrap_or(SEEDS),
        args.lara.seconds,
        args.judges.name()
    )
}

/// Both axes by one judge.
fn picture(lines: &[Line], judge: &str) -> String {
    let panels = lines.iter().filter(|l| l.judge == judge).map(|line| {
        let points = line.readings.iter().flat_map(|seed| line.along.asked.iter().copied().zip(seed.iter().copied()));
        let numbers = format!("Spearman of the means {:.2}", line.along.spearman.value);
        ScatterPanel { label: line.axis.into(), numbers, points: points.collect() }
    });
    Scatter { title: format!("Along each axis: judge {judge}"), panels: panels.collect() }.svg()
}
