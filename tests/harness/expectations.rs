//! Known failures: they still run, and it is an error if one passes.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// `conformance/expectations.toml`: case id to the reason it fails.
#[derive(Debug, Default, Deserialize)]
pub struct Expectations {
    /// Cases that fail on both engines.
    #[serde(default)]
    pub fails: BTreeMap<String, String>,
}

impl Expectations {
    /// Reads the file.
    ///
    /// # Panics
    /// If the file cannot be read.
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/expectations.toml");
        let text = std::fs::read_to_string(path).expect("the file of known failures is there");
        toml::from_str(&text).expect("known failures are `\"case\" = \"reason\"`")
    }

    /// Turns a result into a verdict: a known failure that passes is an error.
    ///
    /// # Errors
    /// The failure, or a message that the case passes now.
    pub fn judge(&self, id: &str, result: Result<f64, String>) -> Result<Option<f64>, String> {
        match (self.fails.get(id), result) {
            (None, result) => result.map(Some),
            (Some(_), Err(_)) => Ok(None),
            (Some(reason), Ok(_)) => Err(format!("passes now; take it out of expectations.toml (it said: {reason})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_to_pass_is_an_error() {
        let expectations: Expectations = toml::from_str("[fails]\n\"a/b\" = \"the reason\"").unwrap();
        assert_eq!(expectations.judge("a/b", Err("it differs".to_owned())), Ok(None));
        let passes = expectations.judge("a/b", Ok(0.0)).unwrap_err();
        assert!(passes.contains("passes now") && passes.contains("the reason"), "{passes}");
        assert_eq!(expectations.judge("a/c", Ok(0.5)), Ok(Some(0.5)));
        assert_eq!(expectations.judge("a/c", Err("it differs".to_owned())), Err("it differs".to_owned()));
    }
}
