//! Decides which addresses may be reached. Resolves names, but makes no connections.
//!
//! A server that answers `302 http://169.254.169.254/` must not make this process read the cloud's secrets. The
//! caller's own URL may have any address, unless the options allow public ones only. A redirect may reach private
//! addresses only from a private address, and link-local ones never.

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::Service;

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Any address, for the caller's own URL.
    Any,
    /// Any address that is not link-local, for a redirect from a private address.
    NoLinkLocal,
    /// Public addresses, for every other redirect, and for everything if the options require it.
    Public,
}

impl Reach {
    pub(super) fn allows(self, ip: IpAddr) -> bool {
        match self {
            Reach::Any => true,
            Reach::NoLinkLocal => !is_link_local(ip),
            Reach::Public => !is_link_local(ip) && !is_private(ip),
        }
    }

    /// Whether a URL's host may be connected to, without resolving it. Needed because hyper does not call the resolver
    /// for literal addresses, and because a proxy resolves names itself.
    pub(super) fn allows_host(self, host: &str) -> bool {
        let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        match literal.parse() {
            Ok(ip) => self.allows(ip),
            Err(_) => self == Reach::Any || !(is_number(host) || self == Reach::Public && is_localhost(host)),
        }
    }
}

/// Whether a host that is not a standard address is one that C's `inet_aton` accepts, such as `127.1` or `0x7f000001`.
/// A host name never ends in a number.
fn is_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last.bytes().all(|b| b.is_ascii_digit()),
    }
}

fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Addresses of metadata services that are not link-local: Alibaba, Oracle, Azure; EC2, Google.
const METADATA_V4: [[u8; 4]; 3] = [[100, 100, 100, 200], [192, 0, 0, 192], [168, 63, 129, 16]];
const METADATA_V6: [[u16; 8]; 2] = [[0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]];

/// Whether an address is link-local, as most metadata services of clouds are, or one of the others.
fn is_link_local(ip: IpAddr) -> bool {
    match unmapped(ip) {
        IpAddr::V4(ip) => ip.is_link_local() || METADATA_V4.contains(&ip.octets()),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80 || METADATA_V6.contains(&ip.segments()),
    }
}

/// Whether an address is not on the public internet.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match unmapped(ip) {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || a == 0
                // Carrier-grade NAT.
                || (a == 100 && b & 0xc0 == 64)
                // Protocol assignments and benchmarks.
                || ip.octets()[..3] == [192, 0, 0]
                || (a == 198 && b & 0xfe == 18)
                || a >= 240
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                // Unique local, link-local, site-local.
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first & 0xffc0 == 0xfec0
                // Local-use NAT64, which can lead to any address of that network.
                || ip.segments()[..3] == [0x64, 0xff9b, 1]
        }
    }
}

/// The IPv4 address that an IPv6 address embeds; otherwise the address itself.
fn unmapped(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let s = v6.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // IPv4-compatible addresses, which are deprecated.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        // IPv4-translated, NAT64 and 6to4 addresses lead to the embedded address.
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => ip,
    }
}

/// Resolves names to the addresses that may be connected to.
#[derive(Clone)]
pub(super) struct Resolver {
    inner: GaiResolver,
    reach: Reach,
}

impl Resolver {
    pub(super) fn new(reach: Reach) -> Self {
        Resolver { inner: GaiResolver::new(), reach }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.inner.call(name);
        let reach = self.reach;
        Box::pin(async move { within(reach, found.await?.collect()).map(Vec::into_iter) })
    }
}

/// The addresses of a name that may be connected to; an error if it has only others.
fn within(reach: Reach, all: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let allowed: Vec<SocketAddr> = all.iter().copied().filter(|a| reach.allows(a.ip())).collect();
    if allowed.is_empty() && !all.is_empty() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, Refused));
    }
    Ok(allowed)
}

/// The error of an address that may not be connected to.
#[derive(Debug)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "connections to private or link-local addresses are not allowed after a redirect from the internet, or \
            with `public_only`",
        )
    }
}

impl StdError for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, no_link_local: bool, public: bool) {
        assert_eq!(Reach::NoLinkLocal.allows_host(host), no_link_local, "{host}");
        assert_eq!(Reach::Public.allows_host(host), public, "{host}");
        assert!(Reach::Any.allows_host(host));
    }

    #[test]
    fn metadata_services_are_never_reached_by_redirect() {
        for host in
            ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"]
        {
            check(host, false, false);
        }
        for host in ["100.100.100.200", "192.0.0.192", "168.63.129.16", "[fd20:ce::254]", "[::ffff:0:169.254.169.254]"]
        {
            check(host, false, false);
        }
    }

    #[test]
    fn a_name_is_reached_at_those_of_its_addresses_that_may_be() {
        let all: Vec<SocketAddr> = ["8.8.8.8:80", "10.0.0.1:80", "169.254.169.254:80", "[::1]:80"]
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        assert_eq!(within(Reach::Any, all.clone()).unwrap(), all);
        assert_eq!(within(Reach::NoLinkLocal, all.clone()).unwrap(), [all[0], all[1], all[3]]);
        assert_eq!(within(Reach::Public, all.clone()).unwrap(), [all[0]]);
        assert!(within(Reach::Public, Vec::new()).unwrap().is_empty());
        let error = within(Reach::Public, all[1..].to_vec()).unwrap_err();
        assert!(error.get_ref().unwrap().is::<Refused>());
    }

    /// The resolver resolves `localhost` like any other name.
    #[test]
    fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let resolve = |reach| {
            let name: Name = "localhost".parse().unwrap();
            runtime.block_on(async { Resolver::new(reach).call(name).await })
        };
        assert!(resolve(Reach::Any).unwrap().all(|address| address.ip().is_loopback()));
        let error = resolve(Reach::Public).unwrap_err();
        assert!(error.get_ref().unwrap().is::<Refused>(), "{error}");
    }

    #[test]
    fn private_addresses_are_reached_from_private_ones_only() {
        for host in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "[::1]",
            "[fd12::1]",
            "[2002:7f00:1::]",
            "[::127.0.0.1]",
            "[64:ff9b:1::1]",
            "[::ffff:0:127.0.0.1]",
            "localhost",
            "a.LocalHost.",
        ] {
            check(host, true, false);
        }
    }

    #[test]
    fn numbers_that_c_reads_as_addresses_are_no_names() {
        for host in ["2130706433", "127.1", "0x7f000001", "0x7f.1", "169.254.43518", "010.0.0.1.", "0xA9FE.0xa9fe"] {
            check(host, false, false);
        }
    }

    #[test]
    fn public_addresses_and_names_pass() {
        for host in ["8.8.8.8", "[2001:4860:4860::8888]", "example.com", "1.example.com.", "172.32.0.1", "100.128.0.1"]
        {
            check(host, true, true);
        }
    }
}
