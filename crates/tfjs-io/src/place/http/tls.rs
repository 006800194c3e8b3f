//! Configures the certificates that TLS trusts: bundled roots, the system's, the caller's. Makes no connections.

use super::HttpConfig;
use crate::base::network::Roots;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

pub(super) fn config(config: &HttpConfig) -> Result<ClientConfig> {
    // An explicit provider: there is no default if the program contains two providers.
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug("the TLS provider lacks the default versions").with_source(e))?;
    Ok(client.with_root_certificates(roots(config)?).with_no_client_auth())
}

fn roots(config: &HttpConfig) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match config.roots {
        Roots::Bundled => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::System => system(&mut store)?,
        Roots::None => {}
    }
    for pem in &config.root_certificates {
        let refused = || Error::misuse("expected a root certificate in PEM");
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| refused().with_source(e))?;
            store.add(certificate).map_err(|e| refused().with_source(e))?;
        }
        if store.len() == before {
            return Err(refused());
        }
    }
    Ok(store)
}

#[cfg(feature = "native-roots")]
fn system(store: &mut RootCertStore) -> Result<()> {
    let found = rustls_native_certs::load_native_certs();
    // Invalid certificates are ignored: system stores contain obsolete ones.
    let (added, _) = store.add_parsable_certificates(found.certs);
    match found.errors.into_iter().next() {
        _ if added > 0 => Ok(()),
        None => Err(Error::misuse("the system trusts no certificate; use `Roots::Bundled`")),
        Some(e) => Err(Error::misuse("cannot read the certificates that the system trusts").with_source(e)),
    }
}

#[cfg(not(feature = "native-roots"))]
fn system(_: &mut RootCertStore) -> Result<()> {
    Err(Error::unsupported("`Roots::System` needs the feature `native-roots`, which this build lacks"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn what_is_no_certificate_is_misuse() {
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n", empty] {
            let error =
                config(&HttpConfig { root_certificates: vec![pem.into()], ..HttpConfig::default() }).unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse, "{pem}");
        }
    }

    #[test]
    #[cfg(not(feature = "native-roots"))]
    fn the_system_s_roots_name_the_feature_they_need() {
        let error = config(&HttpConfig { roots: Roots::System, ..HttpConfig::default() }).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("feature `native-roots`"), "{error}");
    }
}
