//! Object stores: S3 with a real server in this process, the read requests of the others, and stores of the caller.

mod clouds;
mod credentials;
mod faults;
mod s3;
mod s3_server;
mod save;
mod stores;
