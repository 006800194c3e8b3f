//! Minimum and median of repeated runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Least number of pairs, regardless of the time they take.
const FEWEST: usize = 5;
/// Greatest number of pairs.
const MOST: usize = 2000;

/// How long the runs of one side took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The shortest time.
    pub min: Duration,
    /// The median time.
    pub median: Duration,
    /// The number of runs.
    pub runs: usize,
}

impl Timing {
    /// The minimum and median of these runs; zero without runs.
    pub fn of(mut runs: Vec<Duration>) -> Timing {
        runs.sort_unstable();
        let at = |i: usize| runs.get(i).copied().unwrap_or_default();
        Timing { min: at(0), median: at(runs.len() / 2), runs: runs.len() }
    }
}

/// Runs both in turns for about this long, alternating which runs first; the first turn is a warm-up and is not
/// counted. If the time is zero, both run once.
pub(crate) fn in_turns(
    time: Duration,
    mut a: impl FnMut() -> Duration,
    mut b: impl FnMut() -> Duration,
) -> (Timing, Timing) {
    if time.is_zero() {
        return (Timing::of(vec![a()]), Timing::of(vec![b()]));
    }
    a();
    b();
    let started = Instant::now();
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    while of_a.len() < FEWEST || (started.elapsed() < time && of_a.len() < MOST) {
        if of_a.len() % 2 == 0 {
            of_a.push(a());
            of_b.push(b());
        } else {
            of_b.push(b());
            of_a.push(a());
        }
    }
    (Timing::of(of_a), Timing::of(of_b))
}

/// The time of the work, without that of dropping its result.
pub(crate) fn time<T>(work: &mut impl FnMut() -> T) -> Duration {
    let started = Instant::now();
    let result = black_box(work());
    let taken = started.elapsed();
    drop(result);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_and_median_are_those_of_the_runs() {
        let runs = [5, 1, 9, 3, 7].map(Duration::from_millis);
        let timing = Timing::of(runs.to_vec());
        assert_eq!((timing.min, timing.median, timing.runs), (runs[1], runs[0], 5));
        assert_eq!(Timing::of(Vec::new()).runs, 0);
    }

    #[test]
    fn both_sides_run_equally_often_and_the_warm_up_does_not_count() {
        let (mut a, mut b) = (0u64, 0u64);
        let next = |n: &mut u64| {
            *n += 1;
            Duration::from_secs(if *n == 1 { 1000 } else { *n })
        };
        let (of_a, of_b) = in_turns(Duration::from_nanos(1), || next(&mut a), || next(&mut b));
        assert_eq!((of_a.runs, of_b.runs), (FEWEST, FEWEST));
        assert_eq!((of_a.min, of_a.median), (Duration::from_secs(2), Duration::from_secs(4)));
        assert_eq!((a, b), (FEWEST as u64 + 1, FEWEST as u64 + 1));
    }
}
