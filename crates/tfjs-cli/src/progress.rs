//! A bar while a model loads, on a terminal, once it takes long enough to wonder.

use crate::failure::print_warning;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tfjs::parts::io::Phase;
use tfjs::{LoadOptions, Progress};

/// Loads faster than this need no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// A bar that is gone when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Bar {
    bar: Option<Arc<Mutex<Option<ProgressBar>>>>,
}

impl Bar {
    /// The options with a callback that draws, if the error stream is a terminal, and says there what is waited for.
    pub(crate) fn watch(options: LoadOptions) -> (LoadOptions, Bar) {
        let bar = Arc::new(Mutex::new(None));
        let (shared, started) = (bar.clone(), Instant::now());
        let draws = std::io::stderr().is_terminal();
        let options = options.with_on_progress(move |progress| {
            if progress.phase == Phase::Waiting {
                let lock = progress.file.as_deref().unwrap_or_default();
                let text = format!("another load holds the lock `{lock}` of the cache; waiting for it");
                // If nobody can be told, the load goes on all the same.
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
    // The template is ours and constant; were it wrong, the default style would do.
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
