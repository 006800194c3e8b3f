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

/// A scheme of object stores. By default it finds credentials and settings where the cloud's own tools do; each can be
/// set here instead.
///
/// * S3: the environment (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …), a profile of
///   `~/.aws/credentials` and `~/.aws/config`, a web identity, the credentials of the container or the machine.
/// * Google: `GOOGLE_SERVICE_ACCOUNT`, `GOOGLE_APPLICATION_CREDENTIALS`, the login of `gcloud`, the credentials of the
///   machine; or an emulator at `STORAGE_EMULATOR_HOST`.
/// * Azure: `AZURE_STORAGE_ACCOUNT` with `_KEY`, `_SAS_TOKEN` or `AZURE_STORAGE_CONNECTION_STRING`, a service
///   principal, the identity of a workload or of the machine.
///
/// Requests are anonymous only if [`with_anonymous`](Self::with_anonymous) is set.
///
/// A URL is `s3://bucket/folder/model.json`; without `.json` at its end it names the folder of a `model.json`. Keys
/// are not percent-decoded, and there is no query. A URL that ends in `.zip`, `.tar` or `.tar.gz` is an archive of a
/// model's folder. Azure's URLs are `az://container/…`, with the account from the environment, or
/// `abfss://container@account.dfs.core.windows.net/…`.
///
/// TLS, proxies, time-outs and retries are those of [`IoOptions`](crate::IoOptions); its headers are not sent to
/// stores. Its [`public_only`](crate::IoOptions::public_only) does not apply: endpoints and the services that give
/// credentials are configuration, and may have private addresses.
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

    /// Amazon's S3 and compatible stores.
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

    /// Sets a setting by its name in `object_store`, such as `aws_access_key_id`; see the config keys of its builders.
    /// Overrides the environment.
    #[must_use]
    pub fn with_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }

    /// Sets an endpoint, `https://host:port`, instead of the cloud's own.
    #[must_use]
    pub fn with_endpoint(self, url: impl Into<String>) -> Self {
        let key = self.cloud.endpoint_key();
        self.with_config(key, url)
    }

    /// Sets whether the endpoint may be `http://`. Default: for loopback addresses only.
    #[must_use]
    pub fn with_allow_http(self, allow: bool) -> Self {
        self.with_config("allow_http", allow.to_string())
    }

    /// Sets whether requests are sent without credentials, for public buckets. Default: no.
    #[must_use]
    pub fn with_anonymous(self, anonymous: bool) -> Self {
        self.with_config("skip_signature", anonymous.to_string())
    }

    /// S3: sets the bucket's region. Default: `us-east-1`.
    #[must_use]
    pub fn with_region(self, region: impl Into<String>) -> Self {
        self.with_config("region", region)
    }

    /// S3: sets whether the bucket is in the path of a URL (path style) or in its host (virtual-hosted style). Default:
    /// path style.
    #[must_use]
    pub fn with_path_style(self, path_style: bool) -> Self {
        self.with_config("virtual_hosted_style_request", (!path_style).to_string())
    }

    /// S3: sets the profile of `~/.aws/credentials` and `~/.aws/config`. It overrides credentials in the environment.
    #[must_use]
    pub fn with_profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Sets environment variables to use instead of the process's, for programs with several accounts.
    #[must_use]
    pub fn with_environment<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment = Environment::of(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The objects whose keys begin with the key of the URL.
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

/// The configuration of requests to stores.
#[derive(Clone, Debug)]
pub(crate) struct CloudConfig {
    pub(crate) http: Http,
    pub(crate) retry: Retry,
    /// Limits for the paths of files.
    pub(crate) limits: Limits,
}

/// Does not show the values of settings and environment variables, which may be secrets.
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

/// The URL of an object, or of all objects whose keys have a common prefix.
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
            return misuse("an object's URL cannot have a query; use `ObjectScheme` or the environment for settings");
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return misuse("expected the name of a bucket after `://`");
        }
        // Checked before the bucket is shown in a message: this may be a password.
        if bucket.contains(':') {
            return misuse("expected only the name of a bucket, without user, password or port");
        }
        Ok(BucketUrl { root: format!("{scheme}://{bucket}/"), bucket: bucket.to_owned(), key: key.to_owned() })
    }
}
