//! The commands, a file each.

pub(crate) mod bench;
pub(crate) mod dump;
pub(crate) mod inspect;
pub(crate) mod predict;
mod verify;
