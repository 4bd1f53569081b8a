//! `train_score score|prior|release CONFIG CORPUS RUN_DIR [--hours H | --steps N | --windows N | --out DIR]`, from the
//! repository's root.

use affetto_train::learn::release::{release, run_prior};
use affetto_train::learn::score::{ScoreRun, train_score};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let run = ScoreRun {
        config: args[1].clone().into(),
        corpus: args[2].clone().into(),
        assets: "assets".into(),
        run_dir: args[3].clone().into(),
        hours: option("--hours").map(|h| h.parse().expect("a number of hours")),
        steps: option("--steps").map(|n| n.parse().expect("a number of steps")),
    };
    let windows = option("--windows").map_or(10_000, |n| n.parse().expect("a number of windows"));
    let done = match args[0].as_str() {
        "prior" => run_prior(&run, windows, 12),
        "release" => release(&run, option("--out").map_or("assets/score".as_ref(), |o| o.as_ref())),
        _ => train_score(&run),
    };
    if let Err(error) = done {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}
