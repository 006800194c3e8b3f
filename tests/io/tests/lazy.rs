//! Lazy reading of weights through a cache, with and without the model in it.

use io_harness::cached::{Fixture, LENGTHS, blobs, weights};
use io_harness::load::{check_error, groups};
use std::sync::Arc;
use tfjs_io::{IoCx, IoOptions, ModelUrl, Registry, Result, open_weights};
use tfjs_manifest::{Kind, Limits, TensorLayout, WeightReader, WeightsManifest, json};

/// One weight that spans both files of the fixture.
fn layout(bytes: usize) -> TensorLayout {
    let text = format!(
        r#"[{{"paths": ["a.bin", "b.bin"], "weights": [{{"name": "w", "shape": [{bytes}], "dtype": "uint8"}}]}}]"#
    );
    let limits = Limits::default();
    let value = json::parse(text.as_bytes(), &limits).unwrap();
    WeightsManifest::from_value(&value, &limits).unwrap().layout(&limits).unwrap()
}

async fn open(model: &Fixture, bytes: usize, options: IoOptions) -> Result<Arc<dyn WeightReader>> {
    let cx = IoCx::new(options);
    let artifacts = Registry::default().resolve(&ModelUrl::parse(&model.url())?)?.load(&cx).await?;
    open_weights(&artifacts.weights, &groups(&[&["a.bin", "b.bin"]]), &layout(bytes), &cx).await
}

fn check_bytes(reader: &dyn WeightReader) {
    // Across the boundary of the files.
    let mut out = [0; 20];
    reader.read(0, LENGTHS[0] as u64 - 10, &mut out).unwrap();
    assert_eq!(out, weights()[LENGTHS[0] - 10..LENGTHS[0] + 10]);
}

#[tokio::test]
async fn a_cold_cache_is_filled_and_then_read_from() {
    let model = Fixture::new().await;
    let options = || IoOptions::default().with_cache(model.cache());
    let bytes = LENGTHS.iter().sum();
    let reader = open(&model, bytes, options()).await.unwrap();
    check_bytes(&*reader);
    let asked = model.site.log();
    assert!(asked.contains(&"200 /m/b.bin".to_owned()), "{asked:?}");

    let again = open(&model, bytes, options()).await.unwrap();
    check_bytes(&*again);
    assert_eq!(model.site.log(), ["304 /m/model.json"], "a warm one needs no weights");
    check_bytes(&*reader);
}

#[tokio::test]
async fn a_model_that_does_not_fit_is_not_kept() {
    let model = Fixture::new().await;
    let options = || IoOptions::default().with_cache(model.cache());
    let bytes: usize = LENGTHS.iter().sum();
    check_error(open(&model, bytes + 1, options()).await, Kind::Mismatch, "/m/b.bin", "1 bytes short");
    check_error(open(&model, bytes - 1, options()).await, Kind::Mismatch, "/m/b.bin", "at most");
    assert_eq!((blobs(&model.folder()).len(), model.cache().list().len()), (0, 0));
    check_bytes(&*open(&model, bytes, options()).await.unwrap());
}

#[tokio::test]
async fn without_a_cache_a_stream_cannot_be_read_later() {
    let model = Fixture::new().await;
    let result = open(&model, LENGTHS.iter().sum(), IoOptions::default()).await;
    check_error(result, Kind::Unsupported, "/m/a.bin", "load it without `lazy`, or through a cache");
}
