//! Google Cloud Storage: finds credentials, in the order of `object_store`: a service account, then application default
//! credentials, then those of the machine.

use super::Store;
use super::connector::Connector;
use super::scheme::ObjectScheme;
use super::settings::{self, check_name, check_secret, check_url};
use object_store::RetryConfig;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Key};
use std::sync::Arc;
use tfjs_manifest::Result;

/// The hint if the store denies access.
pub(super) const HINT: &str = "check the credentials (GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth \
                               application-default login`), or for a public bucket use none (`with_anonymous`, \
                               GOOGLE_SKIP_SIGNATURE=true)";

pub(super) fn store(scheme: &ObjectScheme, bucket: &str, http: Connector, retry: RetryConfig) -> Result<Store> {
    check_name("bucket", bucket)?;
    let set = |builder: GoogleCloudStorageBuilder, key: Key, value: String| builder.with_config(key, value);
    let mut builder = GoogleCloudStorageBuilder::new().with_client_options(settings::client_options());
    if let Some(path) = scheme.environment.get("SERVICE_ACCOUNT") {
        builder = builder.with_service_account_path(path);
    }
    if let Some(host) = scheme.environment.get("STORAGE_EMULATOR_HOST") {
        builder = emulator(builder, &host);
    }
    let builder = settings::from_environment(builder, scheme.environment.beginning("GOOGLE_"), set);
    let mut builder = settings::from_caller(builder, &scheme.config, set)?;
    let value = |key| builder.get_config_value(&key);
    check_url("the endpoint", value(Key::BaseUrl).as_deref())?;
    check_secret("the bearer token", value(Key::BearerToken).as_deref())?;
    if value(Key::SkipSignature).as_deref() == Some("true") {
        // This token is never sent. Without one, credential files would be read, which may be invalid.
        builder = builder.with_bearer_token("anonymous");
    }
    let builder = builder.with_bucket_name(bucket).with_retry(retry).with_http_connector(http.asking_as_stored());
    let store = Arc::new(builder.build().map_err(settings::cannot_build)?);
    Ok(Store { objects: store.clone(), signer: store })
}

/// Google's own libraries accept the variable with and without `http://`, and send no credentials to an emulator.
fn emulator(builder: GoogleCloudStorageBuilder, host: &str) -> GoogleCloudStorageBuilder {
    let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    builder.with_config(Key::BaseUrl, url.trim_end_matches('/')).with_config(Key::SkipSignature, "true")
}
