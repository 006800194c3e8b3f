//! Suggests the nearest known name in messages about unknown ones. A hostile file may contain many long names, and
//! comparing two takes time and memory proportional to the product of their lengths. Long names are therefore not
//! compared, and the number of comparisons is limited.

use std::cell::Cell;

/// The most bytes of a name that is compared.
const LONGEST: usize = 128;
/// The most names that one is compared with.
const MOST: usize = 1000;
/// The similarity from which a name counts as near.
const NEAR: f64 = 0.6;

/// The remaining number of suggestions: each is compared with many names, and a hostile file could request many.
#[derive(Debug)]
pub(crate) struct Hints(Cell<u32>);

impl Hints {
    /// Allows `count` suggestions.
    pub(crate) fn new(count: u32) -> Self {
        Hints(Cell::new(count))
    }

    /// As [`nearest`], until the allowed number is used up; then empty.
    pub(crate) fn nearest<'a>(&self, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
        let Some(left) = self.0.get().checked_sub(1) else { return String::new() };
        self.0.set(left);
        nearest(name, known)
    }
}

/// `; did you mean ...?` if a near name exists, otherwise empty.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // Of names that are equally near, one that the name begins with, then the shortest.
    let score =
        |known: &'a str| (similarity(&name.to_lowercase(), &known.to_lowercase()), name.starts_with(known), known);
    let best = known
        .into_iter()
        .filter(|known| can_be_near(name, known))
        .take(MOST)
        .map(score)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(b.2.len().cmp(&a.2.len())));
    match best {
        Some((score, _, near)) if score >= NEAR => format!("; did you mean `{near}`?"),
        _ => String::new(),
    }
}

/// The similarity, from 0 for names that have nothing in common or are too long, to 1 for equal names.
pub(crate) fn similarity(a: &str, b: &str) -> f64 {
    if a.len().max(b.len()) > LONGEST { 0.0 } else { strsim::normalized_damerau_levenshtein(a, b) }
}

/// Whether the lengths allow names to be near: each additional character is a difference. Only lengths of ASCII names
/// are compared, because other characters have several bytes.
fn can_be_near(a: &str, b: &str) -> bool {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    long <= LONGEST && (!(a.is_ascii() && b.is_ascii()) || short as f64 >= NEAR * long as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested() {
        assert_eq!(nearest("danse", ["Conv2D", "Dense"]), "; did you mean `Dense`?");
        assert_eq!(nearest("Lambda", ["Conv2D", "Dense"]), "");
        assert_eq!(nearest("é", ["è", "Dense"]), "");
        assert_eq!(nearest("reluu", ["relu", "relu6"]), "; did you mean `relu`?");
        assert_eq!(nearest("reluu", ["relu6", "relu"]), "; did you mean `relu`?");
    }

    #[test]
    fn long_names_are_not_compared() {
        let long = "a".repeat(1 << 24);
        assert_eq!(nearest(&long, ["a", &long]), "");
        assert_eq!(similarity(&long, &long), 0.0);
        assert_eq!(similarity(&long[..LONGEST], &long[..LONGEST]), 1.0);
    }
}
