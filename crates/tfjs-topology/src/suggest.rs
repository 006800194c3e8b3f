//! The nearest known name, for messages about unknown ones.

/// `; did you mean ...?` for a near name, nothing otherwise.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let best = known
        .into_iter()
        .map(|k| (strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &k.to_lowercase()), k))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((score, near)) if score >= 0.6 => format!("; did you mean `{near}`?"),
        _ => String::new(),
    }
}
