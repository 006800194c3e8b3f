//! The running half of every operation, at the same path as its description in `tfjs-topology`.

pub mod binary;
