//! A server of models whose files can be changed while it runs, with validators and a log of responses.

use crate::fault_server::{FaultServer, Reply, Request};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The files of a server, by path. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Site {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// The validator of each path, as a header line.
    validators: BTreeMap<String, String>,
    /// Paths whose body stops after half.
    stalling: Vec<String>,
    log: Vec<String>,
}

impl Site {
    /// A server without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file with an entity tag computed from its bytes.
    #[must_use]
    pub fn with(self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let sum = bytes.iter().fold(17u64, |sum, &b| sum.wrapping_mul(31).wrapping_add(u64::from(b)));
        self.put(path, bytes, &format!("ETag: \"{sum:x}\""));
        self
    }

    /// Adds or replaces a file, with this validator as a header line.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>, validator: &str) {
        let mut state = self.lock();
        state.files.insert(path.to_owned(), bytes.into());
        state.validators.insert(path.to_owned(), validator.to_owned());
    }

    /// Whether the body of a file stops after half.
    pub fn stall(&self, path: &str, stalls: bool) {
        let mut state = self.lock();
        state.stalling.retain(|p| p != path);
        state.stalling.extend(stalls.then(|| path.to_owned()));
    }

    /// The responses since the last call, sorted: `200 /m/w.bin`.
    pub fn log(&self) -> Vec<String> {
        let mut log = std::mem::take(&mut self.lock().log);
        log.sort();
        log
    }

    /// Starts the server.
    pub async fn serve(&self) -> FaultServer {
        let site = self.clone();
        FaultServer::start(move |request| site.reply(request)).await
    }

    fn reply(&self, request: &Request) -> Reply {
        let mut state = self.lock();
        let path = request.target.split('?').next().unwrap_or_default().to_owned();
        let Some(bytes) = state.files.get(&path).cloned() else {
            state.log.push(format!("404 {path}"));
            return Reply::status("404 Not Found", &[], "");
        };
        let validator = state.validators.get(&path).cloned().unwrap_or_default();
        let (name, value) = validator.split_once(": ").unwrap_or_default();
        let asked = match name {
            "ETag" => request.header("if-none-match"),
            "Last-Modified" => request.header("if-modified-since"),
            _ => None,
        };
        let headers: Vec<&str> = [validator.as_str()].into_iter().filter(|v| !v.is_empty()).collect();
        if asked == Some(value) {
            state.log.push(format!("304 {path}"));
            return Reply::head("304 Not Modified", &headers);
        }
        state.log.push(format!("200 {path}"));
        if state.stalling.contains(&path) {
            let length = format!("Content-Length: {}", bytes.len());
            let headers: Vec<&str> = headers.into_iter().chain([length.as_str()]).collect();
            let half = Reply::head("200 OK", &headers).then(&bytes[..bytes.len() / 2]);
            return half.pause(Duration::from_secs(600)).close();
        }
        Reply::status("200 OK", &headers, bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics under this lock")
    }
}
