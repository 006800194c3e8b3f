//! The time limit of a command, `--timeout`: one instant for all its loads, predictions, and files that may be pipes.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use tfjs::parts::manifest::Setting;
use tfjs::{Error, IoOptions, Result};

/// When a command must have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    end: Option<Instant>,
}

impl Clock {
    /// A limit from now on; `None` for a command that may take any time.
    pub(crate) fn start(limit: Option<Duration>) -> Clock {
        Clock { end: limit.and_then(|limit| Instant::now().checked_add(limit)) }
    }

    /// The end, for predictions.
    pub(crate) fn end(self) -> Option<Instant> {
        self.end
    }

    fn left(self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Limits the next load to the time that is left.
    pub(crate) fn limit(self, mut options: IoOptions) -> IoOptions {
        options.timeouts.total = self.left();
        options
    }

    /// A stream that can be written to until the end.
    pub(crate) fn stream<W: Write>(self, stream: W) -> InTime<W> {
        InTime { stream, clock: self }
    }

    /// Runs work that may block without end, such as reading from a pipe.
    ///
    /// # Errors
    /// [`Kind::Fetch`](tfjs::Kind::Fetch) if it does not end in time. Its thread is then left to the end of the process.
    pub(crate) fn wait<T: Send + 'static>(self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let Some(left) = self.left() else { return work() };
        let (sender, receiver) = mpsc::channel();
        let spawned = thread::Builder::new().spawn(move || {
            // Nobody receives it after the end.
            let _ = sender.send(work());
        });
        spawned.map_err(|e| Error::fetch("cannot start a thread to wait for the file").with_source(e))?;
        match receiver.recv_timeout(left) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::fetch(format!("timed out: the file took longer than {}", Setting::TotalTime)))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Error::bug("the thread of a file panicked")),
        }
    }
}

/// A stream that refuses to be written to after the end.
#[derive(Debug)]
pub(crate) struct InTime<W> {
    stream: W,
    clock: Clock,
}

impl<W: Write> Write for InTime<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.clock.left() {
            Some(Duration::ZERO) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the outputs took longer than `--timeout`"))
            }
            _ => self.stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::Kind;

    #[test]
    fn a_stream_is_not_written_to_after_the_end() {
        let mut text = Vec::new();
        Clock::default().stream(&mut text).write_all(b"a").unwrap();
        let late = Clock::start(Some(Duration::ZERO)).stream(&mut text).write_all(b"b").unwrap_err();
        assert_eq!((late.kind(), &text[..]), (io::ErrorKind::TimedOut, &b"a"[..]));
    }

    #[test]
    fn what_ends_in_time_is_returned_and_what_does_not_is_left_behind() {
        for clock in [Clock::default(), Clock::start(Some(Duration::from_secs(60)))] {
            assert_eq!(clock.wait(|| Ok(7)).unwrap(), 7);
            assert_eq!(clock.wait::<()>(|| Err(Error::misuse("no"))).unwrap_err().kind(), Kind::Misuse);
        }
        let (sender, receiver) = mpsc::channel::<()>();
        let clock = Clock::start(Some(Duration::from_millis(20)));
        let error = clock.wait(move || Ok(receiver.recv().is_ok())).unwrap_err();
        assert_eq!(error.kind(), Kind::Fetch);
        assert_eq!(crate::flags::in_words(error.message()), "timed out: the file took longer than `--timeout`");
        drop(sender);
        assert_eq!(clock.limit(IoOptions::default()).timeouts.total, Some(Duration::ZERO));
    }
}
