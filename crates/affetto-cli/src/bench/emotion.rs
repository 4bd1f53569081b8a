//! `affetto bench emotion`: does the music feel as asked? Requested feelings against what the judges hear.
//!
//! Three parts: a 5 × 5 grid on which valence and arousal are uncorrelated (with two ablations that show who does the
//! work), curves over a minute, and pairs that differ in nothing but the feeling.

mod judges;

use affetto::{Ablation, Emotion, EmotionCurve, Instrument, Key, Mode, Prompt, Studio};
use affetto_judge::stats;
use serde::Serialize;

use self::judges::{Heard, Judges};
use crate::args::EmotionArgs;
use crate::bench::axis::Axis;
use crate::bench::no_notes;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Coordinates of the grid on both axes.
const GRID: [f32; 5] = [-0.8, -0.4, 0.0, 0.4, 0.8];
/// Takes in each of its cells.
const GRID_SEEDS: u16 = 4;
/// Seconds of a take on the grid and in pairs.
const TAKE_SECONDS: f64 = 20.0;
/// Seconds of a take along a curve, and of the windows it is heard in.
const CURVE_SECONDS: (f64, f64) = (60.0, 5.0);
/// Seeds of the first curve of each axis and of the first pair, counted from that of the grid's first take: takes of
/// their own.
const CURVES_SEED: u64 = 7000;
const VALENCE_CURVES_SEED: u64 = 8000;
const PAIRS_SEED: u64 = 9000;
/// The words of every take: they say nothing about feeling.
const WORDS: &str = "instrumental music";
/// Names of the judges.
const JUDGES: [&str; 2] = ["notes", "sound"];

/// A correlation with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, Serialize)]
struct Correlation {
    r: f64,
    low: f64,
    high: f64,
}

