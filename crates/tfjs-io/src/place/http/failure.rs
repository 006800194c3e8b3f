//! Network failures: their error, and how far the request got. Statuses are checked in [`answer`](super::answer).

use super::policy::Refused;
use std::error::Error as StdError;
use std::io;
use tfjs_manifest::Error;

/// The failure of a request that got no response.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Marked as [transient](Error::is_transient) unless the stage is [`Final`](Stage::Final).
    pub(crate) error: Error,
    #[cfg_attr(not(feature = "cloud"), allow(dead_code, reason = "only clouds have retries of their own"))]
    pub(crate) stage: Stage,
}

/// How far a failed request got, which decides whether it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No connection was established.
    Connect,
    /// The connection was closed before the request was sent.
    Unsent,
    /// The connection was lost after the request was sent, at least in part.
    Interrupted,
    /// The response did not arrive in time.
    TimedOut,
    /// The request would fail each time it is sent.
    Final,
}

impl Failure {
    /// A failure that may not occur again on a retry.
    pub(super) fn transient(error: Error, stage: Stage) -> Self {
        Failure { error: error.transient(), stage }
    }
}

/// A failure that would occur again on a retry.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { error, stage: Stage::Final }
    }
}

/// The failure of a request without a response.
pub(super) fn of_request(error: hyper_util::client::legacy::Error) -> Failure {
    if causes(&error).any(|e| e.is::<Refused>()) {
        return Error::fetch(Refused.to_string()).into();
    }
    // The environment has a proxy that cannot be used.
    if causes(&error).any(|e| e.is::<Error>()) {
        return Error::misuse("cannot connect to the server").with_source(error).into();
    }
    // The error type of a tunnel is not public.
    if causes(&error).any(|e| e.to_string().contains("proxy authorization required")) {
        let message = "the proxy requires a user and a password; add them to its URL";
        return Error::fetch(message).with_source(error).into();
    }
    if causes(&error).any(|e| e.is::<rustls::Error>()) {
        let message = "cannot establish a secure connection: TLS failed; check the server's certificate";
        return Error::fetch(message).with_source(error).into();
    }
    if error.is_connect() {
        return Failure::transient(Error::fetch("cannot connect to the server").with_source(error), Stage::Connect);
    }
    let of_hyper = || causes(&error).filter_map(|e| e.downcast_ref::<hyper::Error>());
    if of_hyper().any(|e| e.is_parse() || e.is_user()) {
        return Error::fetch("the server's response is not valid HTTP").with_source(error).into();
    }
    let stage = match of_hyper().last() {
        Some(e) if e.is_timeout() => Stage::TimedOut,
        Some(e) if e.is_closed() || e.is_canceled() => Stage::Unsent,
        _ => Stage::Interrupted,
    };
    Failure::transient(Error::fetch("the connection was lost before a response").with_source(error), stage)
}

/// The error of a body that ended too early or cannot be decoded.
pub(super) fn of_body(error: Box<dyn StdError + Send + Sync>) -> Error {
    let broken_off = causes(&*error).any(|e| {
        // A decoder reports a lost connection as an unexpected end.
        e.is::<hyper::Error>()
            || e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof)
    });
    match broken_off {
        true => Error::fetch("the connection was lost within a body").with_source(error).transient(),
        false => Error::fetch("the body cannot be decoded").with_source(error),
    }
}

/// An error and its causes. `source` of an `io::Error` skips the wrapped error, which is read with `get_ref`.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| {
        let inner = e.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as _);
        inner.or_else(|| e.source())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_io_error_was_made_of_is_found() {
        let inner = rustls::Error::General("x".into());
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inner));
        assert!(causes(&error).any(|e| e.is::<rustls::Error>()));
    }
}
