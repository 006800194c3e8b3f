//! Collects warnings, problems that do not prevent a load. Its size is bounded, also for a hostile file.

use crate::text;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Most warnings that are kept; further ones are only counted.
const MOST: usize = 100;

/// A list of warnings without duplicates. Each is one line, cut like messages; beyond a hundred, warnings are only
/// counted.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    lines: Vec<String>,
    more: u64,
    /// Hashes of all warnings so far, including those only counted.
    hashes: HashSet<u64>,
    state: RandomState,
}

impl Warnings {
    /// No warnings.
    pub fn new() -> Warnings {
        Warnings::default()
    }

    /// Adds a warning, unless the list has it already.
    pub fn push(&mut self, warning: impl AsRef<str>) {
        let line = text::message(warning.as_ref());
        if !self.hashes.insert(self.state.hash_one(&line)) {
            return;
        }
        match self.lines.len() < MOST {
            true => self.lines.push(line),
            false => self.more = self.more.saturating_add(1),
        }
    }

    /// Adds the warnings of another list, including its count of further ones.
    pub fn extend(&mut self, others: &Warnings) {
        others.lines.iter().for_each(|line| self.push(line));
        self.more = self.more.saturating_add(others.more);
    }

    /// Whether there are no warnings.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.more == 0
    }

    /// The lines, plus one with the number of warnings that were only counted.
    pub fn to_lines(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more warnings", self.more));
        self.lines.iter().cloned().chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(range: std::ops::Range<usize>) -> Warnings {
        let mut warnings = Warnings::new();
        range.for_each(|i| warnings.push(format!("warning {i}")));
        warnings
    }

    #[test]
    fn a_flood_is_counted() {
        assert!(Warnings::new().is_empty() && Warnings::new().to_lines().is_empty());
        let lines = numbered(0..MOST + 7).to_lines();
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!((lines[0].as_str(), lines[MOST].as_str()), ("warning 0", "and 7 more warnings"));
    }

    #[test]
    fn what_is_said_twice_is_kept_once() {
        let mut warnings = numbered(0..MOST + 7);
        (0..MOST + 7).for_each(|i| warnings.push(format!("warning {i}")));
        assert_eq!(warnings.to_lines(), numbered(0..MOST + 7).to_lines());
    }

    #[test]
    fn several_lists_are_counted_together() {
        let mut warnings = numbered(0..60);
        warnings.extend(&numbered(60..180));
        warnings.extend(&numbered(0..3));
        let lines = warnings.to_lines();
        assert_eq!((lines.len(), lines[MOST].as_str()), (MOST + 1, "and 80 more warnings"));
    }

    #[test]
    fn a_warning_is_one_short_line_without_characters_that_act() {
        let mut warnings = Warnings::new();
        warnings.push("a\nb\u{202e}");
        warnings.push("z".repeat(900_000));
        let lines = warnings.to_lines();
        assert_eq!(lines[0], "a\\nb\\u{202e}");
        assert!(lines[1].len() < 2000, "{}", lines[1].len());
    }
}
