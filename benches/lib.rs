//! Paired measurements: two ways of doing the same work, run in turns, so that other load slows both equally.
//!
//! Measures wall time only; each bench chooses what it compares.

mod options;
mod report;
#[cfg(unix)]
mod server;
mod timing;

pub mod models;
#[cfg(unix)]
pub mod processes;

pub use options::Options;
pub use report::{Report, Side};
pub use timing::Timing;
