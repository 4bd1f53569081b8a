//! Weights that are no numbers are refused where a file is opened, not found out by the music.

use affetto_engine::{Checkpoint, EngineError};

/// Checks that every tensor whose name begins with `prefix` holds finite numbers.
///
/// # Errors
/// [`EngineError::Format`] names the file and the tensor.
pub(crate) fn check_finite(checkpoint: &Checkpoint, prefix: &str) -> Result<(), EngineError> {
    for name in checkpoint.names().into_iter().filter(|name| name.starts_with(prefix)) {
        if !checkpoint.stored(name)?.to_f32().iter().all(|x| x.is_finite()) {
            let reason = format!("`{name}` holds numbers that are not finite; get the file anew");
            return Err(EngineError::Format { file: checkpoint.file(), reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_are_named() {
        let check = |value: f32| {
            let header = r#"{"prior.fc1.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(&value.to_le_bytes());
            let checkpoint = Checkpoint::from_bytes("model.safetensors", bytes).unwrap();
            assert!(check_finite(&checkpoint, "conditions.").is_ok());
            check_finite(&checkpoint, "prior.").map_err(|error| error.to_string())
        };
        assert!(check(1.0).is_ok());
        for broken in [f32::NAN, f32::INFINITY] {
            let message = check(broken).unwrap_err();
            assert!(message.contains("model.safetensors") && message.contains("prior.fc1.bias"), "{message}");
        }
    }
}
