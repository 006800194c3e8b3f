//! Tests of the transport with servers, folders and archives in this process; one program, because linking is slow.

mod archives;
mod archives_hostile;
mod cache;
mod cache_damage;
mod cache_own;
mod cache_share;
mod composed;
mod data_urls;
mod faults;
mod files;
mod http;
mod lazy;
mod network;
#[path = "object/main.rs"]
mod object;
mod pins;
mod ranges;
mod retries;
mod saving;
mod store;
mod store_killed;
mod store_model;
mod store_own;
mod tls;
