//! Files that lie, contradict themselves or ask for the impossible: each is refused with a kind, a place and
//! one line, before it costs anything.
//!
//! Lies of servers and folders (truncated and oversized shards, 404 and HTML answers, links, traversal on
//! disk, bombs, slow bodies) are in `tests/io`; lies of a manifest's fields beside the code
//! of `tfjs-manifest`. Here is what they look like through the facade, and everything about graphs.

mod budgets;
mod command;
mod files;
mod graphs;
mod memory;
mod mutations;
mod shapes;
mod work;
