//! Collects errors for one report. Its size is bounded, also for a hostile file.

use crate::{Error, Result};

/// Most errors that are kept; further ones are only counted.
const MOST: usize = 100;

/// A list of errors, for checks that do not stop at the first one.
#[derive(Debug, Default)]
pub struct Findings {
    errors: Vec<Error>,
    more: u64,
}

impl Findings {
    /// An empty list.
    pub fn new() -> Findings {
        Findings::default()
    }

    /// Adds an error; beyond a hundred, errors are only counted.
    pub fn push(&mut self, error: Error) {
        match self.errors.len() < MOST {
            true => self.errors.push(error),
            false => self.more += 1,
        }
    }

    /// Returns the value, or adds the error and returns `None`.
    pub fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Whether there are no errors.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The number of errors, including those only counted.
    pub fn len(&self) -> u64 {
        self.errors.len() as u64 + self.more
    }

    /// Succeeds if there are no errors, otherwise fails with all of them under `headline`.
    ///
    /// # Errors
    /// The findings, through [`Error::several`].
    pub fn finish(mut self, headline: impl Into<String>) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        if self.more > 0 {
            let kind = self.errors[0].kind();
            self.errors.push(Error::new(kind, format!("and {} more like these", self.more)));
        }
        Err(Error::several(headline, self.errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let mut findings = Findings::new();
        assert!(findings.is_empty());
        for i in 0..MOST + 7 {
            findings.push(Error::malformed(format!("finding {i}")));
        }
        assert_eq!(findings.len(), MOST as u64 + 7);
        let error = findings.finish("many").unwrap_err();
        assert_eq!(error.details().len(), MOST + 1);
        assert_eq!(error.details()[MOST].message(), "and 7 more like these");
    }

    #[test]
    fn nothing_found_is_success() {
        let mut findings = Findings::new();
        assert_eq!(findings.take(Ok(3)), Some(3));
        findings.finish("nothing").unwrap();
    }
}
