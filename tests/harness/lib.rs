//! What the tests share: servers that misbehave, conformance cases, comparison.

pub mod cases;
pub mod expectations;
pub mod fault_server;
pub mod io_load;
pub mod io_sink;
pub mod oracles;
pub mod small;
pub mod tensors;
