//! The progress of a load, exact to the byte and monotonic. Independent of the transport.
//!
//! TensorFlow.js reports a fraction per response and per body (`io/progress.ts`,
//! `io/weights_loader.ts`); [`Progress::fraction`] is that number.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most reports per second, not counting the first and last of a phase.
const REPORTS_PER_SECOND: u32 = 20;

/// Called with the progress of a load, at most about twenty times per second, from any thread. It must not block: the
/// transfer waits for it.
pub type ProgressCallback = Arc<dyn Fn(&Progress) + Send + Sync>;

/// A phase of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Fetching the archive that the model is in.
    Archive,
    /// Fetching the model's JSON.
    ModelJson,
    /// Fetching weights.
    Weights,
    /// Waiting for another load that holds the lock [`file`](Progress::file) of a cache.
    Waiting,
}

/// The progress of a load. The numbers belong to the phase and never decrease within it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The current phase.
    pub phase: Phase,
    /// Bytes that have arrived, after decompression.
    pub bytes_done: u64,
    /// Total number of bytes, if known.
    pub bytes_total: Option<u64>,
    /// Files whose length or headers are known.
    pub files_opened: usize,
    /// Files that are complete.
    pub files_done: usize,
    /// Total number of files.
    pub files_total: usize,
    /// The file that made the latest progress.
    pub file: Option<Arc<str>>,
}

impl Progress {
    fn new(phase: Phase) -> Self {
        Progress { phase, bytes_done: 0, bytes_total: None, files_opened: 0, files_done: 0, files_total: 0, file: None }
    }

    /// The argument of TensorFlow.js's `onProgress`, from 0 to 1: one half counts the responses of the weight files,
    /// the other half their bodies. It is 0 before [`Phase::Weights`], and 1 for a model without weight files.
    pub fn fraction(&self) -> f64 {
        match self.phase {
            Phase::Archive | Phase::ModelJson | Phase::Waiting => 0.0,
            Phase::Weights if self.files_total == 0 => 1.0,
            Phase::Weights => (self.files_opened + self.files_done) as f64 / (2 * self.files_total) as f64,
        }
    }
}

/// Counts progress and calls the callback at intervals. Without a callback it does nothing. Clones share the counts.
#[derive(Clone)]
pub(crate) struct Reporter {
    callback: Option<ProgressCallback>,
    state: Arc<Mutex<State>>,
}

struct State {
    progress: Progress,
    last_call: Option<Instant>,
}

impl Reporter {
    pub(crate) fn new(callback: Option<ProgressCallback>) -> Self {
        let state = State { progress: Progress::new(Phase::ModelJson), last_call: None };
        Reporter { callback, state: Arc::new(Mutex::new(state)) }
    }

    /// Begins a phase.
    pub(crate) fn begin(&self, phase: Phase, files_total: usize, bytes_total: Option<u64>) {
        self.update(true, |p| *p = Progress { files_total, bytes_total, ..Progress::new(phase) });
    }

    /// Reports that another load holds this lock.
    #[cfg(feature = "cache")]
    pub(crate) fn waits(&self, lock: &Arc<str>) {
        if let Some(callback) = &self.callback {
            let _state = self.lock();
            callback(&Progress { file: Some(lock.clone()), ..Progress::new(Phase::Waiting) });
        }
    }

    /// A file's length or headers are known.
    pub(crate) fn opened(&self, file: &Arc<str>) {
        self.update(false, |p| {
            p.files_opened += 1;
            p.file = Some(file.clone());
        });
    }

    /// Sets the total number of bytes once it is known.
    pub(crate) fn total(&self, bytes: u64) {
        self.update(false, |p| p.bytes_total = Some(bytes));
    }

    /// Bytes of a file arrived.
    pub(crate) fn bytes(&self, file: &Arc<str>, count: u64) {
        self.update(false, |p| {
            p.bytes_done = p.bytes_done.saturating_add(count);
            if p.file.as_ref().is_none_or(|f| !Arc::ptr_eq(f, file)) {
                p.file = Some(file.clone());
            }
        });
    }

    /// A file is complete.
    pub(crate) fn done(&self, file: &Arc<str>) {
        self.update(false, |p| {
            p.files_done += 1;
            p.file = Some(file.clone());
        });
    }

    /// Ends the phase. The final numbers are always reported.
    pub(crate) fn end(&self) {
        self.update(true, |p| p.bytes_total = Some(p.bytes_done));
    }

    fn update(&self, always: bool, change: impl FnOnce(&mut Progress)) {
        let Some(callback) = &self.callback else {
            return;
        };
        // The callback runs under the lock, so that the reports of several threads stay in order.
        let mut state = self.lock();
        change(&mut state.progress);
        let now = clock();
        let due = match (state.last_call, now) {
            (Some(last), Some(now)) => now.duration_since(last) >= Duration::from_secs(1) / REPORTS_PER_SECOND,
            _ => true,
        };
        if always || due {
            state.last_call = now;
            callback(&state.progress);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The counts are consistent even if a callback panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("callback", &self.callback.is_some()).finish_non_exhaustive()
    }
}

/// The current time; `None` where there is no clock (wasm). Every report is made there.
fn clock() -> Option<Instant> {
    if cfg!(target_family = "wasm") { None } else { Some(Instant::now()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(run: impl FnOnce(&Reporter)) -> Vec<Progress> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let callback: ProgressCallback = Arc::new(move |p: &Progress| sink.lock().unwrap().push(p.clone()));
        run(&Reporter::new(Some(callback)));
        std::mem::take(&mut *seen.lock().unwrap())
    }

    #[test]
    fn the_fraction_is_that_of_tensorflow_js() {
        let mut progress = Progress { files_total: 3, ..Progress::new(Phase::Weights) };
        let mut seen = Vec::new();
        for _ in 0..3 {
            progress.files_opened += 1;
            seen.push(progress.fraction());
        }
        for _ in 0..3 {
            progress.files_done += 1;
            seen.push(progress.fraction());
        }
        // Spec 1.6: three shards give .1667, .3333, .5, .6667, .8333, 1.
        let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|k| k / 6.0);
        assert_eq!(seen, expected);
    }

    #[test]
    fn first_and_last_are_reported_and_the_rest_is_throttled() {
        let file: Arc<str> = "w.bin".into();
        let seen = recorded(|r| {
            r.begin(Phase::Weights, 1, Some(100_000));
            r.opened(&file);
            for _ in 0..100_000 {
                r.bytes(&file, 1);
            }
            r.done(&file);
            r.end();
        });
        assert!(seen.len() < 1000, "{}", seen.len());
        assert_eq!(seen[0].bytes_done, 0);
        let last = seen.last().unwrap();
        assert_eq!((last.bytes_done, last.bytes_total), (100_000, Some(100_000)));
        assert_eq!((last.files_done, last.files_total, last.fraction()), (1, 1, 1.0));
        assert_eq!(last.file.as_deref(), Some("w.bin"));
    }
}
