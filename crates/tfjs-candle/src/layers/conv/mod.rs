//! Convolutions.

// The plain convolution is what the family is named after.
#[allow(clippy::module_inception)]
pub mod conv;
pub mod depthwise;
