//! `affetto bench steer`: what steering does, and how well.

mod compare;
mod curve;
mod directions;
mod feeling;
mod flags;
mod fusion;
mod making;
mod measures;
mod picture;
mod span;
mod sweep;

use std::path::Path;

use affetto::Studio;

use self::making::Maker;
use self::measures::Measures;
use crate::args::{BenchSteerArgs, SteerPart};
use crate::bench::lara;
use crate::bench::quality::read_reference;
use crate::failure::Failure;
use crate::output;

/// What a part found.
struct Done {
    /// All of it.
    json: serde_json::Value,
    /// For people.
    text: String,
    /// Pictures.
    files: Vec<(String, String)>,
}

/// Measures, prints, and writes where a folder is named.
pub fn run(args: &BenchSteerArgs) -> Result<(), Failure> {
    flags::check(args)?;
    lara::check_out(args.out.as_deref())?;
    let assets = args.assets.open()?;
    let directions = directions::load(args, &assets)?;
    let path = args.reference.clone().unwrap_or_else(|| args.research.join("quality-reference.json"));
    let reference = read_reference(&path)?;
    let measures = Measures::open(&assets, args)?;
    let studio = Studio::with_assets(assets, usize::from(args.threads.unwrap_or(0)))?;
    let model = studio.model().to_owned();
    let mut maker = Maker::new(args, &measures, studio);
    let bands = reference.envelope();
    let done = match args.part() {
        SteerPart::Sweep => {
            let (lines, unsteered) = sweep::run(&mut maker, &directions, &bands)?;
            sweep::report(args, &lines, &unsteered, &bands, &model)
        }
        SteerPart::Compare => {
            let (lines, unsteered) = sweep::run(&mut maker, &directions, &bands)?;
            compare::report(args, &lines, &unsteered, &bands, &model)
        }
        SteerPart::Fusion => fusion::run(&mut maker, &directions)?,
        SteerPart::Span => span::run(&mut maker, &directions)?,
        SteerPart::Emotion => feeling::run(&mut maker, &directions)?,
    };
    maker.finish();
    // What took so long is printed even where it cannot be written.
    let written = args.out.as_deref().map_or(Ok(()), |out| write(out, &done));
    let printed = match args.json {
        true => output::json(&done.json),
        false => {
            let out = args.out.as_ref().filter(|_| written.is_ok());
            let line = out.map(|out| format!("written: table and curves in {}\n", out.display()));
            output::bytes(format!("{}{}", done.text, line.unwrap_or_default()).as_bytes())
        }
    };
    written.and(printed)
}

fn write(out: &Path, done: &Done) -> Result<(), Failure> {
    let mut files = done.files.clone();
    files.push(("table.txt".into(), done.text.clone()));
    files.push(("table.json".into(), format!("{}\n", output::to_json(&done.json)?)));
    lara::write(out, files)
}

/// A number with as many digits as it takes.
fn number(x: f64) -> String {
    match x.abs() {
        _ if x.is_nan() => "–".into(),
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// Exactly two directions, for a part that takes two.
fn two<'a>(
    directions: &'a [directions::Direction],
    part: &str,
    what: &str,
) -> Result<[&'a directions::Direction; 2], Failure> {
    match directions {
        [a, b] => Ok([a, b]),
        other => Err(Failure::usage(format!(
            "--part {part}: takes two directions, {what}; {} given with --directions",
            other.len()
        ))),
    }
}
