//! Loading, predicting and saving through the facade and the command: one program, since each takes a while to link.

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
