//! Tests of loading, predicting and saving with the library and the command; one program, because linking is slow.

mod api;
mod cli;
#[path = "hostile/main.rs"]
mod hostile;
mod inputs;
mod lazy;
mod oracles;
mod save_api;
mod silent;
mod text;
mod threads;
mod training;
