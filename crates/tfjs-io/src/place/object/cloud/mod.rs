//! The clouds, and the functions that differ between them.

#[cfg(feature = "azure")]
mod azure;
mod connector;
mod environment;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "s3")]
mod profile;
#[cfg(feature = "s3")]
mod s3;
mod scheme;
mod settings;

pub use scheme::ObjectScheme;
pub(crate) use scheme::{BucketUrl, CloudConfig};

use connector::Connector;
use object_store::signer::Signer;
use object_store::{ObjectStore, RetryConfig};
use std::sync::Arc;
use tfjs_manifest::Result;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    #[cfg(feature = "s3")]
    S3,
    #[cfg(feature = "gcs")]
    Gcs,
    #[cfg(feature = "azure")]
    Azure,
}

/// A store, and the same store as the signer of its URLs.
struct Store {
    objects: Arc<dyn ObjectStore>,
    signer: Arc<dyn Signer>,
}

impl Cloud {
    /// The store of a bucket.
    fn store(self, scheme: &ObjectScheme, bucket: &str, http: Connector, retry: RetryConfig) -> Result<Store> {
        match self {
            #[cfg(feature = "s3")]
            Cloud::S3 => s3::store(scheme, bucket, http, retry),
            #[cfg(feature = "gcs")]
            Cloud::Gcs => gcs::store(scheme, bucket, http, retry),
            #[cfg(feature = "azure")]
            Cloud::Azure => azure::store(scheme, bucket, http, retry),
        }
    }

    /// The hint if the store denies access.
    fn hint(self) -> &'static str {
        match self {
            #[cfg(feature = "s3")]
            Cloud::S3 => s3::HINT,
            #[cfg(feature = "gcs")]
            Cloud::Gcs => gcs::HINT,
            #[cfg(feature = "azure")]
            Cloud::Azure => azure::HINT,
        }
    }

    /// The builder's key for the endpoint that the caller sets.
    fn endpoint_key(self) -> &'static str {
        match self {
            // This key overrides the endpoint in the environment.
            #[cfg(feature = "s3")]
            Cloud::S3 => "aws_endpoint_url_s3",
            #[cfg(feature = "gcs")]
            Cloud::Gcs => "google_base_url",
            #[cfg(feature = "azure")]
            Cloud::Azure => "azure_storage_endpoint",
        }
    }

    /// Whether credentials may be in a profile of the cloud's command line.
    fn has_profiles(self) -> bool {
        match self {
            #[cfg(feature = "s3")]
            Cloud::S3 => true,
            #[cfg(feature = "gcs")]
            Cloud::Gcs => false,
            #[cfg(feature = "azure")]
            Cloud::Azure => false,
        }
    }
}
