//! `affetto generate`.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use affetto::{EmotionFrom, Prompt, SaveOptions, Studio, Take, TakeSummary, names};
use serde::Serialize;

use crate::args::{GenerateArgs, SamplingArgs};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{memory, output, signals};

/// What `--json` prints for a take.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    summary: TakeSummary,
    files: Vec<String>,
    seconds_taken: f64,
    peak_memory_bytes: Option<u64>,
}

/// What `--json` prints for several takes.
#[derive(Serialize)]
struct Reports<'a> {
    takes: &'a [Report],
}

/// Makes the takes.
pub fn run(args: &GenerateArgs, started: Instant) -> Result<(), Failure> {
    let mut prompt = prompt_of(args)?;
    let assets = args.assets.open()?;
    if let Some(text) = &args.emotion {
        let lexicon = affetto::read_lexicon(&assets)?;
        prompt = prompt.emotion(lexicon.read(text).map_err(affetto::Error::from)?);
    }
    let seed = args.seed.unwrap_or_else(affetto::draw_seed);
    let targets = Targets::of(args, seed)?;
    let options = SaveOptions { force: args.force, sample_format: args.sample_format };
    affetto::check_paths(&targets.files.concat(), &options)?;

    let mut progress = Progress::new(args.quiet);
    let mut studio = Studio::with_assets(assets, args.sampling.threads.map_or(0, usize::from))?;
    let mut reports = Vec::new();
    let mut begun = started;
    for (i, files) in (0u64..).zip(&targets.files) {
        let prompt = prompt.clone().seed(seed.wrapping_add(i));
        let take = studio.generate_with(&prompt, &mut |share| progress.show("composing", share))?;
        progress.show("rendering", 1.0);
        if targets.stream || files.iter().any(|f| affetto::Format::of(f).is_ok_and(affetto::Format::is_sound)) {
            take.audio()?;
        }
        signals::held_back(|| take.save(files, &options))?;
        progress.finish();
        let seconds_taken = begun.elapsed().as_secs_f64();
        begun = Instant::now();
        if targets.stream {
            let mut out = std::io::stdout().lock();
            take.write_wav(&mut out, args.sample_format)?;
            out.flush()?;
        }
        let names = files.iter().map(|f| f.display().to_string()).collect();
        if args.json {
            let summary = take.summary().clone();
            reports.push(Report { summary, files: names, seconds_taken, peak_memory_bytes: memory::peak_bytes() });
        } else if !args.quiet {
            let text = describe(&take, &names, seconds_taken);
            match targets.stream {
                true => output::note(&text),
                false => output::line(&text)?,
            }
        }
    }
    match reports.as_slice() {
        _ if !args.json => Ok(()),
        [one] => output::json(one),
        takes => output::json(&Reports { takes }),
    }
}

/// The prompt, all but its feeling, checked.
fn prompt_of(args: &GenerateArgs) -> Result<Prompt, Failure> {
    let mut prompt = Prompt::new(&args.prompt).duration_seconds(args.duration);
    let music = &args.music;
    if let Some(bpm) = music.tempo {
        prompt = prompt.tempo_bpm(bpm);
    }
    if let Some(key) = &music.key {
        prompt = prompt.key(names::parse_key(key)?);
    }
    if let Some(meter) = &music.meter {
        prompt = prompt.meter(names::parse_meter(meter)?);
    }
    if let Some(instruments) = &music.instruments {
        prompt = prompt.instruments(names::parse_instruments(instruments)?);
    }
    if let Some(density) = music.density {
        prompt = prompt.density(density);
    }
    let prompt = with_sampling(prompt, &args.sampling);
    prompt.check()?;
    Ok(prompt)
}

/// A prompt with the sampling flags on it.
pub fn with_sampling(mut prompt: Prompt, sampling: &SamplingArgs) -> Prompt {
    if let Some(weight) = sampling.guidance {
        prompt = prompt.guidance(weight);
    }
    if let Some(temperature) = sampling.temperature {
        prompt = prompt.temperature(temperature);
    }
    if let Some(count) = sampling.top_k {
        prompt = prompt.top_k(count);
    }
    if let Some(share) = sampling.top_p {
        prompt = prompt.top_p(share);
    }
    prompt
}

/// Where the takes go.
struct Targets {
    /// The files of each take.
    files: Vec<Vec<PathBuf>>,
    /// Whether the sound goes to standard output as well.
    stream: bool,
}

impl Targets {
    fn of(args: &GenerateArgs, seed: u64) -> Result<Targets, Failure> {
        let (streams, mut named): (Vec<&PathBuf>, Vec<&PathBuf>) =
            args.output.iter().partition(|path| path.as_os_str() == "-");
        let stream = !streams.is_empty();
        if stream && args.count > 1 {
            return Err(Failure::usage("-o - streams one take; leave out --count, or name files"));
        }
        if stream && args.json {
            return Err(Failure::usage("-o - and --json both want standard output; name a file for one of them"));
        }
        if stream && std::io::stdout().is_terminal() {
            return Err(Failure::usage("-o - would send sound to the terminal; pipe it on, or name a file"));
        }
        let usual = [PathBuf::from(format!("affetto-{seed}.wav")), PathBuf::from(format!("affetto-{seed}.mid"))];
        if args.output.is_empty() {
            named = usual.iter().collect();
        }
        let files = match args.count {
            1 => vec![named.into_iter().cloned().collect()],
            count => (1..=count).map(|n| named.iter().map(|path| numbered(path, n)).collect()).collect(),
        };
        Ok(Targets { files, stream })
    }
}

/// `name.wav` → `name-3.wav`.
fn numbered(path: &Path, number: u16) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The summary a person reads.
fn describe(take: &Take, files: &[String], seconds_taken: f64) -> String {
    let s = take.summary();
    let points: Vec<String> = match s.emotion_asked.as_slice() {
        [one] => vec![format!("valence {:.2}, arousal {:.2}", one.valence, one.arousal)],
        many => many.iter().map(|p| format!("{}:{:.2},{:.2}", p.seconds, p.valence, p.arousal)).collect(),
    };
    let from = match s.emotion_from {
        EmotionFrom::Asked => "as asked".to_owned(),
        EmotionFrom::Lexicon => format!("from the words: {}", s.emotion_words.join(", ")),
        EmotionFrom::Words => "read from the whole prompt".to_owned(),
        EmotionFrom::None => "none asked".to_owned(),
    };
    let feeling = match points.len() {
        0 => from,
        _ => format!("{} ({from})", points.join("  ")),
    };
    let rows = [
        ("feeling", feeling),
        (
            "music",
            format!("{}, {}, {} BPM, {} s", s.key, s.meter, short(f64::from(s.tempo_bpm)), short(s.duration_seconds)),
        ),
        ("plays", format!("{}; {} notes", s.instruments.join(", "), s.note_count)),
        ("seed", s.seed.to_string()),
        ("model", s.model.clone()),
        ("licences", s.licences.join("; ")),
        ("files", if files.is_empty() { "standard output".into() } else { files.join(", ") }),
        ("took", format!("{seconds_taken:.2} s")),
    ];
    let lines = rows.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name:<9} {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// At most two decimals, and none that say nothing.
fn short(x: f64) -> String {
    format!("{:.2}", x).trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_before_the_extension() {
        assert_eq!(numbered(Path::new("a/b.c.wav"), 2), Path::new("a/b.c-2.wav"));
        assert_eq!(numbered(Path::new("take"), 11), Path::new("take-11"));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(72.0), "72");
        assert_eq!(short(100.0), "100");
        assert_eq!(short(92.456), "92.46");
    }
}
