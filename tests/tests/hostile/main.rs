//! False, contradictory and impossible files: each is refused with a kind, a place and a message of
//! one line, before much memory or time is used.
//!
//! Tests with hostile servers and folders (truncated and oversized shards, 404 and HTML responses, links, paths out of
//! the folder, decompression bombs, slow bodies) are in `tests/io`; tests of the manifest's fields are in
//! `tfjs-manifest`. The tests here use the public API of `tfjs`, and include all tests of graphs.

mod budgets;
mod command;
mod files;
mod graphs;
mod memory;
mod mutations;
mod shapes;
mod time;
mod work;
