//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod dump;
pub(crate) mod inspect;
pub(crate) mod predict;
pub(crate) mod store;
mod verify;
