//! Reading Hugging Face configurations: keys with defaults, and one clear line for what is not supported.

use serde_json::Value;

use crate::error::ModelError;

/// A part of a configuration and where it stands in it.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    value: &'a Value,
    path: &'a str,
}

impl<'a> Part<'a> {
    /// The part `value`, called `path` in messages; empty for the whole file.
    ///
    /// # Errors
    /// When it is no object.
    pub(crate) fn new(value: &'a Value, path: &'a str) -> Result<Self, ModelError> {
        let part = Part { value, path };
        if value.is_object() { Ok(part) } else { Err(part.wrong("", "an object", value)) }
    }

    /// The part under `key`, which must be there.
    pub(crate) fn part(&self, key: &'a str) -> Result<Part<'a>, ModelError> {
        match self.get(key) {
            Some(value) => Part::new(value, key),
            None => Err(self.wrong(key, "an object", &Value::Null)),
        }
    }

    /// The value of a key, where it is there and not null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    /// The error that names `key`, what was expected and what was found.
    pub(crate) fn wrong(&self, key: &str, expected: impl Into<String>, found: &Value) -> ModelError {
        let name = [self.path, key].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(".");
        let mut found = if found.is_null() { "nothing".to_owned() } else { found.to_string() };
        if found.chars().count() > 80 {
            found = found.chars().take(79).chain(['…']).collect();
        }
        ModelError::Config { key: name, expected: expected.into(), found }
    }

    /// A whole number from 1 to `most`.
    pub(crate) fn size(&self, key: &str, default: usize, most: usize) -> Result<usize, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if (1..=most).contains(&n) => Ok(n),
            _ => Err(self.wrong(key, format!("a whole number from 1 to {most}"), value)),
        }
    }

    /// A finite number above 0.
    pub(crate) fn positive(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        match value.as_f64() {
            Some(x) if x.is_finite() && x > 0.0 => Ok(x),
            _ => Err(self.wrong(key, "a number above 0", value)),
        }
    }

    /// Yes or no.
    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(key, "true or false", value))
    }

    /// A word.
    pub(crate) fn word(&self, key: &str, default: &'a str) -> Result<&'a str, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_str().ok_or_else(|| self.wrong(key, "a string", value))
    }
}
