//! `s3://`, `gs://`, `az://`: the settings of a cloud as a value, and the files of its buckets.

use super::Cloud;
use super::connector::Connector;
use super::environment::Environment;
use super::settings::retry_config;
use crate::base::retry::Retry;
use crate::base::url::ModelUrl;
use crate::place::http::Http;
use crate::place::object::ObjectFiles;
use std::fmt;
use tfjs_manifest::{Error, Limits, Result};

/// A scheme of object stores. As it is, it finds credentials where each cloud's users expect them; everything can
/// be said here instead.
///
/// * S3: the environment (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …), a profile of
///   `~/.aws/credentials` and `~/.aws/config`, a web identity, the container's or the machine's own.
/// * Google: `GOOGLE_SERVICE_ACCOUNT`, `GOOGLE_APPLICATION_CREDENTIALS`, what `gcloud` left, the machine's own; or an
///   emulator at `STORAGE_EMULATOR_HOST`.
/// * Azure: `AZURE_STORAGE_ACCOUNT` with `_KEY`, `_SAS_TOKEN` or `AZURE_STORAGE_CONNECTION_STRING`, a service
///   principal, a workload's or the machine's identity.
///
/// Requests are anonymous only if that is set.
///
/// A URL is `s3://bucket/folder/model.json`; without `.json` at its end it names the folder of a `model.json`. Keys
/// are taken as they are, not percent-decoded, and there is no query. One that ends in `.zip`, `.tar` or `.tar.gz` is
/// an archive of a model's folder. Azure's are `az://container/…`, with the
/// account from the environment, or `abfss://container@account.dfs.core.windows.net/…`.
///
/// TLS, proxies, time-outs and retries are those of [`IoOptions`](crate::IoOptions); its headers are not sent to
/// stores. Its [`public_only`](crate::IoOptions::public_only) is about what URLs may name: an endpoint and the services
/// that give credentials are configuration, and may be anywhere.
///
/// ```
/// # #[cfg(feature = "s3")] {
/// use tfjs_io::{ObjectScheme, Registry};
///
/// let minio = ObjectScheme::s3().with_endpoint("http://minio:9000").with_allow_http(true);
/// let registry = Registry::default()
///     .with("s3", minio.with_config("aws_access_key_id", "me").with_config("aws_secret_access_key", "secret"))
///     .with("public", ObjectScheme::s3().with_region("eu-west-1").with_anonymous(true));
/// # }
/// ```
#[derive(Clone)]
pub struct ObjectScheme {
    cloud: Cloud,
    pub(super) config: Vec<(String, String)>,
    pub(super) environment: Environment,
    pub(super) profile: Option<String>,
}

impl ObjectScheme {
    fn new(cloud: Cloud) -> Self {
        ObjectScheme { cloud, config: Vec::new(), environment: Environment::default(), profile: None }
    }

    /// Amazon's S3, and whatever speaks its protocol.
    #[cfg(feature = "s3")]
    pub fn s3() -> Self {
        ObjectScheme::new(Cloud::S3)
    }

    /// Google Cloud Storage.
    #[cfg(feature = "gcs")]
    pub fn gcs() -> Self {
        ObjectScheme::new(Cloud::Gcs)
    }

    /// Azure's blob storage and data lakes.
    #[cfg(feature = "azure")]
    pub fn azure() -> Self {
        ObjectScheme::new(Cloud::Azure)
    }

    /// A setting by its name in `object_store`, such as `aws_access_key_id`; see the config keys of its builders.
    /// Goes before the environment.
    #[must_use]
    pub fn with_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }

    /// Another endpoint than the cloud's: `https://host:port`.
    #[must_use]
    pub fn with_endpoint(self, url: impl Into<String>) -> Self {
        let key = self.cloud.endpoint_key();
        self.with_config(key, url)
    }

    /// Whether the endpoint may be `http://`. Default: only on this machine, `localhost` and its addresses.
    #[must_use]
    pub fn with_allow_http(self, allow: bool) -> Self {
        self.with_config("allow_http", allow.to_string())
    }

    /// Whether requests go without credentials, as public buckets want them. Default: no.
    #[must_use]
    pub fn with_anonymous(self, anonymous: bool) -> Self {
        self.with_config("skip_signature", anonymous.to_string())
    }

    /// S3: the bucket's region. Default: `us-east-1`.
    #[must_use]
    pub fn with_region(self, region: impl Into<String>) -> Self {
        self.with_config("region", region)
    }

    /// S3: whether the bucket stands in the path of a URL, and not in its host. Default: yes.
    #[must_use]
    pub fn with_path_style(self, path_style: bool) -> Self {
        self.with_config("virtual_hosted_style_request", (!path_style).to_string())
    }

    /// S3: the profile of `~/.aws/credentials` and `~/.aws/config` to use, before credentials in the environment.
    #[must_use]
    pub fn with_profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// These variables in place of the process's environment, for programs that work for several accounts.
    #[must_use]
    pub fn with_environment<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment = Environment::of(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The objects whose keys begin with the URL's.
    pub(crate) fn files_at(&self, at: &BucketUrl, config: &CloudConfig) -> Result<ObjectFiles> {
        if self.profile.is_some() && !self.cloud.has_profiles() {
            return Err(Error::misuse("only S3 has profiles"));
        }
        let store = self.cloud.store(self, &at.bucket, Connector::new(&config.http), retry_config(&config.retry))?;
        let files =
            ObjectFiles::beginning(store.objects, at.key.clone())?.with_root(&at.root).with_signer(store.signer);
        Ok(files.with_hint(self.cloud.hint()).with_limits(config.limits.clone()))
    }
}

/// How stores are reached.
#[derive(Clone, Debug)]
pub(crate) struct CloudConfig {
    pub(crate) http: Http,
    pub(crate) retry: Retry,
    /// Limits of the paths of files.
    pub(crate) limits: Limits,
}

/// Values of settings and of the environment may be secrets.
impl fmt::Debug for ObjectScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectScheme { cloud, config, environment, profile } = self;
        f.debug_struct("ObjectScheme")
            .field("cloud", cloud)
            .field("config", &config.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .field("environment", environment)
            .field("profile", profile)
            .finish()
    }
}

/// The URL of an object, or of the objects whose keys begin with the same text.
#[derive(Clone, Debug)]
pub(crate) struct BucketUrl {
    /// `s3://bucket/`
    pub(crate) root: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl BucketUrl {
    pub(crate) fn parse(url: &ModelUrl) -> Result<BucketUrl> {
        let misuse = |what: &str| Err(Error::misuse(what).in_file(url));
        let parts = url.as_url().and_then(|text| text.split_once("://"));
        let Some((scheme, rest)) = parts else {
            return misuse("expected a URL such as `s3://bucket/folder/model.json`");
        };
        if rest.contains('?') {
            return misuse("an object's URL has no query; settings are those of `ObjectScheme` and of the environment");
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return misuse("expected the name of a bucket after `://`");
        }
        // Before the bucket is shown anywhere.
        if bucket.contains(':') {
            return misuse("expected the name of a bucket alone, without user, password or port");
        }
        Ok(BucketUrl { root: format!("{scheme}://{bucket}/"), bucket: bucket.to_owned(), key: key.to_owned() })
    }
}
