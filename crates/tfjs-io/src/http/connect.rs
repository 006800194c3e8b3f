//! Connections: TCP, TLS, and the pools they are kept in. Knows no requests.

use super::client::RequestBody;
use super::policy::{Reach, Resolver};
use crate::options::Timeouts;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::crypto::ring;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

pub(super) type Pool = Client<HttpsConnector<HttpConnector<Resolver>>, RequestBody>;

pub(super) fn pool(reach: Reach, timeouts: &Timeouts, tls: ClientConfig) -> Pool {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::new(reach));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeouts.connect));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        // Measured: the default windows of HTTP/2 cost a quarter of the throughput.
        .http2_initial_stream_window_size(4 << 20)
        .http2_initial_connection_window_size(64 << 20)
        .http2_max_frame_size(1 << 20)
        .build(connector)
}

pub(super) fn tls_config() -> Result<ClientConfig> {
    // Named, not the process's default: a graph with two providers has none.
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug("the TLS provider lacks the default versions").with_source(e))?;
    Ok(config.with_webpki_roots().with_no_client_auth())
}
