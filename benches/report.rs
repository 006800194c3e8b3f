//! The rows of a bench, printed as a table or as JSON.

use crate::options::Options;
use crate::timing::{Timing, in_turns, time};
use serde_json::{Value, json};
use std::time::Duration;

/// A running bench.
#[derive(Debug)]
pub struct Report {
    /// The command-line options.
    pub options: Options,
    bench: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    bytes: Option<u64>,
    baseline: (&'static str, Timing),
    subject: (&'static str, Timing),
}

/// One side of a pair: its name and its code.
#[derive(Debug)]
pub struct Side<F>(pub &'static str, pub F);

impl Report {
    /// Reads the command line; if it is invalid, prints the error and exits.
    pub fn new(bench: &'static str) -> Report {
        match Options::parse(std::env::args().skip(1)) {
            Ok(options) => Report { options, bench, rows: Vec::new() },
            Err(why) => {
                eprintln!("{bench}: {why}");
                std::process::exit(2)
            }
        }
    }

    /// Measures a pair, unless it is filtered out. `bytes` is the number of bytes that both sides handle, for a rate.
    pub fn pair<A, B>(
        &mut self,
        name: impl Into<String>,
        bytes: Option<u64>,
        Side(baseline, mut a): Side<impl FnMut() -> A>,
        Side(subject, mut b): Side<impl FnMut() -> B>,
    ) {
        let name = name.into();
        if !name.contains(&self.options.filter) {
            return;
        }
        let budget = if self.options.smoke { Duration::ZERO } else { self.options.time };
        let (of_a, of_b) = in_turns(budget, || time(&mut a), || time(&mut b));
        let row = Row { name, bytes, baseline: (baseline, of_a), subject: (subject, of_b) };
        if !self.options.json {
            println!("{}", row.line());
        }
        self.rows.push(row);
    }

    /// Prints the JSON, if chosen; the rows of the table are printed as they are measured.
    pub fn finish(self) {
        if self.options.json {
            let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
            println!("{:#}", json!({"bench": self.bench, "rows": rows}));
        }
    }
}

impl Row {
    fn line(&self) -> String {
        let rate = |t: &Timing| match self.bytes {
            Some(bytes) if !t.min.is_zero() => format!(" {:>6.2} GB/s", bytes as f64 / t.min.as_secs_f64() / 1e9),
            _ => String::new(),
        };
        let side = |(label, t): &(&str, Timing)| {
            format!("{label} {:>9.3} ms (median {:>9.3}){}", ms(t.min), ms(t.median), rate(t))
        };
        let (min, median) = self.ratios();
        let runs = self.subject.1.runs;
        format!(
            "{:<44} {}  {}  ratio {min:.2} (median {median:.2}), {runs} runs",
            self.name,
            side(&self.baseline),
            side(&self.subject)
        )
    }

    /// The subject's time divided by the baseline's: of the minima and of the medians.
    fn ratios(&self) -> (f64, f64) {
        let ratio = |a: Duration, b: Duration| b.as_secs_f64() / a.as_secs_f64().max(1e-9);
        let (a, b) = (self.baseline.1, self.subject.1);
        (ratio(a.min, b.min), ratio(a.median, b.median))
    }

    fn json(&self) -> Value {
        let side = |(label, t): &(&str, Timing)| json!({"name": label, "min_ms": ms(t.min), "median_ms": ms(t.median), "runs": t.runs});
        let (min, median) = self.ratios();
        json!({
            "name": self.name, "bytes": self.bytes, "baseline": side(&self.baseline), "subject": side(&self.subject),
            "ratio_min": min, "ratio_median": median,
        })
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_subject_by_baseline() {
        let timing =
            |min, median| Timing { min: Duration::from_millis(min), median: Duration::from_millis(median), runs: 5 };
        let row = Row { name: "n".into(), bytes: None, baseline: ("a", timing(10, 20)), subject: ("b", timing(5, 30)) };
        assert_eq!(row.ratios(), (0.5, 1.5));
        let json = row.json();
        assert_eq!((json["baseline"]["min_ms"].as_f64(), json["ratio_median"].as_f64()), (Some(10.0), Some(1.5)));
        assert!(row.line().contains("ratio 0.50 (median 1.50), 5 runs"), "{}", row.line());
    }
}
