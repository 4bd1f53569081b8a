//! Where the takes go.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use affetto::{Family, SaveOptions};

use crate::args::GenerateArgs;
use crate::failure::Failure;

/// Where the takes go.
pub struct Targets {
    /// The files of each take.
    pub files: Vec<Vec<PathBuf>>,
    /// The picture of each take, where one is asked for.
    pub plots: Vec<Option<PathBuf>>,
    /// Whether the sound goes to standard output as well.
    pub stream: bool,
}

impl Targets {
    /// What `-o` and `--count` ask for.
    pub fn of(args: &GenerateArgs, family: Family, seed: u64) -> Result<Targets, Failure> {
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
        let mut usual = vec![PathBuf::from(format!("affetto-{seed}.wav"))];
        if family.has_notes() {
            usual.push(PathBuf::from(format!("affetto-{seed}.mid")));
        }
        if args.output.is_empty() {
            named = usual.iter().collect();
        }
        let files = match args.count {
            1 => vec![named.into_iter().cloned().collect()],
            count => (1..=count).map(|n| named.iter().map(|path| numbered(path, n)).collect()).collect(),
        };
        let plots = (1..=args.count).map(|n| match (&args.plot, args.count) {
            (Some(path), 1) => Some(path.clone()),
            (plot, _) => plot.as_ref().map(|path| numbered(path, n)),
        });
        Ok(Targets { files, plots: plots.collect(), stream })
    }

    /// Checks, before anything is computed, that all of it could be written.
    pub fn check(&self, family: Family, options: &SaveOptions) -> Result<(), Failure> {
        let files = self.files.concat();
        affetto::check_paths(&files, options)?;
        family.check_formats(&files)?;
        let plots: Vec<PathBuf> = self.plots.iter().flatten().cloned().collect();
        if let Some(path) = plots.iter().find(|p| !p.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg"))) {
            return Err(Failure::usage(format!(
                "--plot {}: a picture's name ends in .svg; give such a one",
                path.display()
            )));
        }
        Ok(affetto::whole::check_targets(&[files, plots].concat(), options.force)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_before_the_extension() {
        assert_eq!(numbered(Path::new("a/b.c.wav"), 2), Path::new("a/b.c-2.wav"));
        assert_eq!(numbered(Path::new("take"), 11), Path::new("take-11"));
    }
}
