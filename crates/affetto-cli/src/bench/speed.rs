//! `affetto bench speed`: the real command as a child process, from its start to its end.

use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::args::SpeedArgs;
use crate::failure::Failure;
use crate::output;

/// The wall time 60 s of music may take, in seconds (DESIGN, "Numbers to reach").
const GOAL_SECONDS: f64 = 1.5;
/// The memory that may take, in bytes.
const GOAL_BYTES: u64 = 600_000_000;

#[derive(Serialize)]
struct Run {
    seed: u64,
    wall_seconds: f64,
    peak_memory_bytes: Option<u64>,
    notes: u64,
}

/// Runs `generate` a few times and reports each run and the median.
pub fn run(args: &SpeedArgs) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(|e| Failure::failed(format!("the running program: {e}")))?;
    let folder = tempfile::tempdir().map_err(|e| Failure::failed(format!("a temporary folder: {e}")))?;
    let mut runs = Vec::new();
    for seed in 0..u64::from(args.runs) {
        let mut command = Command::new(&program);
        command.args(["generate", "instrumental music", "--json", "--duration", &args.duration.to_string()]);
        command.args(["--seed", &seed.to_string(), "-o"]).arg(folder.path().join(format!("{seed}.wav")));
        if let Some(threads) = args.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        if let Some(assets) = &args.assets.assets {
            command.arg("--assets").arg(assets);
        }
        let started = Instant::now();
        let done = command
            .stdin(Stdio::null())
            .output()
            .map_err(|e| Failure::failed(format!("{}: {e}", program.display())))?;
        let wall_seconds = started.elapsed().as_secs_f64();
        if !done.status.success() {
            let message = String::from_utf8_lossy(&done.stderr);
            let message = message.trim().trim_start_matches("error: ").to_owned();
            let code = done.status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1);
            return Err(Failure::Told { code, message });
        }
        let report: serde_json::Value = serde_json::from_slice(&done.stdout)
            .map_err(|e| Failure::failed(format!("the child's --json output: {e}")))?;
        runs.push(Run {
            seed,
            wall_seconds,
            peak_memory_bytes: report["peak_memory_bytes"].as_u64(),
            notes: report["note_count"].as_u64().unwrap_or(0),
        });
    }
    let mut walls: Vec<f64> = runs.iter().map(|run| run.wall_seconds).collect();
    walls.sort_by(f64::total_cmp);
    let median = match walls.len() {
        n if n % 2 == 1 => walls[n / 2],
        n => (walls[n / 2 - 1] + walls[n / 2]) / 2.0,
    };
    let peak = runs.iter().filter_map(|run| run.peak_memory_bytes).max();
    if args.json {
        return output::json(&serde_json::json!({
            "duration_seconds": args.duration,
            "median_wall_seconds": median,
            "peak_memory_bytes": peak,
            "goal_wall_seconds": GOAL_SECONDS * args.duration / 60.0,
            "goal_memory_bytes": GOAL_BYTES,
            "runs": runs,
        }));
    }
    let memory = |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), |b| format!("{:.0} MB", b as f64 / 1e6));
    let mut rows = vec![["SEED", "WALL", "PEAK MEMORY", "NOTES"].map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|run| {
        let wall = format!("{:.2} s", run.wall_seconds);
        vec![run.seed.to_string(), wall, memory(run.peak_memory_bytes), run.notes.to_string()]
    }));
    let text = format!(
        "{}\n{} s of music, process start to end: median {median:.2} s ({:.0} times as fast as it sounds), at most {}\n\
         goal for 60 s: {GOAL_SECONDS} s, {}\n",
        output::table(&rows),
        args.duration,
        args.duration / median,
        memory(peak),
        memory(Some(GOAL_BYTES)),
    );
    output::bytes(text.as_bytes())
}
