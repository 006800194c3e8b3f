//! The sources of S3's credentials, endpoint and region, and the errors without them.

use super::s3_server::{KEY, S3Server, SECRET, quick};
use io_harness::fault_server::{FaultServer, Reply, Request};
use io_harness::load::check_error;
use std::time::Instant;
use tfjs_io::{IoCx, ModelUrl, ObjectScheme, Scheme};
use tfjs_manifest::{Error, Kind};

async fn json(scheme: &ObjectScheme) -> Result<String, Error> {
    let handler = scheme.handler(&ModelUrl::parse("s3://models/m/model.json")?)?;
    let artifacts = handler.load(&IoCx::new(quick())).await?;
    Ok(String::from_utf8(artifacts.model_json.to_vec()).unwrap())
}

async fn server() -> S3Server {
    let server = S3Server::start().await;
    server.write("m/model.json", "{}");
    server
}

fn check_secrets(error: &Error, secret: &str) {
    let mut text = format!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &cause.to_string();
        source = cause.source();
    }
    assert!(!text.contains(secret) && !text.contains("Signature="), "{text}");
}

#[tokio::test]
async fn the_environment_is_enough() {
    let server = server().await;
    let endpoint = server.endpoint();
    let variables = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_PAGER", ""),
    ];
    assert_eq!(json(&ObjectScheme::s3().with_environment(variables)).await.unwrap(), "{}");
    let seen = server.seen();
    assert_eq!(seen[0].target, "/models/m/model.json", "the bucket is in the path");
    assert!(seen[0].header("authorization").unwrap().contains("/eu-central-1/s3/"), "{seen:?}");
}

