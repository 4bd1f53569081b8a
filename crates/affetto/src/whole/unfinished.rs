//! The temporary files of saves under way, for whoever ends the process before their time: a signal drops nothing, so
//! they would stay.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use tempfile::NamedTempFile;

/// The temporary files of all saves of this process. Whoever holds the lock can rely on it that none is begun, placed
/// or taken away.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn lock() -> MutexGuard<'static, Vec<PathBuf>> {
    // A list of paths is whole after any panic.
    UNFINISHED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Keeps [`discard_unfinished`] waiting, and other saves from being placed, until it is dropped.
pub struct Held {
    _lock: MutexGuard<'static, Vec<PathBuf>>,
}

/// Waits until nobody places files or has them discarded, and holds on.
pub fn hold() -> Held {
    Held { _lock: lock() }
}

/// The temporary files of one save; off the list when dropped.
#[derive(Default)]
pub struct Unfinished {
    paths: Vec<PathBuf>,
}

impl Unfinished {
    /// Makes a temporary file that is listed from its beginning.
    ///
    /// # Errors
    /// What `make` says.
    pub fn list<F, E>(&mut self, make: impl FnOnce() -> Result<NamedTempFile<F>, E>) -> Result<NamedTempFile<F>, E> {
        let mut all = lock();
        let made = make()?;
        all.push(made.path().to_owned());
        self.paths.push(made.path().to_owned());
        Ok(made)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        lock().retain(|path| !self.paths.contains(path));
    }
}

/// Nothing is saved while this is there: see [`discard_unfinished`].
#[must_use = "saves go on when it is dropped; end the process before"]
pub struct Discarded {
    _held: Held,
}

/// Takes away the temporary files of every [save](crate::Take::save) under way in this process, for a program that a
/// signal ends: call it on a thread that waits for signals (not in a signal handler, it locks), then end the process.
/// A save that is already putting its files in their places is let finish; none goes on while the answer is held.
pub fn discard_unfinished() -> Discarded {
    let held = hold();
    for path in held._lock.iter() {
        // The process ends; there is nobody left to tell.
        let _ = std::fs::remove_file(path);
    }
    Discarded { _held: held }
}
