//! `affetto generate`.

mod describe;
mod picture;
mod steering;
mod targets;

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;

use affetto::continuation::names_notes;
use affetto::whole::{Pending, Sink};
use affetto::{
    Assets, Continuation, Emotion, EmotionCurve, Family, Melody, ModelOptions, Prompt, SaveOptions, Studio, Take,
    TakeSummary, Timings, names,
};
use serde::Serialize;

use self::describe::describe;
use self::picture::Painter;
use self::steering::with_directions;
use self::targets::Targets;
use crate::args::{GenerateArgs, ModelArgs, SamplingArgs};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{memory, output};

/// Names by which `--model` means the model that ships.
const SHIPPED: [&str; 2] = ["affetto-score", "score"];

/// Whether `--model` means the model that ships.
pub fn is_shipped(name: &str) -> bool {
    SHIPPED.contains(&name)
}

/// What `--json` prints for a take.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    summary: TakeSummary,
    files: Vec<String>,
    seconds_taken: f64,
    peak_memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timings: Option<Timings>,
}

/// What `--json` prints for several takes.
#[derive(Serialize)]
struct Reports<'a> {
    takes: &'a [Report],
}

/// Makes the takes.
pub fn run(args: &GenerateArgs, started: Instant) -> Result<(), Failure> {
    let mut written = Vec::new();
    make(args, started, &mut written).map_err(|failure| failure.after(&written))
}

/// Makes the takes; `written` hears of each file that is there.
fn make(args: &GenerateArgs, started: Instant, written: &mut Vec<String>) -> Result<(), Failure> {
    let family = args.model.family();
    let mut prompt = prompt_of(args, family)?;
    let source = Source::of(args, family)?;
    prompt = match &source {
        Source::Shipped(assets) => with_directions(prompt, &args.steering, Some(assets))?,
        Source::Named(..) => with_directions(prompt, &args.steering, Assets::open_default().ok().as_ref())?,
    };
    if let (Some(text), Source::Shipped(assets)) = (&args.emotion, &source) {
        let lexicon = affetto::read_lexicon(assets)?;
        prompt = prompt.emotion(lexicon.read(text).map_err(affetto::Error::from)?);
    }
    let seed = args.seed.unwrap_or_else(affetto::draw_seed);
    let targets = Targets::of(args, family, seed)?;
    let options = SaveOptions { force: args.force, sample_format: args.sample_format };
    targets.check(family, &options)?;
    let painter = args.plot.as_ref().map(|_| Painter::open(&args.assets, family)).transpose()?;
    let prompt = with_files(prompt, args)?;
    prompt.check_for(family)?;

    let progress = RefCell::new(Progress::new(args.quiet));
    let mut studio = source.open(args.sampling.threads.map_or(0, usize::from))?;
    let prompt = match &args.emotion {
        Some(text) if family == Family::MusicGen => prompt.emotion(feeling_for(&studio, text)?),
        _ => prompt,
    };
    let mut composing = |share: f32| progress.borrow_mut().show("composing", share);
    let mut out = output::Patient::default();
    if targets.stream {
        // Where no file is asked for besides, nobody wants the rest once the reader is gone.
        let (files, plot) = (&targets.files[0], &targets.plots[0]);
        let stream = studio.stream_with(&prompt.seed(seed), &mut composing)?;
        let take = match files.is_empty() && plot.is_none() {
            true => stream.write_wav(&mut std::io::stdout().lock(), args.sample_format, &mut composing)?,
            false => stream.write_wav(&mut out, args.sample_format, &mut composing)?,
        };
        written.extend(save(&take, files, plot, painter.as_ref(), &options)?);
        progress.borrow_mut().finish();
        if !args.quiet {
            output::note(&describe(&take, written, started.elapsed().as_secs_f64()));
        }
        return out.finish();
    }

    let prompts: Vec<Prompt> = (0..u64::from(args.count)).map(|i| prompt.clone().seed(seed.wrapping_add(i))).collect();
    let mut reports = Vec::new();
    let mut begun = started;
    let mut done = |i: usize, take: Take| -> Result<(), Failure> {
        let files = &targets.files[i];
        progress.borrow_mut().show("rendering", 1.0);
        let files = save(&take, files, &targets.plots[i], painter.as_ref(), &options)?;
        progress.borrow_mut().finish();
        let seconds_taken = begun.elapsed().as_secs_f64();
        begun = Instant::now();
        written.extend_from_slice(&files);
        if args.json {
            let (summary, timings) = (take.summary().clone(), take.timings());
            reports.push(Report { summary, files, seconds_taken, peak_memory_bytes: memory::peak_bytes(), timings });
        } else if !args.quiet {
            out.line(&describe(&take, &files, seconds_taken));
        }
        Ok(())
    };
    let made = studio.generate_many(&prompts, &mut composing, &mut done);
    // Where a later take fails, those that are there are still told of.
    match reports.as_slice() {
        [] => {}
        [one] if args.count == 1 => out.line(&output::to_json(one)?),
        takes => out.line(&output::to_json(&Reports { takes })?),
    }
    made?;
    out.finish()
}

