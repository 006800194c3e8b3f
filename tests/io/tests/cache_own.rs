//! Ownership of files in a cache: links are not followed, files with other names are not removed, other users' caches
//! are not used, and a lock held by another process does not block a load forever.

#![cfg(unix)]

use io_harness::cached::{Fixture, blobs};
use io_harness::tree;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const FILES: [&str; 3] = ["200 /m/a.bin", "200 /m/b.bin", "200 /m/model.json"];

/// The folder of the cached model.
fn entry(model: &Fixture) -> PathBuf {
    blobs(&model.folder())[0].parent().unwrap().to_owned()
}

/// A folder of the user that has files with names like the cache's.
fn home(model: &Fixture) -> PathBuf {
    let home = model.dir.path().join("home");
    fs::create_dir(&home).unwrap();
    for name in ["thesis.txt", "photo.jpg", "model-abc.part", "head", "model", &"0".repeat(64)] {
        fs::write(home.join(name), "mine").unwrap();
    }
    home
}

/// Loads, replaces a folder of the cache by a link to the user's folder, and calls everything that writes or
/// removes. The loads succeed without the cache, and the user's folder is unchanged.
async fn check_link(place: impl Fn(&Path) -> PathBuf) {
    let model = Fixture::new().await;
    model.load().await;
    let place = place(&entry(&model));
    let home = home(&model);
    let before = tree::of(&home);
    fs::rename(&place, model.dir.path().join("moved")).unwrap();
    symlink(&home, &place).unwrap();
    for _ in 0..2 {
        let (warnings, log) = model.load().await;
        assert_eq!(log, FILES);
        assert!(warnings.iter().any(|w| w.contains("expected a folder of the cache, found a link")), "{warnings:?}");
    }
    model.load_with(model.cache().with_max_bytes(1)).await.unwrap();
    // Cached files can be read without the lock.
    let offline = model.load_with(model.cache().with_offline(true)).await;
    assert_eq!(offline.is_ok(), place.ends_with("locks"));
    let _ = (model.cache().list(), model.cache().verify(), model.cache().remove(&model.url()), model.cache().clear());
    assert_eq!(tree::of(&home), before);
}

#[tokio::test]
async fn a_link_in_place_of_a_model_s_folder_is_not_followed() {
    check_link(Path::to_owned).await;
}

#[tokio::test]
async fn a_link_in_place_of_any_other_folder_is_not_followed() {
    check_link(|entry| entry.parent().unwrap().to_owned()).await;
    check_link(|entry| entry.parent().unwrap().parent().unwrap().to_owned()).await;
    check_link(|entry| entry.parent().unwrap().with_file_name("locks")).await;
}

#[tokio::test]
async fn a_dangling_link_makes_nothing_elsewhere() {
    let model = Fixture::new().await;
    fs::create_dir(model.folder()).unwrap();
    symlink("../elsewhere", model.folder().join("v1")).unwrap();
    let (warnings, log) = model.load().await;
    assert_eq!((log, warnings.is_empty()), (FILES.map(str::to_owned).to_vec(), false));
    assert!(!model.dir.path().join("elsewhere").exists());
}

