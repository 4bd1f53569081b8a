//! How the command ends when it does not end well: one line, and exit code 2 for bad usage, 1 for failure.

use clap::error::ErrorKind;

use crate::output;

/// Exit code for a request that makes no sense as given.
pub const USAGE: u8 = 2;
/// Exit code for a request that could not be carried out.
pub const FAILURE: u8 = 1;

/// Why the command stops.
#[derive(Debug)]
pub enum Failure {
    /// One line for the person, and the exit code.
    Told {
        /// Exit code.
        code: u8,
        /// What is wrong with what, and what to do.
        message: String,
    },
    /// Nobody reads what we print (`affetto … | head`), and no file is missing: no cause for complaint.
    ReaderGone,
}

impl Failure {
    /// A request that makes no sense as given.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::Told { code: USAGE, message: message.into() }
    }

    /// A request that could not be carried out.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::Told { code: FAILURE, message: message.into() }
    }

    /// The same, with what it is about before it.
    pub fn with(self, what: &str) -> Failure {
        match self {
            Failure::Told { code, message } => Failure::Told { code, message: format!("{what}: {message}") },
            other => other,
        }
    }

    /// The same, and what was written before it came to that.
    pub fn after(self, written: &[String]) -> Failure {
        match self {
            Failure::Told { code, message } if !written.is_empty() => {
                Failure::Told { code, message: format!("{message}; written before: {}", written.join(", ")) }
            }
            other => other,
        }
    }
}

impl From<affetto::Error> for Failure {
    fn from(error: affetto::Error) -> Failure {
        match error {
            affetto::Error::Stream(error) => error.into(),
            usage if usage.is_usage() => Failure::usage(usage.to_string()),
            other => Failure::failed(other.to_string()),
        }
    }
}

/// An error while printing.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::failed(format!("standard output: {error}")),
        }
    }
}

/// What clap has to say: help and version are printed as they are, errors on one line.
pub fn from_clap(error: &clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output::bytes(error.render().to_string().as_bytes()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(Failure::usage("no command given; try affetto generate \"a quiet piano at dusk\", or affetto --help"))
        }
        _ => Err(Failure::usage(one_line(&error.render().to_string()))),
    }
}

/// The paragraphs of a clap error that say something, as one line.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = lines.filter(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let line = telling.collect::<Vec<_>>().join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line).replace(" tip: ", "; ");
    format!("{line} (see --help)")
}
