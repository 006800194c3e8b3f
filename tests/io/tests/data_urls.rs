//! Models in `data:` URLs: JSON, whole archives, and the error for weight files beside them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use io_harness::archives::{ZipEntry, gzip, tar, zip};
use io_harness::load::{check_error, load};
use io_harness::sink::{TestSink, pattern};
use tfjs_io::{IoCx, IoOptions, ModelUrl, Registry, Result, SaveArtifacts};
use tfjs_manifest::{Kind, Limits};

const FILES: &[&[&str]] = &[&["w.bin"]];

async fn json(url: &str) -> Result<String> {
    let (json, _) = load(url, &[], TestSink::new(), IoOptions::default()).await?;
    Ok(String::from_utf8(json.to_vec()).unwrap())
}

#[tokio::test]
async fn the_json_is_text_or_base64() {
    for url in [
        "data:application/json;base64,eyJhIjogMX0=",
        "data:application/json;base64,eyJhIjogMX0",
        "DATA:text/plain,%7B%22a%22%3A%201%7D",
        "data:,{\"a\": 1}",
        "data:,{\"a\": 1}#a fragment",
    ] {
        assert_eq!(json(url).await.unwrap(), "{\"a\": 1}", "{url}");
    }
}

#[tokio::test]
async fn weights_come_from_a_prefix_or_a_converter() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("w.bin"), pattern(9)).unwrap();
    let prefix = format!("file://{}/", dir.path().display());
    for options in [
        IoOptions::default().with_weight_path_prefix(&prefix),
        IoOptions::default().with_weight_url_converter(move |path| Ok(format!("{prefix}{path}"))),
    ] {
        let (_, sink) = load("data:,{}", FILES, TestSink::new().group(&[9]), options).await.unwrap();
        assert_eq!(sink.bytes(0), pattern(9));
    }
    let options = IoOptions::default().with_weight_path_prefix("weights");
    let result = load("data:,{}", FILES, TestSink::new().group(&[9]), options).await;
    check_error(result, Kind::Misuse, "weights", "`weight_path_prefix` has no scheme");
}

#[tokio::test]
async fn nothing_is_beside_a_data_url() {
    let result = load("data:application/json,{}", FILES, TestSink::new().group(&[9]), IoOptions::default()).await;
    let error = check_error(result, Kind::Misuse, "data:application/json,…", "`w.bin` cannot be beside a `data:` URL");
    assert!(error.message().contains("weight_path_prefix") && error.message().contains("application/zip"), "{error}");
}

#[tokio::test]
async fn a_converter_cannot_answer_with_a_data_url() {
    let options = IoOptions::default().with_weight_url_converter(|_| Ok("data:;base64,MDEyMw==".to_owned()));
    let result = load("data:,{}", FILES, TestSink::new().group(&[4]), options).await;
    let error = check_error(result, Kind::Unsupported, "", "weights cannot be taken from a `data:` URL");
    assert!(!format!("{error:?}").contains("MDEyMw"), "{error:?}");
}

#[tokio::test]
async fn an_archive_holds_everything() {
    let archive = zip(&[ZipEntry::deflated("m/model.json", b"{}"), ZipEntry::stored("m/w.bin", &pattern(9))]);
    let tarball = gzip(&tar(&[("model.json", b"{}"), ("w.bin", &pattern(9))]));
    for (kind, bytes) in [("application/zip", archive), ("application/gzip", tarball)] {
        let url = format!("data:{kind};base64,{}", STANDARD.encode(bytes));
        let (json, sink) = load(&url, FILES, TestSink::new().group(&[9]), IoOptions::default()).await.unwrap();
        assert_eq!((&json[..], sink.bytes(0)), (&b"{}"[..], pattern(9)));
        let result = load(&url, &[&["x.bin"]], TestSink::new().group(&[9]), IoOptions::default()).await;
        let error = check_error(result, Kind::Fetch, "x.bin", "no such file in the archive");
        assert!(error.to_string().len() < 300, "{error}");
    }
    let result = load("data:application/zip;base64,UEs=", FILES, TestSink::new(), IoOptions::default()).await;
    check_error(result, Kind::Malformed, "data:application/zip;base64,…", "not an archive");
}

#[tokio::test]
async fn what_is_no_data_url_is_refused_and_never_shown_whole() {
    let long = "0123456789".repeat(1000);
    let check = async |url: &str, kind: Kind, says: &str| {
        let error = check_error(json(url).await, kind, "…", says);
        assert!(format!("{error:?}").len() < 400, "{error:?}");
    };
    check(&format!("data:{long}"), Kind::Misuse, "a comma before its data").await;
    check(&format!("data:;base64,{long}*"), Kind::Malformed, "not Base64").await;
    let mut limits = Limits::default();
    limits.model_json_bytes = 100;
    let options = IoOptions::default().with_limits(limits);
    for url in [format!("data:,{long}"), format!("data:;base64,{long}")] {
        let result = load(&url, &[], TestSink::new(), options.clone()).await;
        let error = check_error(result, Kind::Limit, "…", "limit `model_json_bytes`: allowed 100");
        assert!(format!("{error:?}").len() < 400, "{error:?}");
    }
}

#[tokio::test]
async fn a_data_url_cannot_be_saved_to() {
    let handler = Registry::default().resolve(&ModelUrl::parse("data:,{}").unwrap()).unwrap();
    let result = handler.save(SaveArtifacts::new("{}", vec![]), &IoCx::default()).await;
    check_error(result, Kind::Unsupported, "data:,…", "cannot save");
}