#[tokio::test]
async fn a_lock_or_a_record_that_is_a_link_is_not_opened() {
    let model = Fixture::new().await;
    model.load().await;
    let target = model.dir.path().join("target");
    fs::write(&target, "mine").unwrap();
    File::options().write(true).open(&target).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let locks: Vec<PathBuf> =
        fs::read_dir(model.folder().join("v1/locks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in locks.iter().cloned().chain([entry(&model).join("head"), entry(&model).join("model")]) {
        for to in [target.clone(), model.dir.path().join("nowhere")] {
            fs::remove_file(&name).unwrap();
            symlink(&to, &name).unwrap();
            model.load().await;
            assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
            assert_eq!(fs::metadata(&target).unwrap().modified().unwrap(), std::time::UNIX_EPOCH);
            assert!(!model.dir.path().join("nowhere").exists());
            if name.is_symlink() {
                fs::remove_file(&name).unwrap();
            }
            model.load().await;
        }
    }
}

#[tokio::test]
async fn names_that_are_not_the_cache_s_stay() {
    let model = Fixture::new().await;
    model.load().await;
    let folder = entry(&model);
    let others = ["thesis.txt", "model.part", "model-x.txt", "0123abcd", ".hidden"];
    for name in others {
        fs::write(folder.join(name), "mine").unwrap();
    }
    let foreign = folder.parent().unwrap().join("photos");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("model-abc.part"), "mine").unwrap();
    let model = Fixture { site: model.site.with("/m/model.json", "{\"v\":3}"), ..model };
    model.load_with(model.cache().with_max_bytes(1)).await.unwrap();
    model.cache().clear().unwrap();
    for name in others {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "mine", "{name}");
    }
    assert_eq!(tree::of(&foreign).len(), 1);
    assert_eq!((model.cache().list(), blobs(&model.folder())), (vec![], vec![]));
}

#[tokio::test]
async fn a_cache_of_another_user_is_not_used() {
    use std::os::unix::fs::{MetadataExt, chown};
    let model = Fixture::new().await;
    model.load().await;
    let me = fs::metadata(model.folder()).unwrap().uid();
    for folder in [model.folder(), entry(&model)] {
        if chown(&folder, Some(54321), None).is_err() {
            // Only the superuser can change the owner of files.
            return;
        }
        let (warnings, log) = model.load().await;
        assert_eq!(log, FILES);
        assert!(warnings.iter().any(|w| w.contains("belongs to user 54321")), "{warnings:?}");
        assert!(model.load_with(model.cache().with_offline(true)).await.is_err());
        chown(&folder, Some(me), None).unwrap();
        model.load().await;
    }
}

/// Another user of the folder may hold the lock for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_held_leaves_time_for_a_load_without_the_cache() {
    use tfjs_io::{IoOptions, Timeouts};
    let model = Fixture::new().await;
    model.load().await;
    // That of the weights: the time begins with the request for the JSON.
    let mut locks = fs::read_dir(model.folder().join("v1/locks")).unwrap().map(|entry| entry.unwrap().path());
    let held = File::open(locks.find(|path| path.extension().is_some_and(|e| e == "model")).unwrap()).unwrap();
    held.lock().unwrap();
    let timeouts = Timeouts::default().with_total(std::time::Duration::from_secs(8));
    let options = IoOptions::default().with_cache(model.cache()).with_timeouts(timeouts);
    let warnings = io_harness::cached::load(&model.url(), options).await.unwrap();
    assert!(warnings.iter().any(|w| w.contains("has held the lock")), "{warnings:?}");
}

/// Holds the lock as another process would.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_held_is_reported_after_two_seconds() {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};
    use tfjs_io::{IoOptions, Phase};
    let model = Fixture::new().await;
    model.load().await;
    let mut head = fs::read_dir(model.folder().join("v1/locks")).unwrap().map(|entry| entry.unwrap().path());
    let head = head.find(|path| path.extension().is_some_and(|e| e == "head")).unwrap();
    let held = File::open(&head).unwrap();
    held.lock().unwrap();
    let seen: Arc<Mutex<Vec<(Duration, String)>>> = Arc::default();
    let (record, start) = (seen.clone(), Instant::now());
    let options = IoOptions::default().with_cache(model.cache()).with_on_progress(move |progress| {
        if progress.phase == Phase::Waiting {
            record.lock().unwrap().push((start.elapsed(), progress.file.as_deref().unwrap_or_default().to_owned()));
        }
    });
    let url = model.url();
    let load = tokio::spawn(async move { io_harness::cached::load(&url, options).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(held);
    assert_eq!(load.await.unwrap().unwrap(), Vec::<String>::new());
    let seen = seen.lock().unwrap();
    let [(after, lock)] = &seen[..] else { panic!("expected one report: {seen:?}") };
    assert!(*after >= Duration::from_secs(2) && *lock == head.display().to_string(), "{seen:?}");
}
