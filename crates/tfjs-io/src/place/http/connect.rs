//! Builds connection pools. Sends no requests.

use super::client::RequestBody;
use super::policy::{Reach, Resolver};
use super::proxy::{Connector, Proxies};
use crate::base::network::Timeouts;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

pub(super) type Pool = Client<HttpsConnector<Connector>, RequestBody>;

/// A pool of connections to servers that `reach` allows, directly or through these proxies.
pub(super) fn pool(reach: Reach, timeouts: &Timeouts, proxies: &Proxies, tls: ClientConfig) -> Pool {
    let direct = tcp(HttpConnector::new_with_resolver(Resolver::new(reach)), timeouts);
    let connector = Connector::new(direct, tcp(HttpConnector::new(), timeouts), proxies.clone());
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        // Measured: the default windows of HTTP/2 cost a quarter of the throughput.
        .http2_initial_stream_window_size(4 << 20)
        .http2_initial_connection_window_size(64 << 20)
        .http2_max_frame_size(1 << 20)
        .build(https.wrap_connector(connector))
}

fn tcp<R>(mut tcp: HttpConnector<R>, timeouts: &Timeouts) -> HttpConnector<R> {
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeouts.connect));
    tcp
}