/// One judge's table line for one row of takes.
#[derive(Clone, Debug, Serialize)]
struct Line {
    row: &'static str,
    judge: &'static str,
    valence: Correlation,
    arousal: Correlation,
    /// Asked valence, heard arousal.
    valence_to_arousal: f64,
    /// Asked arousal, heard valence.
    arousal_to_valence: f64,
    takes: usize,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Curves {
    /// Along each axis.
    takes: usize,
    median_arousal_r_notes: f64,
    median_arousal_r_sound: f64,
    median_valence_r_notes: f64,
    median_valence_r_sound: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Pairs {
    pairs: usize,
    /// Share of pairs that moved the asked way: by judge, (valence, arousal).
    notes: (f64, f64),
    sound: (f64, f64),
    /// Pairs whose instruments, key and tempo stayed as asked.
    kept: usize,
}

/// Measures adherence and prints the table.
pub fn run(args: &EmotionArgs) -> Result<(), Failure> {
    let assets = args.assets.open()?;
    let judges = Judges::open(&assets, args)?;
    let mut studio = Studio::with_assets(assets, usize::from(args.threads.unwrap_or(0)))?;
    let mut progress = Progress::new(args.json);
    let (mut lines, mut takes) = (Vec::new(), Vec::new());
    let rows = [
        ("both", Ablation::None),
        ("model only", Ablation::NeutralAttributes),
        ("attributes only", Ablation::ModelWithoutEmotion),
    ];
    for (row, ablation) in rows.into_iter().take(if args.ablations { 3 } else { 1 }) {
        let heard = grid(&mut studio, &judges, args, row, ablation, &mut progress)?;
        lines.extend(JUDGES.iter().enumerate().map(|(judge, name)| line(row, name, judge, &heard)));
        takes.extend(heard);
    }
    let curves = match args.curves {
        0 => None,
        _ => {
            let mut along = |axis| curves(&mut studio, &judges, args, axis, &mut progress);
            let ([arousal_notes, arousal_sound], [valence_notes, valence_sound]) =
                (along(Axis::Arousal)?, along(Axis::Valence)?);
            Some(Curves {
                takes: usize::from(args.curves),
                median_arousal_r_notes: arousal_notes,
                median_arousal_r_sound: arousal_sound,
                median_valence_r_notes: valence_notes,
                median_valence_r_sound: valence_sound,
            })
        }
    };
    let pairs = match args.pairs {
        0 => None,
        _ => Some(pairs(&mut studio, &judges, args, &mut progress)?),
    };
    progress.finish();
    if args.json {
        return output::json(&serde_json::json!({
            "judges": args.judges.name(), "grid": lines, "curves": curves, "pairs": pairs, "takes": takes,
        }));
    }
    print(args, &lines, curves.as_ref(), pairs.as_ref())
}

/// A take of the grid: what was asked, what was settled, what each judge heard.
#[derive(Serialize)]
struct GridTake {
    row: &'static str,
    seed: u64,
    asked: Emotion,
    tempo_bpm: f32,
    key: Option<Key>,
    instruments: Vec<Instrument>,
    notes: usize,
    /// By the notes judge, by the sound judge.
    heard: [Heard; 2],
}

/// What is asked of every take of every part: the words, the guidance, and a seed counted from the first.
fn prompt(args: &EmotionArgs, seed: u64) -> Prompt {
    let prompt = Prompt::new(WORDS).seed(u64::from(args.first_seed) + seed);
    match args.guidance {
        Some(guidance) => prompt.guidance(guidance),
        None => prompt,
    }
}

fn grid(
    studio: &mut Studio,
    judges: &Judges,
    args: &EmotionArgs,
    row: &'static str,
    ablation: Ablation,
    progress: &mut Progress,
) -> Result<Vec<GridTake>, Failure> {
    let seeds = u64::from(args.seeds.unwrap_or(GRID_SEEDS));
    let cells: Vec<(f32, f32)> = GRID.iter().flat_map(|&v| GRID.iter().map(move |&a| (v, a))).collect();
    let mut out = Vec::new();
    for (i, (valence, arousal)) in cells.iter().enumerate() {
        for k in 0..seeds {
            progress.show(row, (i as f32 + k as f32 / seeds as f32) / cells.len() as f32);
            let emotion = Emotion { valence: *valence, arousal: *arousal };
            let seed = i as u64 * seeds + k;
            let prompt = prompt(args, seed).emotion(emotion).duration_seconds(TAKE_SECONDS).ablation(ablation);
            let take = studio.generate(&prompt)?;
            let score = take.score().ok_or_else(no_notes)?;
            out.push(GridTake {
                row,
                seed: take.seed(),
                asked: emotion,
                tempo_bpm: score.tempos.first().map_or(0.0, |t| t.bpm as f32),
                key: score.keys.first().map(|k| k.key),
                instruments: score.instruments().into_iter().collect(),
                notes: score.notes.len(),
                heard: judges.hear(&take)?,
            });
        }
    }
    Ok(out)
}

fn line(row: &'static str, name: &'static str, judge: usize, takes: &[GridTake]) -> Line {
    let column = |of: &dyn Fn(&GridTake) -> f64| takes.iter().map(of).collect::<Vec<f64>>();
    let asked_v = column(&|t| f64::from(t.asked.valence));
    let asked_a = column(&|t| f64::from(t.asked.arousal));
    let heard_v = column(&|t| t.heard[judge].valence);
    let heard_a = column(&|t| t.heard[judge].arousal);
    let correlation = |x: &[f64], y: &[f64]| {
        let (low, high) = stats::pearson95(x, y, 1);
        Correlation { r: stats::pearson(x, y), low, high }
    };
    Line {
        row,
        judge: name,
        valence: correlation(&asked_v, &heard_v),
        arousal: correlation(&asked_a, &heard_a),
        valence_to_arousal: stats::pearson(&asked_v, &heard_a),
        arousal_to_valence: stats::pearson(&asked_a, &heard_v),
        takes: takes.len(),
    }
}

/// Rising and falling by turns along an axis, at two points of the other.
fn along_curve(args: &EmotionArgs, axis: Axis, i: usize) -> Result<(EmotionCurve, Prompt), Failure> {
    let (from, to) = if i.is_multiple_of(2) { (-0.8, 0.8) } else { (0.8, -0.8) };
    let across = if (i / 2).is_multiple_of(2) { 0.5 } else { -0.5 };
    let points = vec![(0.0, axis.feeling(from, across)), (CURVE_SECONDS.0, axis.feeling(to, across))];
    let curve = EmotionCurve::new(points).map_err(|e| Failure::failed(e.to_string()))?;
    let first = if axis == Axis::Arousal { CURVES_SEED } else { VALENCE_CURVES_SEED };
    let prompt = prompt(args, first + i as u64).emotion(curve.clone()).duration_seconds(CURVE_SECONDS.0);
    Ok((curve, prompt))
}

/// The correlation of what is asked and heard along `axis` within each take that moves on it: each judge's median.
fn curves(
    studio: &mut Studio,
    judges: &Judges,
    args: &EmotionArgs,
    axis: Axis,
    progress: &mut Progress,
) -> Result<[f64; 2], Failure> {
    let count = usize::from(args.curves);
    let what = match axis {
        Axis::Valence => "curves of valence",
        Axis::Arousal => "curves of arousal",
    };
    let mut by_judge: [Vec<f64>; 2] = Default::default();
    for i in 0..count {
        progress.show(what, i as f32 / count as f32);
        let (curve, prompt) = along_curve(args, axis, i)?;
        let take = studio.generate(&prompt)?;
        for (judge, windows) in judges.hear_windows(&take, CURVE_SECONDS.1)?.into_iter().enumerate() {
            let pairs = windows.iter().map(|(t, heard)| (axis.asked(curve.at(*t)), axis.heard(heard)));
            let (asked, heard): (Vec<f64>, Vec<f64>) = pairs.unzip();
            by_judge[judge].push(stats::pearson(&asked, &heard));
        }
    }
    Ok(by_judge.map(|of_takes| stats::median(&of_takes)))
}

/// What the two takes of a pair share, and how far from neutral they feel, opposite ways.
struct Pair {
    number: usize,
    instruments: Vec<Instrument>,
    key: Key,
    tempo: f32,
    feeling: Emotion,
}

impl Pair {
    fn of(i: usize) -> Pair {
        let ensembles: [&[u8]; 4] = [&[0], &[0, 48], &[24, 32], &[40, 42, 48]];
        Pair {
            number: i,
            instruments: ensembles[i % ensembles.len()].iter().map(|&p| Instrument(p)).collect(),
            key: Key { tonic: (i * 5 % 12) as u8, mode: if i.is_multiple_of(2) { Mode::Major } else { Mode::Minor } },
            tempo: 80.0 + 5.0 * (i % 8) as f32,
            feeling: Emotion { valence: 0.8, arousal: if (i / 2).is_multiple_of(2) { 0.8 } else { -0.8 } },
        }
    }

    /// One of the two: `sign` is 1 or -1.
    fn prompt(&self, args: &EmotionArgs, sign: f32) -> Prompt {
        let Emotion { valence, arousal } = self.feeling;
        prompt(args, PAIRS_SEED + self.number as u64)
            .emotion(Emotion { valence: valence * sign, arousal: arousal * sign })
            .duration_seconds(TAKE_SECONDS)
            .instruments(self.instruments.clone())
            .key(self.key)
            .tempo_bpm(self.tempo)
    }
}

/// Same words, instruments, key and tempo, opposite feelings.
fn pairs(studio: &mut Studio, judges: &Judges, args: &EmotionArgs, progress: &mut Progress) -> Result<Pairs, Failure> {
    let count = usize::from(args.pairs);
    let mut moved = [[0usize; 2]; 2];
    let mut kept = 0;
    for i in 0..count {
        progress.show("pairs", i as f32 / count as f32);
        let pair = Pair::of(i);
        let mut heard = Vec::new();
        let mut as_asked = true;
        for sign in [1.0, -1.0] {
            let take = studio.generate(&pair.prompt(args, sign))?;
            let score = take.score().ok_or_else(no_notes)?;
            as_asked &= score.tempos.len() == 1
                && (score.tempos[0].bpm - f64::from(pair.tempo)).abs() < 1e-6
                && score.keys.first().is_some_and(|k| k.key == pair.key)
                && score.instruments().iter().all(|i| pair.instruments.contains(i));
            heard.push(judges.hear(&take)?);
        }
        kept += usize::from(as_asked);
        for (judge, moved) in moved.iter_mut().enumerate() {
            let (first, second) = (heard[0][judge], heard[1][judge]);
            moved[0] += usize::from((first.valence - second.valence) * f64::from(pair.feeling.valence) > 0.0);
            moved[1] += usize::from((first.arousal - second.arousal) * f64::from(pair.feeling.arousal) > 0.0);
        }
    }
    let share = |n: usize| n as f64 / count.max(1) as f64;
    let of = |judge: usize| (share(moved[judge][0]), share(moved[judge][1]));
    Ok(Pairs { pairs: count, notes: of(0), sound: of(1), kept })
}

fn print(args: &EmotionArgs, lines: &[Line], curves: Option<&Curves>, pairs: Option<&Pairs>) -> Result<(), Failure> {
    let mut rows =
        vec![["WHO HEARS IT", "JUDGE", "VALENCE r", "AROUSAL r", "V→A", "A→V", "TAKES"].map(str::to_owned).to_vec()];
    let shown = |c: Correlation| format!("{:.2} [{:.2}, {:.2}]", c.r, c.low, c.high);
    rows.extend(lines.iter().map(|l| {
        vec![
            l.row.to_owned(),
            l.judge.to_owned(),
            shown(l.valence),
            shown(l.arousal),
            format!("{:.2}", l.valence_to_arousal),
            format!("{:.2}", l.arousal_to_valence),
            l.takes.to_string(),
        ]
    }));
    output::bytes(output::table(&rows).as_bytes())?;
    let mut notes = vec![format!("\"{WORDS}\", {TAKE_SECONDS} s, judges fitted on the {} part", args.judges.name())];
    if let Some(c) = curves {
        notes.push(format!(
            "curves: {} takes of {} s along each axis, {} s windows, median r of arousal {:.2} (notes), {:.2} (sound), \
             of valence {:.2}, {:.2}",
            c.takes,
            CURVE_SECONDS.0,
            CURVE_SECONDS.1,
            c.median_arousal_r_notes,
            c.median_arousal_r_sound,
            c.median_valence_r_notes,
            c.median_valence_r_sound
        ));
    }
    if let Some(p) = pairs {
        notes.push(format!(
            "pairs: of {}, arousal moved as asked in {:.0} % (notes), {:.0} % (sound), valence in {:.0} %, {:.0} %; \
             instruments, key and tempo as asked in {}",
            p.pairs,
            p.notes.1 * 100.0,
            p.sound.1 * 100.0,
            p.notes.0 * 100.0,
            p.sound.0 * 100.0,
            p.kept
        ));
    }
    output::line(&notes.join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{BenchCommand, Cli, Command};

    #[test]
    fn the_first_seed_and_the_guidance_are_those_of_every_part() {
        let line = ["affetto", "bench", "emotion", "--guidance", "2.5", "--first-seed", "3"];
        let Command::Bench(bench) = Cli::try_parse_from(line).unwrap().command else { panic!("no bench") };
        let BenchCommand::Emotion(args) = bench.command else { panic!("another bench") };
        let asked = |seed| Prompt::new(WORDS).guidance(2.5).seed(seed);
        assert_eq!(prompt(&args, 0), asked(3));
        let curve = along_curve(&args, Axis::Arousal, 1).unwrap();
        assert_eq!(curve.1, asked(7004).emotion(curve.0.clone()).duration_seconds(60.0));
        assert!(curve.0.at(0.0).arousal > 0.0 && curve.0.at(60.0).arousal < 0.0);
        assert_eq!(curve.0.at(30.0).valence, 0.5);
        let curve = along_curve(&args, Axis::Valence, 2).unwrap();
        assert_eq!(curve.1, asked(8005).emotion(curve.0.clone()).duration_seconds(60.0));
        assert!(curve.0.at(0.0).valence < 0.0 && curve.0.at(60.0).valence > 0.0 && curve.0.at(9.0).arousal == -0.5);
        let pair = Pair::of(2);
        let fixed = asked(9005).duration_seconds(TAKE_SECONDS).instruments(pair.instruments.clone());
        let feeling = Emotion { valence: -0.8, arousal: 0.8 };
        assert_eq!(pair.prompt(&args, -1.0), fixed.key(pair.key).tempo_bpm(90.0).emotion(feeling));
    }
}
