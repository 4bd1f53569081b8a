//! Printing: results to standard output, everything else to standard error. Never a panic when nobody reads.

use std::io::Write;

use crate::failure::Failure;

/// Prints one line of result.
pub fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints a result as it is.
pub fn bytes(result: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(result)?;
    out.flush()?;
    Ok(())
}

/// Standard output for a command that has files to write as well: where it fails, the files shall still be made, so it
/// swallows what is printed from then on and keeps the error for the end.
#[derive(Default)]
pub struct Patient {
    error: Option<std::io::Error>,
}

impl Patient {
    /// Prints one line of result.
    pub fn line(&mut self, text: &str) {
        // The error is kept.
        let _ = self.write_all(format!("{text}\n").as_bytes()).and_then(|()| self.flush());
    }

    /// What became of it all.
    ///
    /// # Errors
    /// The first error there was.
    pub fn finish(self) -> Result<(), Failure> {
        self.error.map_or(Ok(()), |error| Err(error.into()))
    }

    fn keep<T>(&mut self, done: std::io::Result<T>, instead: T) -> std::io::Result<T> {
        match done {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                self.error = Some(error);
                Ok(instead)
            }
            other => other,
        }
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.error {
            Some(_) => Ok(bytes.len()),
            None => {
                let done = std::io::stdout().write(bytes);
                self.keep(done, bytes.len())
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.error {
            Some(_) => Ok(()),
            None => {
                let done = std::io::stdout().flush();
                self.keep(done, ())
            }
        }
    }
}

/// Prints a result as one line of JSON.
pub fn json(result: &impl serde::Serialize) -> Result<(), Failure> {
    line(&to_json(result)?)
}

/// A result as one line of JSON.
pub fn to_json(result: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(result).map_err(|error| Failure::failed(format!("--json: {error}")))
}

/// Tells the person something beside the result.
pub fn note(text: &str) {
    // Nothing can be done where standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Tells the person what went wrong, on one line.
pub fn error(message: &str) {
    note(&format!("error: {}", message.replace('\n', " ")));
}

/// A table with aligned columns; the first row is the heading.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &w)| format!("{cell:<w$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