/// Writes a take's files and its picture, all or none; their paths as they are printed.
fn save(
    take: &Take,
    files: &[PathBuf],
    plot: &Option<PathBuf>,
    painter: Option<&Painter>,
    options: &SaveOptions,
) -> Result<Vec<String>, Failure> {
    let mut pictures = Vec::new();
    if let (Some(path), Some(painter)) = (plot, painter) {
        let picture = painter.paint(take)?;
        let content = move |out: &mut dyn Sink| out.write_all(picture.as_bytes());
        pictures.push(Pending { path: path.clone(), content: Box::new(content) });
    }
    take.save_with(files, pictures, options)?;
    Ok(files.iter().chain(plot).map(|file| file.display().to_string()).collect())
}

/// Where the models come from.
enum Source<'a> {
    Shipped(Assets),
    Named(&'a str, ModelOptions),
}

impl<'a> Source<'a> {
    fn of(args: &'a GenerateArgs, family: Family) -> Result<Source<'a>, Failure> {
        let Some(model) = args.model.model.as_deref().filter(|_| family == Family::MusicGen) else {
            for (asked, flag) in [(&args.model.quantize, "--quantize"), (&args.model.kv_cache, "--kv-cache")] {
                if asked.is_some() {
                    return Err(Failure::usage(format!("{flag} is for MusicGen models; name one with --model")));
                }
            }
            return Ok(Source::Shipped(args.assets.open()?));
        };
        if args.assets.assets.is_some() {
            return Err(Failure::usage("--assets names the models that ship, --model another; leave out one of them"));
        }
        Ok(Source::Named(model, args.model.options()?))
    }

    fn open(self, threads: usize) -> affetto::Result<Studio> {
        match self {
            Source::Shipped(assets) => Studio::with_assets(assets, threads),
            Source::Named(model, options) => Studio::open_model(model, &ModelOptions { threads, ..options }),
        }
    }
}

impl ModelArgs {
    /// The family meant.
    fn family(&self) -> Family {
        match self.model.as_deref() {
            None => Family::Score,
            Some(name) if SHIPPED.contains(&name) => Family::Score,
            Some(_) => Family::MusicGen,
        }
    }

    fn options(&self) -> Result<ModelOptions, Failure> {
        let quantize = self.quantize.as_deref().map(affetto::parse_precision).transpose()?;
        let kv_cache = self.kv_cache.as_deref().map(affetto::parse_cache_precision).transpose()?;
        Ok(ModelOptions { quantize, kv_cache, threads: 0 })
    }
}

/// The prompt, all but its feeling and its files, checked.
fn prompt_of(args: &GenerateArgs, family: Family) -> Result<Prompt, Failure> {
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
    prompt.check_for(family)?;
    if family == Family::Score {
        if args.model.melody.is_some() {
            return Err(Failure::usage("--melody is for MusicGen models; name one with --model"));
        }
        if let Some(file) = args.music.continue_from.as_ref().filter(|file| !names_notes(file)) {
            return Err(Failure::usage(format!(
                "--continue {}: models that write notes go on from notes (.mid, .musicxml, .json); name a MusicGen model \
                 with --model to go on from sound",
                file.display()
            )));
        }
    }
    Ok(prompt)
}

/// The feeling asked of a MusicGen model: words by the lexicon that ships, numbers without it. For a model that hears
/// none any will do: it is refused by name when the take is begun.
fn feeling_for(studio: &Studio, text: &str) -> Result<EmotionCurve, Failure> {
    if !studio.hears_feeling() {
        return Ok(Emotion::NEUTRAL.into());
    }
    Ok(match Assets::open_default().and_then(|assets| affetto::read_lexicon(&assets)) {
        Ok(lexicon) => lexicon.read(text).map_err(affetto::Error::from)?,
        Err(_) => EmotionCurve::parse(text).map_err(|error| affetto::Error::Emotion(error.into()))?,
    })
}

/// A prompt with the files it works from.
fn with_files(mut prompt: Prompt, args: &GenerateArgs) -> Result<Prompt, Failure> {
    if let Some(file) = &args.model.melody {
        prompt = prompt.melody(Melody::read(file)?);
    }
    if let Some(file) = &args.music.continue_from {
        prompt = prompt.continue_from(Continuation::read(file)?);
    }
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
