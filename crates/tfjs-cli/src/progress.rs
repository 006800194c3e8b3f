//! A progress bar on the terminal for loads that take a while.

use crate::failure::print_warning;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tfjs::parts::io::Phase;
use tfjs::{LoadOptions, Progress};

/// Faster loads have no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// A progress bar that is removed on drop.
#[derive(Debug, Default)]
pub(crate) struct Bar {
    bar: Option<Arc<Mutex<Option<ProgressBar>>>>,
}

impl Bar {
    /// Adds a callback to the options that draws the bar, if the error stream is a terminal, and prints a warning while
    /// the load waits for a lock.
    pub(crate) fn watch(options: LoadOptions) -> (LoadOptions, Bar) {
        let bar = Arc::new(Mutex::new(None));
        let (shared, started) = (bar.clone(), Instant::now());
        let draws = std::io::stderr().is_terminal();
        let options = options.with_on_progress(move |progress| {
            if progress.phase == Phase::Waiting {
                let lock = progress.file.as_deref().unwrap_or_default();
                let text = format!("another load holds the lock `{lock}` of the cache; waiting for it");
                // An error of the error stream is ignored; the load continues.
                let _ = print_warning(&text, &mut std::io::stderr());
            }
            if draws && matches!(progress.phase, Phase::Archive | Phase::Weights) && started.elapsed() > PATIENCE {
                let mut bar = shared.lock().unwrap_or_else(PoisonError::into_inner);
                draw(bar.get_or_insert_with(new_bar), progress);
            }
        });
        (options, Bar { bar: Some(bar) })
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar
            && let Some(bar) = bar.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is constant and valid; the default style would also work.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}") {
        bar.set_style(style);
    }
    bar
}

fn draw(bar: &ProgressBar, progress: &Progress) {
    if let Some(total) = progress.bytes_total {
        bar.set_length(total);
    }
    bar.set_position(progress.bytes_done);
}
