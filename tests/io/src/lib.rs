//! What the tests of the transport share: servers that misbehave, a sink for bytes, one way to load.

pub mod fault_server;
pub mod form_server;
pub mod load;
pub mod sink;
