//! Draws ranked labels with their probabilities as a bar chart in text.

use crate::shown;
use std::io::{self, Write};

/// The longest bar, in characters.
const WIDTH: f32 = 32.0;
/// Most characters of a label.
const LONGEST_LABEL: usize = 40;
/// Characters for the last part of a bar, in steps of an eighth.
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// Draws the `top` largest values, one per line, best first.
///
/// If all values are from 0 to 1, a full bar is 1; otherwise it is the largest value.
pub(crate) fn draw(values: &[f32], labels: Option<&[String]>, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let ranked = rank(values, top);
    let label = |i: usize| match labels.and_then(|l| l.get(i)) {
        Some(label) => shown::line(label).chars().take(LONGEST_LABEL).collect(),
        None => i.to_string(),
    };
    let labels: Vec<String> = ranked.iter().map(|(i, _)| label(*i)).collect();
    let numbers: Vec<String> = ranked.iter().map(|(_, value)| format!("{value:.4}")).collect();
    let widest = |texts: &[String]| texts.iter().map(|t| t.chars().count()).max().unwrap_or(0);
    let (label_width, number_width) = (widest(&labels), widest(&numbers));
    let (empty, full) = scale(values);
    for ((label, number), (_, value)) in labels.iter().zip(&numbers).zip(&ranked) {
        let bar = bar((value - empty) / (full - empty));
        let line = format!("  {label:label_width$}  {number:>number_width$}  {bar}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Index and value of the largest values, in descending order. Equal values are ordered by index, and NaN is last.
pub(crate) fn rank(values: &[f32], top: usize) -> Vec<(usize, f32)> {
    let key = |v: f32| if v.is_nan() { f32::NEG_INFINITY } else { v };
    let order = |&(i, a): &(usize, f32), &(j, b): &(usize, f32)| {
        a.is_nan().cmp(&b.is_nan()).then(key(b).total_cmp(&key(a))).then(i.cmp(&j))
    };
    // At most twice the requested number are stored, because a row may be very long.
    let mut ranked: Vec<(usize, f32)> = Vec::new();
    let mut last = None;
    for entry in values.iter().copied().enumerate() {
        if last.as_ref().is_some_and(|last| order(&entry, last).is_gt()) {
            continue;
        }
        ranked.push(entry);
        if ranked.len() >= top.saturating_mul(2) {
            ranked.sort_unstable_by(order);
            ranked.truncate(top);
            last = ranked.last().copied();
        }
    }
    ranked.sort_unstable_by(order);
    ranked.truncate(top);
    ranked
}

/// The values of an empty and of a full bar.
fn scale(values: &[f32]) -> (f32, f32) {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    if finite().all(|v| (0.0..=1.0).contains(&v)) {
        return (0.0, 1.0);
    }
    let low = finite().fold(0.0, f32::min);
    let high = finite().fold(low, f32::max);
    (low, if high > low { high } else { low + 1.0 })
}

fn bar(share: f32) -> String {
    let eighths = (share.clamp(0.0, 1.0) * WIDTH * 8.0).round();
    // NaN has an empty bar.
    let eighths = if eighths.is_nan() { 0 } else { eighths as usize };
    let mut bar = "█".repeat(eighths / 8);
    if eighths % 8 > 0 {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f32], labels: &[&str], top: usize, expect: &[&str]) {
        let labels: Vec<String> = labels.iter().map(|&l| l.to_owned()).collect();
        let mut drawn = Vec::new();
        draw(values, Some(&labels), top, &mut drawn).unwrap();
        let lines: Vec<String> = String::from_utf8(drawn).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn probabilities() {
        check(
            &[0.25, 0.7421875, 0.0078125],
            &["cat", "a dog", "bird"],
            2,
            &["  a dog  0.7422  ███████████████████████▊", "  cat    0.2500  ████████"],
        );
    }

    #[test]
    fn scores_fill_the_bar_at_the_best() {
        check(
            &[8.0, 16.0],
            &["a", "b"],
            5,
            &["  b  16.0000  ████████████████████████████████", "  a   8.0000  ████████████████"],
        );
    }

    #[test]
    fn classes_without_a_label_are_their_number() {
        check(&[0.0, 0.0], &["a"], 5, &["  a  0.0000", "  1  0.0000"]);
    }

    #[test]
    fn what_is_no_number_comes_last() {
        assert_eq!(rank(&[0.1, f32::NAN, 0.3, 0.3], 9).iter().map(|(i, _)| *i).collect::<Vec<_>>(), [2, 3, 0, 1]);
        check(&[f32::NAN, f32::INFINITY], &["a", "b"], 2, &["  b  inf  ████████████████████████████████", "  a  NaN"]);
    }

    #[test]
    fn the_best_of_many_are_the_first_of_all_in_order() {
        let values: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 101) as f32).collect();
        let mut all: Vec<(usize, f32)> = values.iter().copied().enumerate().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        for top in [1, 2, 17, 999, usize::MAX] {
            assert_eq!(rank(&values, top), all[..top.min(1000)]);
        }
    }

    #[test]
    fn labels_cannot_act() {
        check(&[1.0], &["cat\u{202e}"], 1, &["  cat\\u{202e}  1.0000  ████████████████████████████████"]);
        check(&[1.0], &["a\n\u{1b}b"], 1, &["  a\\n\\u{1b}b  1.0000  ████████████████████████████████"]);
    }
}
