//! A cache whose files are damaged, replaced or cannot be written: a wrong model is never loaded, and the load succeeds
//! if possible.

use io_harness::cached::{Fixture, JSON, blobs, files_below, load_from, parts, shard};
use io_harness::load::check_error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use tfjs_io::{Body, BoxFuture, Bytes, Files, FilesHandler, IoOptions, OpenOptions, Opened, Result};
use tfjs_manifest::Kind;

/// The path of the cached `a.bin`.
fn large(model: &Fixture) -> PathBuf {
    let of = |len| blobs(&model.folder()).into_iter().find(|p| p.metadata().unwrap().len() == len);
    of(shard("a.bin").len() as u64).expect("the cache has the model")
}

/// Loads, damages the cached `a.bin`, and expects that only this file is fetched again.
async fn check_damage(damage: impl Fn(&PathBuf)) {
    let model = Fixture::new().await;
    model.load().await;
    damage(&large(&model));
    let offline = model.load_with(model.cache().with_offline(true)).await;
    check_error(offline, Kind::Fetch, "/m/a.bin", "not in the cache");
    let (warnings, log) = model.load().await;
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(log, ["200 /m/a.bin", "304 /m/model.json"]);
    assert_eq!(model.load().await.1, ["304 /m/model.json"]);
}

#[tokio::test]
async fn a_truncated_file_is_fetched_again() {
    check_damage(|path| File::options().write(true).open(path).unwrap().set_len(5).unwrap()).await;
}

#[tokio::test]
async fn a_file_with_other_bytes_is_fetched_again() {
    check_damage(|path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[1000] ^= 1;
        fs::write(path, bytes).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_fetched_again() {
    check_damage(|path| fs::remove_file(path).unwrap()).await;
}

#[tokio::test]
async fn a_folder_in_place_of_a_file_is_not_used() {
    let model = Fixture::new().await;
    model.load().await;
    let path = large(&model);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    // The folder is not the cache's to remove; the model still loads.
    let (warnings, log) = model.load().await;
    assert_eq!(log, ["200 /m/a.bin", "304 /m/model.json"]);
    assert!(warnings[0].contains("the cache could not be used"), "{warnings:?}");
    model.cache().clear().unwrap();
    model.load().await;
    assert_eq!(model.load().await.1, ["304 /m/model.json"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_place_of_a_file_is_not_followed() {
    check_damage(|path| {
        // Even if the link leads to the same bytes.
        let elsewhere = path.parent().unwrap().parent().unwrap().join("elsewhere");
        fs::rename(path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, path).unwrap();
    })
    .await;
}

#[tokio::test]
async fn bytes_that_change_behind_the_back_of_length_and_time_are_found_by_hash() {
    let model = Fixture::new().await;
    model.load().await;
    let path = large(&model);
    let time = path.metadata().unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let damaged = model.cache().verify().unwrap();
    assert_eq!(damaged.iter().map(|m| m.url.clone()).collect::<Vec<_>>(), [model.url()]);
    assert_eq!(model.cache().list(), []);
    model.load().await;
    let path = large(&model);
    let time = path.metadata().unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    model.load_with(model.cache().with_verify(true)).await.unwrap();
    assert_eq!(model.site.log(), ["200 /m/a.bin", "304 /m/model.json"]);
}

// The times of files change, for example, when the cache is copied to another machine or into an image.
#[tokio::test]
async fn a_copied_cache_is_checked_by_hash_and_used() {
    let model = Fixture::new().await;
    model.load().await;
    for path in files_below(&model.folder()) {
        File::options().write(true).open(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    assert_eq!(model.load().await.1, ["304 /m/model.json"]);
    model.load_with(model.cache().with_offline(true)).await.unwrap();
}

#[tokio::test]
async fn records_that_are_none_are_forgotten() {
    for garbage in [&b""[..], b"{", b"\xff\xfe\n{}", b"{\"version\":1}\n{}"] {
        let model = Fixture::new().await;
        model.load().await;
        for path in files_below(&model.folder()) {
            if ["head", "model"].contains(&path.file_name().unwrap().to_str().unwrap()) {
                fs::write(path, garbage).unwrap();
            }
        }
        assert_eq!(model.cache().list(), []);
        let (warnings, log) = model.load().await;
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(log, ["200 /m/a.bin", "200 /m/b.bin", "200 /m/model.json"]);
        assert_eq!(model.load().await.1, ["304 /m/model.json"]);
    }
}

#[tokio::test]
async fn a_record_with_names_of_other_files_names_none() {
    let model = Fixture::new().await;
    model.load().await;
    let secret = model.dir.path().join("secret");
    fs::write(&secret, shard("a.bin")).unwrap();
    let record = large(&model).with_file_name("model");
    let text = fs::read_to_string(&record).unwrap();
    let name = large(&model).file_name().unwrap().to_str().unwrap().to_owned();
    fs::write(&record, text.replace(&name, "../../../../secret")).unwrap();
    let (_, log) = model.load().await;
    assert_eq!(log, ["200 /m/a.bin", "200 /m/b.bin", "304 /m/model.json"]);
}

#[tokio::test]
async fn what_died_processes_left_in_other_models_is_removed_too() {
    let model = Fixture::new().await;
    model.load().await;
    let models = model.folder().join("v1/models");
    let other = models.join("0".repeat(64));
    fs::create_dir(&other).unwrap();
    fs::write(other.join("model-abc.part"), "x").unwrap();
    fs::write(large(&model).with_file_name("model-abc.part"), "x").unwrap();
    fs::write(large(&model).with_file_name("head-abc.part"), "x").unwrap();
    let model = Fixture { site: model.site.with("/m/model.json", "{\"v\":3}"), ..model };
    model.load().await;
    assert_eq!(parts(&models), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_costs_a_warning() {
    let model = Fixture::new().await;
    fs::write(model.folder(), "a file").unwrap();
    for _ in 0..2 {
        let (warnings, log) = model.load().await;
        assert_eq!(log, ["200 /m/a.bin", "200 /m/b.bin", "200 /m/model.json"]);
        assert!(warnings[0].contains("the cache could not be used: `"), "{warnings:?}");
        assert!(warnings[0].contains("cannot make the folder of the cache"), "{warnings:?}");
    }
    let offline = model.load_with(model.cache().with_offline(true)).await;
    check_error(offline, Kind::Fetch, "/m/model.json", "not in the cache");
}

/// A backend that removes the cache while files are opened.
#[derive(Debug)]
struct Saboteur(PathBuf);

impl Files for Saboteur {
    fn open<'a>(&'a self, path: &'a str, _options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            if path == "model.json" {
                return Ok(Opened::new(path, Body::Bytes(Bytes::from_static(JSON.as_bytes()))));
            }
            let models = self.0.join("v1/models");
            if models.is_dir() {
                fs::remove_dir_all(&models).unwrap();
                fs::write(&models, "in the way").unwrap();
            }
            Ok(Opened::new(path, Body::Bytes(Bytes::from(shard(path)))))
        })
    }
}

#[tokio::test]
async fn a_disk_that_fails_half_way_costs_a_warning() {
    let model = Fixture::new().await;
    let handler = FilesHandler::new(Arc::new(Saboteur(model.folder())), "model.json").with_cache_url("hub://");
    let (_, warnings) = load_from(&handler, IoOptions::default().with_cache(model.cache())).await.unwrap();
    assert!(warnings[0].contains("expected a folder of the cache, found a file"), "{warnings:?}");
    assert_eq!(model.cache().list(), []);
}
