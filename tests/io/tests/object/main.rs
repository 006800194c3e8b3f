//! Object stores: S3 against a real server in this process, the reading halves of the others against their wire
//! formats, and stores of the caller's own.

mod clouds;
mod credentials;
mod faults;
mod s3;
mod s3_server;
mod save;
mod stores;
