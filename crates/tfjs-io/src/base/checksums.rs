//! SHA-256 sums that a caller expects, by file. Only holds them: [`CheckedFiles`](crate::CheckedFiles) compares them.

use std::collections::BTreeMap;
use std::fmt::Write;
use tfjs_manifest::{Error, Result};

/// The expected SHA-256 sums of a model's files. A load fails if a file has another sum.
///
/// A file is named as in the model's manifest. The model's JSON is named `model.json`, or by its own file name.
///
/// ```
/// # use tfjs_io::Checksums;
/// let sums = Checksums::parse(
///     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  model.json\n\
///      e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 *weights.bin\n",
/// )?;
/// assert_eq!(sums.paths().collect::<Vec<_>>(), ["model.json", "weights.bin"]);
/// # Ok::<(), tfjs_io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksums {
    sums: BTreeMap<String, String>,
    strict: bool,
}

impl Checksums {
    /// No sums: nothing is checked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the output of `sha256sum`: a line for each file, with its sum in hexadecimal digits, a space, a space or
    /// `*`, and its path. Blank lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed), with the line number, for any other line, and for a path
    /// with two different sums.
    pub fn parse(text: &str) -> Result<Self> {
        let mut all = Checksums::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (i, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| Error::malformed(format!("line {} of the checksums: {what}", i + 1));
            let (sum, path) = line.split_once(' ').ok_or_else(|| wrong("expected a sum, two blanks and a path"))?;
            let path = path.strip_prefix(['*', ' ']).unwrap_or(path);
            if !is_sum(sum) || path.is_empty() {
                return Err(wrong("expected 64 hexadecimal digits, two blanks and a path"));
            }
            let (path, sum) = (normal(path), sum.to_ascii_lowercase());
            if all.sums.insert(path.clone(), sum.clone()).is_some_and(|before| before != sum) {
                return Err(wrong(&format!("another sum for `{path}`")));
            }
        }
        Ok(all)
    }

    /// Adds the sum of a file, in hexadecimal digits. An invalid sum makes the load fail.
    #[must_use]
    pub fn with(mut self, path: impl AsRef<str>, sha256: impl AsRef<str>) -> Self {
        self.sums.insert(normal(path.as_ref()), sha256.as_ref().trim().to_ascii_lowercase());
        self
    }

    /// Whether every file must have a sum. Default: no.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The sum of a file, in lower case.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.sums.get(&normal(path)).map(String::as_str)
    }

    /// The files that have sums, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.sums.keys().map(String::as_str)
    }

    /// Whether every file must have a sum.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether no file needs to be checked.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty() && !self.strict
    }

    /// The sum a file must have; `None` if it is not checked.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for a file without a sum where all must have one;
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a sum that is not 64 hexadecimal digits.
    pub(crate) fn expected(&self, path: &str) -> Result<Option<&str>> {
        match self.get(path) {
            Some(sum) if !is_sum(sum) => Err(Error::misuse(format!(
                "expected a SHA-256 sum of 64 hexadecimal digits for `{path}`, found `{sum}`"
            ))),
            None if self.strict => {
                Err(Error::mismatch("this file has no checksum, and the options say that every file has one"))
            }
            sum => Ok(sum),
        }
    }
}

/// The path without empty components and `.`.
pub(crate) fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

/// Lower-case hexadecimal digits of a sum.
pub(crate) fn hex(sum: &[u8]) -> String {
    sum.iter().fold(String::with_capacity(sum.len() * 2), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    const SUM: &str = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

    #[test]
    fn what_sha256sum_writes_is_read() {
        let text = format!("\u{feff}# sums\r\n{SUM}  ./model.json\r\n\n{SUM} *a b/w.bin\n");
        let sums = Checksums::parse(&text).unwrap();
        assert_eq!(sums.paths().collect::<Vec<_>>(), ["a b/w.bin", "model.json"]);
        assert_eq!(sums.get("./a b//w.bin"), Some(&*SUM.to_lowercase()));
        assert_eq!(sums, Checksums::new().with("model.json", SUM).with("a b/w.bin", SUM));
    }

    #[track_caller]
    fn check_malformed(text: &str, says: &str) {
        let error = Checksums::parse(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.message().contains(says), "{error}");
    }

    #[test]
    fn what_it_does_not_write_is_malformed() {
        check_malformed("abc  model.json", "line 1 of the checksums: expected 64 hexadecimal digits");
        check_malformed(&format!("\n{SUM}"), "line 2 of the checksums: expected a sum");
        check_malformed(&format!("{SUM}  "), "line 1");
        check_malformed(&format!("\\{SUM}  a\\nb"), "line 1");
        check_malformed(&format!("{SUM}  a\n{}  a", SUM.replace('E', "F")), "line 2 of the checksums: another sum");
    }

    #[test]
    fn a_sum_that_is_none_is_misuse_and_a_missing_one_a_mismatch() {
        let sums = Checksums::new().with("a", "e3b0");
        assert_eq!(sums.expected("a").unwrap_err().kind(), Kind::Misuse);
        assert_eq!(sums.expected("b").unwrap(), None);
        assert_eq!(sums.with_strict(true).expected("b").unwrap_err().kind(), Kind::Mismatch);
    }
}
