//! `s3://`, `gs://`, `az://`: a scheme with its options as a value, and the handler of a model in a bucket.

use super::Cloud;
use super::connector::Connector;
use super::environment::Environment;
use super::settings::retry_config;
use crate::cx::IoCx;
use crate::fetch::read_json;
use crate::files::{BoxFuture, Files, OpenOptions, Purpose};
use crate::handler::{FilesHandler, IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::object::ObjectFiles;
use crate::registry::Scheme;
use crate::url::{MODEL_JSON, ModelUrl};
use crate::weights_at::weights_elsewhere;
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

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
/// Nobody is anonymous without saying so.
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

    /// The objects of the folder at this URL, with the connections of this context.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a URL or settings that cannot be.
    pub fn folder(&self, url: &str, cx: &IoCx) -> Result<ObjectFiles> {
        let url = ModelUrl::parse(url)?;
        let place = Place::of(&url)?;
        let slash = if place.key.is_empty() || place.key.ends_with('/') { "" } else { "/" };
        self.beginning(&place.root, &place.bucket, format!("{}{slash}", place.key), cx).map_err(|e| e.in_file(url))
    }

    fn beginning(&self, root: &str, bucket: &str, prefix: String, cx: &IoCx) -> Result<ObjectFiles> {
        if self.profile.is_some() && !self.cloud.has_profiles() {
            return Err(Error::misuse("only S3 has profiles"));
        }
        let retry = retry_config(&cx.options().retry);
        let store = self.cloud.store(self, bucket, Connector::new(cx), retry)?;
        let files = ObjectFiles::beginning(store.objects, prefix)?.with_root(root).with_signer(store.signer);
        Ok(files.with_hint(self.cloud.hint()).with_limits(cx.options().limits.clone()))
    }
}

impl Scheme for ObjectScheme {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        let Place { root, bucket, key } = Place::of(url)?;
        if let Some(archive) = crate::archive::of_url(url)? {
            return Ok(archive);
        }
        let (folder, last) = key.rsplit_once('/').map_or(("", &*key), |(folder, last)| (folder, last));
        let is_json = last.get(last.len().saturating_sub(5)..).is_some_and(|end| end.eq_ignore_ascii_case(".json"));
        let (folder, name) = if is_json { (folder, last) } else { (key.trim_end_matches('/'), MODEL_JSON) };
        let slash = if folder.is_empty() { "" } else { "/" };
        let prefix = format!("{folder}{slash}");
        let location = format!("{root}{prefix}{name}");
        Ok(Arc::new(ObjectHandler { scheme: self.clone(), root, bucket, prefix, name: name.to_owned(), location }))
    }

    /// The query is that of a model at another place: keys have none.
    fn files(&self, folder: &ModelUrl, _query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let Place { root, bucket, key } = Place::of(folder)?;
        let files = self.beginning(&root, &bucket, key, cx).map_err(|e| e.in_file(folder))?;
        Ok(Arc::new(files))
    }
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

/// A URL of an object, or of where keys begin.
struct Place {
    /// `s3://bucket/`
    root: String,
    bucket: String,
    key: String,
}

impl Place {
    fn of(url: &ModelUrl) -> Result<Place> {
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
        Ok(Place { root: format!("{scheme}://{bucket}/"), bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// The handler of a model in a bucket.
struct ObjectHandler {
    scheme: ObjectScheme,
    root: String,
    bucket: String,
    prefix: String,
    name: String,
    location: String,
}

impl ObjectHandler {
    fn objects(&self, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let files = self.scheme.beginning(&self.root, &self.bucket, self.prefix.clone(), cx);
        Ok(Arc::new(files.map_err(|e| e.in_file(&self.location))?))
    }
}

impl IoHandler for ObjectHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let files = self.objects(cx)?;
            let json = read_json(files.open(&self.name, OpenOptions::new(Purpose::Json)).await?, cx).await?;
            let weights = weights_elsewhere(cx, true, "")?.unwrap_or(files);
            Ok(ModelArtifacts::new(self.location(), json, WeightSource::Files(weights)))
        })
    }

    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move { self.files(cx).await?.save(artifacts, cx).await })
    }

    fn files<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        let files = self.objects(cx).map(|objects| FilesHandler::new(objects, &*self.name));
        Box::pin(std::future::ready(files))
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
