//! Azure blob storage: finds the account and credentials. The environment variables are those of the `az` command line
//! and of `object_store`.

use super::Store;
use super::connector::Connector;
use super::scheme::ObjectScheme;
use super::settings::{self, check_name, check_secret, check_url};
use object_store::RetryConfig;
use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The hint if the store denies access.
pub(super) const HINT: &str = "check the account and its credentials (AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, \
                               AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING), or for a public container \
                               use none (`with_anonymous`, AZURE_SKIP_SIGNATURE=true)";

/// `place` is a container, or `container@account.dfs.core.windows.net`.
pub(super) fn store(scheme: &ObjectScheme, place: &str, http: Connector, retry: RetryConfig) -> Result<Store> {
    let set = |builder: MicrosoftAzureBuilder, key: Key, value: String| builder.with_config(key, value);
    let environment = &scheme.environment;
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(settings::client_options());
    if let Some(text) = environment.get("AZURE_STORAGE_CONNECTION_STRING") {
        builder = connection(&text)?.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value));
    }
    for (name, key) in [
        ("AZURE_STORAGE_ACCOUNT", Key::AccountName),
        ("AZURE_STORAGE_KEY", Key::AccessKey),
        ("IDENTITY_ENDPOINT", Key::MsiEndpoint),
    ] {
        if let Some(value) = environment.get(name) {
            builder = builder.with_config(key, value);
        }
    }
    let builder = settings::from_environment(builder, environment.beginning("AZURE_"), set);
    let mut builder = settings::from_caller(builder, &scheme.config, set)?;
    match place.split_once('@') {
        None => {
            check_name("container", place)?;
            builder = builder.with_container_name(place);
        }
        Some((container, host)) => {
            check_name("container", container)?;
            check_name("account", host)?;
            builder = builder.with_url(format!("abfss://{place}/"));
        }
    }
    let value = |key| builder.get_config_value(&key);
    match value(Key::AccountName) {
        Some(account) => check_name("account", &account)?,
        None if place.contains('@') || value(Key::UseEmulator).as_deref() == Some("true") => {}
        None => {
            return Err(Error::misuse(
                "the storage account is unknown; set AZURE_STORAGE_ACCOUNT, or name it in the URL, \
                 `abfss://container@account.dfs.core.windows.net/folder`",
            ));
        }
    }
    check_url("the endpoint", value(Key::Endpoint).as_deref())?;
    check_url("AZURE_STORAGE_AUTHORITY_HOST", value(Key::AuthorityHost).as_deref())?;
    check_url("IDENTITY_ENDPOINT", value(Key::MsiEndpoint).as_deref())?;
    check_secret("the token", value(Key::Token).as_deref())?;
    let builder = builder.with_retry(retry).with_http_connector(http);
    let store = Arc::new(builder.build().map_err(settings::cannot_build)?);
    Ok(Store { objects: store.clone(), signer: store })
}

/// Parses a connection string: `AccountName=me;AccountKey=…;EndpointSuffix=core.windows.net`.
fn connection(text: &str) -> Result<Vec<(Key, String)>> {
    let mut parts = std::collections::BTreeMap::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        // Account keys end in `=`, so only the first `=` separates name and value.
        let (name, value) = part.split_once('=').ok_or_else(|| {
            Error::misuse("AZURE_STORAGE_CONNECTION_STRING is invalid: expected `name=value` between its semicolons")
        })?;
        parts.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut out = Vec::new();
    let mut take = |name: &str, key: Key| out.extend(parts.remove(name).map(|value| (key, value)));
    take("accountname", Key::AccountName);
    take("accountkey", Key::AccessKey);
    take("sharedaccesssignature", Key::SasKey);
    take("blobendpoint", Key::Endpoint);
    take("usedevelopmentstorage", Key::UseEmulator);
    let account = out.iter().find(|(key, _)| *key == Key::AccountName).map(|(_, name)| name.clone());
    let has_endpoint = out.iter().any(|(key, _)| *key == Key::Endpoint);
    if let (Some(account), Some(suffix), false) = (account, parts.get("endpointsuffix"), has_endpoint) {
        let scheme = parts.get("defaultendpointsprotocol").map_or("https", String::as_str);
        out.push((Key::Endpoint, format!("{scheme}://{account}.blob.{suffix}")));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check(text: &str, expected: &[(Key, &str)]) {
        let found = connection(text).unwrap();
        let found: Vec<(Key, &str)> = found.iter().map(|(key, value)| (*key, &value[..])).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn connection_strings_of_the_portal_are_read() {
        check(
            "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=a2V5PQ==;EndpointSuffix=core.windows.net",
            &[
                (Key::AccountName, "me"),
                (Key::AccessKey, "a2V5PQ=="),
                (Key::Endpoint, "https://me.blob.core.windows.net"),
            ],
        );
        check(
            "BlobEndpoint=https://h/me; SharedAccessSignature=sv=1&sig=a%3D;",
            &[(Key::SasKey, "sv=1&sig=a%3D"), (Key::Endpoint, "https://h/me")],
        );
    }

    #[test]
    fn what_is_no_connection_string_is_misuse_and_not_shown() {
        let error = connection("hunter2").unwrap_err();
        assert!(error.kind() == Kind::Misuse && !error.to_string().contains("hunter2"), "{error}");
    }
}
