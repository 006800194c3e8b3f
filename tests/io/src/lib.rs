//! What the tests of the transport share: servers that misbehave, archives that lie, a sink for bytes, one way to load.

pub mod archives;
pub mod fault_server;
pub mod load;
pub mod sink;
