//! Loading in the tests of the transport: resolve, fetch the JSON, fetch the weights.

use crate::sink::TestSink;
use bytes::Bytes;
use std::time::Duration;
use tfjs_io::{IoCx, IoHandler, IoOptions, ModelUrl, Registry, Result, fetch_weights};
use tfjs_manifest::{Error, Kind};

/// Groups with these lists of files.
pub fn groups(groups: &[&[&str]]) -> Vec<Vec<String>> {
    groups.iter().map(|paths| paths.iter().map(|&p| p.to_owned()).collect()).collect()
}

/// Loads a model from a URL or path.
pub async fn load(url: &str, files: &[&[&str]], sink: TestSink, options: IoOptions) -> Result<(Bytes, TestSink)> {
    let handler = Registry::default().resolve(&ModelUrl::parse(url)?)?;
    load_with(&*handler, files, sink, options).await
}

/// Loads a model from a handler; fails after a minute.
pub async fn load_with(
    handler: &dyn IoHandler,
    files: &[&[&str]],
    sink: TestSink,
    options: IoOptions,
) -> Result<(Bytes, TestSink)> {
    let cx = IoCx::new(options);
    let whole = async {
        let artifacts = handler.load(&cx).await?;
        let sink = fetch_weights(&artifacts.weights, &groups(files), sink, &cx).await?;
        Ok((artifacts.model_json, sink))
    };
    tokio::time::timeout(Duration::from_secs(60), whole).await.expect("a load ends within a minute")
}

/// Asserts the kind of an error, the end of the file name in its place, and a part of its message.
#[track_caller]
pub fn check_error<T>(result: Result<T>, kind: Kind, file: &str, says: &str) -> Error {
    let error = result.err().expect("expected an error");
    assert_eq!(error.kind(), kind, "{error:?}");
    let place = error.place().file.as_deref().unwrap_or("nowhere");
    assert!(place.ends_with(file), "expected a place ending in `{file}`: {error:?}");
    assert!(error.to_string().contains(says), "expected `{says}` in: {error:?}");
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}
