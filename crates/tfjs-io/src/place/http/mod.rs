//! `http://` and `https://`: one stack, hyper and rustls, with every status, length and redirect checked.
//!
//! The reference is TensorFlow.js's `io/http.ts`, which checks neither the status nor the length of a
//! weight file.

mod answer;
mod client;
mod connect;
mod decode;
mod failure;
mod files;
mod form;
mod policy;
mod proxy;
mod redirect;
mod request;
mod sending;
mod tls;

#[cfg(feature = "cloud")]
pub(crate) use failure::{Failure, Stage};
pub(crate) use files::{HttpFile, HttpFiles};
pub(crate) use form::{MODEL_JSON, WEIGHTS, send_model};

use crate::base::deadline::Deadline;
use crate::base::network::{Proxy, Roots, Signer, Timeouts, offline};
use client::HttpClient;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tfjs_manifest::{Limits, Result};

/// The configuration of HTTP requests.
#[derive(Clone, Default)]
pub(crate) struct HttpConfig {
    /// Limits for the paths of files.
    pub(crate) limits: Limits,
    /// Headers of every request.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeouts: Timeouts,
    pub(crate) deadline: Deadline,
    pub(crate) roots: Roots,
    pub(crate) root_certificates: Vec<Vec<u8>>,
    pub(crate) proxy: Proxy,
    pub(crate) signer: Option<Signer>,
    /// Whether only public addresses may be reached.
    pub(crate) public_only: bool,
    /// Whether every request is an error.
    pub(crate) offline: bool,
}

/// The connections of one load, made when the first request is sent. Clones share them.
///
/// They belong to one load: a pool that outlived the runtime it was made on would contain dead connections.
#[derive(Clone)]
pub(crate) struct Http(Arc<(HttpConfig, OnceLock<HttpClient>)>);

impl Http {
    pub(crate) fn new(config: HttpConfig) -> Self {
        Http(Arc::new((config, OnceLock::new())))
    }

    fn config(&self) -> &HttpConfig {
        &self.0.0
    }

    /// The client.
    ///
    /// # Errors
    /// If the configuration is invalid, there is no tokio runtime, or the load is offline.
    pub(crate) fn client(&self) -> Result<&HttpClient> {
        let (config, client) = &*self.0;
        if config.offline {
            return Err(offline());
        }
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let new = HttpClient::new(config)?;
        Ok(client.get_or_init(|| new))
    }
}

/// Does not show headers and certificates.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeouts", &self.config().timeouts).finish_non_exhaustive()
    }
}
