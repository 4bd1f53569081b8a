//! `affetto bench speed --model`: how fast a MusicGen model makes sound, and what that is of what the memory allows.

use std::time::Instant;

use affetto::{ModelInfo, ModelOptions, Prompt, Studio, Timings};
use serde::Serialize;

use super::bandwidth;
use crate::args::SpeedArgs;
use crate::failure::Failure;
use crate::{memory, output};

/// Words whose length is usual.
const WORDS: &str = "80s pop track with bassy drums and synth";
/// Guidance as the models are published.
const GUIDANCE: f32 = 3.0;
/// Steps of the table's rows, where none are asked for.
const STEPS: [u32; 2] = [60, 1500];
/// Threads, where none are asked for.
const THREADS: u16 = 2;

/// One run, from the opening of the model to the last sample.
#[derive(Serialize)]
struct Run {
    model: String,
    precision: String,
    threads: u16,
    steps: usize,
    /// Steps ÷ (T5 + steps + EnCodec).
    steps_per_second: f64,
    /// Seconds of sound ÷ the same time.
    real_time_factor: f64,
    /// From the opening of the model: all weights are loaded on the way.
    seconds_to_first_sound: f64,
    /// The process's largest resident size so far.
    peak_bytes: Option<u64>,
    /// Weights that a step reads.
    bytes_per_step: usize,
    /// Measured in the same run.
    bandwidth_bytes_per_second: f64,
    /// Weights read a second in the loop ÷ that.
    bus_share: f64,
    /// Encoding the words, weights loaded.
    t5_seconds: f64,
    loop_seconds: f64,
    /// EnCodec, codes to sound.
    decode_seconds: f64,
    /// Reading the weights of all three.
    load_seconds: f64,
    /// Steps ÷ the loop alone.
    loop_steps_per_second: f64,
    duration_seconds: f64,
}

/// Measures, and prints one object or a table.
pub fn run(model: &str, args: &SpeedArgs) -> Result<(), Failure> {
    let quantize = args.quantize.as_deref().map(affetto::parse_precision).transpose()?;
    let threads = args.threads.unwrap_or(THREADS);
    let kv_cache = args.kv_cache.as_deref().map(affetto::parse_cache_precision).transpose()?;
    let options = ModelOptions { quantize, kv_cache, threads: usize::from(threads) };
    let counts = match (args.steps, args.json) {
        (Some(steps), _) => vec![steps],
        (None, true) => vec![STEPS[0]],
        (None, false) => STEPS.to_vec(),
    };
    let info = ModelInfo::read(model)?;
    let mut runs =
        counts.iter().map(|&steps| measure(&info, args, &options, threads, steps)).collect::<Result<Vec<_>, _>>()?;
    // The buffer of this measurement must not count among what the model needs.
    let bandwidth = bandwidth::measure(usize::from(threads));
    for run in &mut runs {
        run.bandwidth_bytes_per_second = bandwidth;
        run.bus_share = run.bytes_per_step as f64 * run.loop_steps_per_second / bandwidth;
    }
    match (args.json, runs.as_slice()) {
        (true, [run]) => output::json(run),
        _ => output::bytes(table(&runs).as_bytes()),
    }
}

fn measure(
    info: &ModelInfo,
    args: &SpeedArgs,
    options: &ModelOptions,
    threads: u16,
    steps: u32,
) -> Result<Run, Failure> {
    let opened = Instant::now();
    let mut studio = Studio::open_model(&info.path, options)?;
    let opening = opened.elapsed().as_secs_f64();
    let seconds = info.seconds_of_steps(steps as usize);
    let mut stream = studio.stream(&Prompt::new(WORDS).guidance(GUIDANCE).seed(0).duration_seconds(seconds))?;
    for piece in stream.by_ref() {
        piece?;
    }
    let take = stream.finish()?;
    let peak_bytes = memory::peak_bytes();
    let times = take.timings().unwrap_or_default();
    let Timings { t5_seconds, loop_seconds, decode_seconds, .. } = times;
    let busy = t5_seconds + loop_seconds + decode_seconds;
    let duration_seconds = take.summary().duration_seconds;
    Ok(Run {
        model: info.name.clone(),
        precision: args.quantize.clone().or_else(|| info.quantization.clone()).unwrap_or_else(|| "none".into()),
        threads,
        steps: times.steps,
        steps_per_second: times.steps as f64 / busy,
        real_time_factor: duration_seconds / busy,
        seconds_to_first_sound: opening + times.first_sound_seconds,
        peak_bytes,
        bytes_per_step: studio.bytes_per_step()?.unwrap_or(0),
        bandwidth_bytes_per_second: 0.0,
        bus_share: 0.0,
        t5_seconds,
        loop_seconds,
        decode_seconds,
        load_seconds: opening + times.t5_load_seconds + times.load_seconds,
        loop_steps_per_second: times.steps as f64 / loop_seconds,
        duration_seconds,
    })
}

fn table(runs: &[Run]) -> String {
    let mut rows = vec![
        ["STEPS", "STEPS/S", "× REAL TIME", "T5", "LOOP", "ENCODEC", "LOAD", "FIRST SOUND", "PEAK MEMORY", "BUS"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let seconds = |s: f64| format!("{s:.2} s");
    rows.extend(runs.iter().map(|run| {
        vec![
            run.steps.to_string(),
            format!("{:.1}", run.steps_per_second),
            format!("{:.2}", run.real_time_factor),
            seconds(run.t5_seconds),
            seconds(run.loop_seconds),
            seconds(run.decode_seconds),
            seconds(run.load_seconds),
            seconds(run.seconds_to_first_sound),
            run.peak_bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{:.0} MB", bytes as f64 / 1e6)),
            format!("{:.0} %", 100.0 * run.bus_share),
        ]
    }));
    let told = runs.first().map_or_else(String::new, |run| {
        format!(
            "{}, weights {}, guidance {GUIDANCE}, {} threads; a step reads {:.0} MB of weights, the memory gives \
             {:.1} GB/s\n",
            run.model,
            run.precision,
            run.threads,
            run.bytes_per_step as f64 / 1e6,
            run.bandwidth_bytes_per_second / 1e9
        )
    });
    format!("{}{told}", output::table(&rows))
}
