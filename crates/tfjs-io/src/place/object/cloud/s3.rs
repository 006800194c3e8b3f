//! Amazon's S3 and compatible stores: finds credentials, region and endpoint, in the order of the AWS command line.

use super::Store;
use super::connector::Connector;
use super::profile::Profile;
use super::scheme::ObjectScheme;
use super::settings::{self, check_header, check_name, check_secret, check_url};
use object_store::RetryConfig;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The hint if the store denies access.
pub(super) const HINT: &str = "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), or \
                               for a public bucket use none (`with_anonymous`, AWS_SKIP_SIGNATURE=true); S3 also \
                               denies access to an object that does not exist if you may not list the bucket";

/// Environment variables with credentials or their location. A profile that the caller names has priority over them.
const CREDENTIALS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
];

pub(super) fn store(scheme: &ObjectScheme, bucket: &str, http: Connector, retry: RetryConfig) -> Result<Store> {
    check_name("bucket", bucket)?;
    let set = |builder: AmazonS3Builder, key: Key, value: String| builder.with_config(key, value);
    let mut variables = scheme.environment.beginning("AWS_");
    variables.retain(|(name, _)| scheme.profile.is_none() || !CREDENTIALS.contains(&&**name));
    let builder = AmazonS3Builder::new().with_client_options(settings::client_options());
    let builder = settings::from_environment(builder, variables, set);
    let builder = settings::from_caller(builder, &scheme.config, set)?;
    let builder = from_profile(builder, scheme)?;
    let builder = with_host(builder, bucket);
    check(&builder)?;
    let builder = builder.with_bucket_name(bucket).with_retry(retry).with_http_connector(http);
    let store = Arc::new(builder.build().map_err(settings::cannot_build)?);
    Ok(Store { objects: store.clone(), signer: store })
}

/// Fills missing settings from a profile.
fn from_profile(mut builder: AmazonS3Builder, scheme: &ObjectScheme) -> Result<AmazonS3Builder> {
    let has = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_some();
    let anonymous = is_true(&builder, Key::SkipSignature);
    let keys = has(&builder, Key::AccessKeyId) || has(&builder, Key::SecretAccessKey);
    let identity = has(&builder, Key::WebIdentityTokenFile) && has(&builder, Key::RoleArn);
    let profile = Profile::read(&scheme.environment, scheme.profile.as_deref())?;
    let fill = |builder: AmazonS3Builder, from: &str, key: Key| match profile.get(from) {
        Some(value) if !has(&builder, key) => builder.with_config(key, value),
        _ => builder,
    };
    builder = fill(builder, "region", Key::Region);
    if !has(&builder, Key::Endpoint) && !has(&builder, Key::S3Endpoint) {
        builder = fill(builder, "endpoint_url", Key::Endpoint);
        builder = fill(builder, "s3.endpoint_url", Key::S3Endpoint);
    }
    let style = profile.get("s3.addressing_style");
    let environment = scheme.environment.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST").is_some();
    if style == Some("virtual") && !environment && !scheme.config.iter().any(|(k, _)| k.ends_with(VIRTUAL)) {
        builder = builder.with_virtual_hosted_style_request(true);
    }
    if anonymous || keys || identity {
        return Ok(builder);
    }
    if profile.get("aws_access_key_id").is_some() {
        builder = fill(builder, "aws_access_key_id", Key::AccessKeyId);
        builder = fill(builder, "aws_secret_access_key", Key::SecretAccessKey);
        return Ok(fill(builder, "aws_session_token", Key::Token));
    }
    if profile.get("web_identity_token_file").is_some() {
        builder = fill(builder, "web_identity_token_file", Key::WebIdentityTokenFile);
        builder = fill(builder, "role_arn", Key::RoleArn);
        return Ok(fill(builder, "role_session_name", Key::RoleSessionName));
    }
    profile.check_credentials()?;
    let container =
        has(&builder, Key::ContainerCredentialsRelativeUri) || has(&builder, Key::ContainerCredentialsFullUri);
    let disabled = scheme.environment.get("AWS_EC2_METADATA_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if disabled && !container {
        return Err(Error::fetch(format!("no credentials were found; {HINT}")));
    }
    if has(&builder, Key::ContainerCredentialsFullUri)
        && let Some(path) = builder.get_config_value(&Key::ContainerAuthorizationTokenFile)
    {
        check_token_file(&path)?;
    }
    Ok(builder)
}

/// Checks the content of a token file: `object_store` sends it as a header, and panics if it is not a valid one.
fn check_token_file(path: &str) -> Result<()> {
    let token = std::fs::read_to_string(path).map_err(|e| {
        Error::misuse("cannot read the container's token file, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").with_source(e)
    })?;
    check_header("the token in the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token)
}

/// The key that [`ObjectScheme::with_path_style`] sets.
pub(super) const VIRTUAL: &str = "virtual_hosted_style_request";

/// Adds the bucket to the host of the endpoint for virtual-hosted requests, as `object_store` requires. Users of AWS's
/// tools leave it out.
fn with_host(builder: AmazonS3Builder, bucket: &str) -> AmazonS3Builder {
    let endpoint = builder.get_config_value(&Key::S3Endpoint).or_else(|| builder.get_config_value(&Key::Endpoint));
    let (true, Some(endpoint)) = (is_true(&builder, Key::VirtualHostedStyleRequest), endpoint) else {
        return builder;
    };
    match endpoint.trim_end_matches('/').split_once("://") {
        Some((scheme, host)) => {
            let bucket = if host.starts_with(&format!("{bucket}.")) { String::new() } else { format!("{bucket}.") };
            builder.with_config(Key::S3Endpoint, format!("{scheme}://{bucket}{host}"))
        }
        None => builder,
    }
}

fn is_true(builder: &AmazonS3Builder, key: Key) -> bool {
    builder.get_config_value(&key).is_some_and(|value| value == "true")
}

/// Checks the values that the builder does not check.
fn check(builder: &AmazonS3Builder) -> Result<()> {
    let value = |key| builder.get_config_value(&key);
    if let Some(region) = value(Key::Region) {
        check_name("region", &region)?;
    }
    for (what, key) in [
        ("the endpoint", Key::Endpoint),
        ("the endpoint", Key::S3Endpoint),
        ("AWS_ENDPOINT_URL_STS", Key::StsEndpoint),
        ("AWS_METADATA_ENDPOINT", Key::MetadataEndpoint),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Key::ContainerCredentialsFullUri),
    ] {
        check_url(what, value(key).as_deref())?;
    }
    for (what, key) in [
        ("the access key", Key::AccessKeyId),
        ("the secret key", Key::SecretAccessKey),
        ("the session token", Key::Token),
    ] {
        check_secret(what, value(key).as_deref())?;
    }
    Ok(())
}
