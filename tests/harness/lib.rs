//! Test harness.

pub mod fault_server;
pub mod io_load;
pub mod io_sink;