#[tokio::test]
async fn a_profile_is_enough_and_goes_before_the_environment_if_it_is_named() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let (credentials, config) = (dir.path().join("credentials"), dir.path().join("config"));
    let keys = |key: &str| format!("aws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n");
    std::fs::write(&credentials, format!("[default]\n{}[work]\n{}", keys("AKIDNOBODY"), keys(KEY))).unwrap();
    let work = format!("[profile work]\nregion = eu-west-3\nendpoint_url = {}\n", server.endpoint());
    std::fs::write(&config, format!("{work}[profile login]\nsso_session = me\n")).unwrap();
    let files = [
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let with = |more: &[(&'static str, &'static str)]| {
        ObjectScheme::s3().with_environment(files.into_iter().chain(more.iter().copied()))
    };
    assert_eq!(json(&with(&[("AWS_PROFILE", "work")])).await.unwrap(), "{}");
    assert!(server.seen()[0].header("authorization").unwrap().contains("/eu-west-3/s3/"));

    let wrong = [("AWS_ACCESS_KEY_ID", "AKIDWRONG"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "us-east-2")];
    assert_eq!(json(&with(&wrong).with_profile("work")).await.unwrap(), "{}");
    assert!(server.seen()[1].header("authorization").unwrap().contains("/us-east-2/s3/"));
    let profile = [wrong[0], wrong[1], ("AWS_PROFILE", "work")];
    assert_eq!(json(&with(&profile)).await.unwrap_err().kind(), Kind::Fetch);

    check_error(json(&with(&[]).with_profile("nobody")).await, Kind::Misuse, "model.json", "no AWS profile `nobody`");
    check_error(json(&with(&[]).with_profile("login")).await, Kind::Unsupported, "model.json", "`sso_session`");
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_a_hint_and_without_secrets() {
    let server = server().await;
    for (key, secret) in [("AKIDWRONG", SECRET), (KEY, "hunter2wrong")] {
        let scheme = server
            .scheme_without_credentials()
            .with_config("aws_access_key_id", key)
            .with_config("aws_secret_access_key", secret)
            .with_config("aws_session_token", "hunter2token");
        assert!(!format!("{scheme:?}").contains("hunter2"), "{scheme:?}");
        let error = check_error(
            json(&scheme).await,
            Kind::Fetch,
            "s3://models/m/model.json",
            "the store denies access (403 Forbidden, ",
        );
        assert!(error.message().contains("AWS_ACCESS_KEY_ID"), "{error}");
        check_secrets(&error, "hunter2");
    }
    assert_eq!(server.seen().len(), 2, "a refusal is final");
}

#[tokio::test]
async fn nobody_is_anonymous_without_saying_so() {
    let server = server().await;
    // `AWS_EC2_METADATA_DISABLED` keeps this test from requesting credentials from a cloud's metadata service.
    let disabled = [("AWS_EC2_METADATA_DISABLED", "true")];
    let nobody = server.scheme_without_credentials().with_environment(disabled);
    let error = check_error(json(&nobody).await, Kind::Fetch, "m/model.json", "no credentials were found; check");
    assert!(error.message().contains("with_anonymous"), "{error}");
    assert!(server.seen().is_empty());

    let anonymous = server.scheme_without_credentials().with_anonymous(true);
    let error = check_error(json(&anonymous).await, Kind::Fetch, "m/model.json", "the store denies access (403");
    assert!(error.message().contains("with_anonymous"), "{error}");
    assert_eq!(server.seen()[0].header("authorization"), None);
}

/// Credentials as a cloud's metadata service sends them.
fn lent() -> String {
    format!(
        r#"{{"AccessKeyId": "{KEY}", "SecretAccessKey": "{SECRET}", "Token": "lent", "Expiration": "2100-01-01T00:00:00Z"}}"#
    )
}

#[tokio::test]
async fn a_machine_or_container_in_a_cloud_has_credentials() {
    let server = server().await;
    let cloud = FaultServer::start(|request: &Request| {
        let known = request.header("x-aws-ec2-metadata-token") == Some("t0ken");
        match request.target.as_str() {
            "/latest/api/token" => Reply::ok("t0ken"),
            "/latest/meta-data/iam/security-credentials/" if known => Reply::ok("role1"),
            "/latest/meta-data/iam/security-credentials/role1" if known => Reply::ok(lent()),
            "/container" if request.header("authorization") == Some("Basic c0ntainer") => Reply::ok(lent()),
            _ => Reply::status("401 Unauthorized", &[], ""),
        }
    })
    .await;
    let machine = server.scheme_without_credentials().with_config("aws_metadata_endpoint", cloud.url(""));
    assert_eq!(json(&machine).await.unwrap(), "{}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "Basic c0ntainer").unwrap();
    let container = server.scheme_without_credentials().with_environment([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud.url("/container").as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    assert_eq!(json(&container).await.unwrap(), "{}");
    std::fs::write(&file, "Basic hunter2\n").unwrap();
    let error = check_error(json(&container).await, Kind::Misuse, "m/model.json", "a line break");
    check_secrets(&error, "hunter2");
    std::fs::remove_file(&file).unwrap();
    check_error(json(&container).await, Kind::Misuse, "m/model.json", "cannot read the container's token file");
    assert!(server.seen().iter().all(|s| s.header("x-amz-security-token") == Some("lent")));
    assert_eq!(cloud.targets().len(), 4, "{:?}", cloud.targets());
}

#[tokio::test]
async fn a_machine_in_no_cloud_says_so_soon() {
    let server = server().await;
    // No server listens on this port.
    let scheme = server.scheme_without_credentials().with_config("aws_metadata_endpoint", "http://127.0.0.1:1");
    let start = Instant::now();
    let error =
        check_error(json(&scheme).await, Kind::Fetch, "m/model.json", "no credentials were found, and the machine");
    assert!(error.message().contains("AWS_ACCESS_KEY_ID"), "{error}");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[tokio::test]
async fn plain_http_must_be_allowed_unless_nobody_is_on_the_way() {
    let server = server().await;
    let scheme = server.scheme().with_allow_http(false);
    assert_eq!(json(&scheme).await.unwrap(), "{}");
    // No request is sent, and the host name is not resolved.
    let elsewhere = scheme.with_endpoint("http://store.example:9000");
    check_error(json(&elsewhere).await, Kind::Misuse, "m/model.json", "allow it with `allow_http`");
}

#[tokio::test]
async fn settings_that_cannot_be_are_misuse_and_never_a_panic() {
    let server = server().await;
    for (key, value, says) in [
        ("rigeon", "x", "`rigeon` is not a setting of this store"),
        ("proxy_url", "http://h", "see `IoOptions`"),
        ("region", "not a region", "the name of a region"),
        ("aws_endpoint_url_s3", "localhost:9000", "the endpoint"),
        ("aws_endpoint_url_s3", "http://h h", "the endpoint"),
        ("aws_session_token", "hunter2\n", "the session token"),
        ("skip_signature", "perhaps", "as it is configured"),
    ] {
        let error =
            check_error(json(&server.scheme().with_config(key, value)).await, Kind::Misuse, "m/model.json", says);
        check_secrets(&error, "hunter2");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_bucket_may_stand_in_the_host() {
    let cx = IoCx::new(quick());
    let keys = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let scheme = ObjectScheme::s3().with_environment(keys).with_path_style(false);
    for (scheme, expected) in [
        (scheme.clone().with_region("eu-west-1"), "https://models.s3.eu-west-1.amazonaws.com/m/model.json?"),
        (scheme.clone().with_endpoint("https://store.example:9000"), "https://models.store.example:9000/m/model.json?"),
        (scheme.with_endpoint("https://models.store.example/"), "https://models.store.example/m/model.json?"),
    ] {
        let files = scheme.folder("s3://models/m", &cx).unwrap();
        let url = files.sign_get("model.json", std::time::Duration::from_secs(9)).await.unwrap();
        assert!(url.starts_with(expected), "{url}");
    }
}
