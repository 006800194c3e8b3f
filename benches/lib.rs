//! Paired measurements: two ways of doing one thing, run in turns, so that a busy machine slows both.
//!
//! Measures wall time and nothing else; what is compared with what is the benches' own affair.

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
