//! The settings of a LARA run within its folder: what its checkpoints are made of.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TrainError;

/// The file's name within the run's folder.
pub const FILE: &str = "lara.json";

/// The settings a run was begun with; `None` where it has none.
///
/// # Errors
/// A file that can't be read, or is not of this kind of run.
pub fn read<T: DeserializeOwned>(run_dir: &Path) -> Result<Option<T>, TrainError> {
    let path = run_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            serde_json::from_str(&text).map(Some).map_err(|e| TrainError::Checkpoint { path, what: e.to_string() })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TrainError::Read { path, source }),
    }
}

/// Writes the settings into a new run's folder, or checks that an old run had the same in what `fixed` leaves of them.
///
/// # Errors
/// As [`read`]; other settings than before; a folder that can't be written.
pub fn keep<T>(run_dir: &Path, settings: &T, fixed: impl Fn(&T) -> T) -> Result<(), TrainError>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let path = run_dir.join(FILE);
    let text = serde_json::to_string_pretty(settings).expect("settings are plain data");
    let Some(before) = read::<T>(run_dir)? else {
        let io = |source| TrainError::Write { path: path.clone(), source };
        std::fs::create_dir_all(run_dir).map_err(io)?;
        return std::fs::write(&path, text).map_err(io);
    };
    // Through text and back, as what was kept: reading a number may round it.
    let now: T = serde_json::from_str(&text).expect("what was written can be read");
    if fixed(&before) == fixed(&now) {
        return Ok(());
    }
    let what = format!("it was begun with {before:?}, now asked for is {now:?}");
    Err(TrainError::Checkpoint { path, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_with_its_own_settings_alone() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let length_is_free = |s: &(f64, usize)| (s.0, 0);
        assert_eq!(read::<(f64, usize)>(&run).unwrap(), None);
        keep(&run, &(1.5e-4, 300), length_is_free).unwrap();
        keep(&run, &(1.5e-4, 900), length_is_free).unwrap();
        assert_eq!(read(&run).unwrap(), Some((1.5e-4, 300)));
        let error = keep(&run, &(2e-4, 300), length_is_free).unwrap_err().to_string();
        assert!(error.contains("lara.json") && error.contains("0.0002"), "{error}");
    }
}
