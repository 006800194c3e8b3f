//! Invalid, hostile and damaged archives: one test for each case, which checks the kind and place of the error.

use io_harness::archives::{ZipEntry, explore, gzip, pax, tar, tar_entry, tar_entry_with_length, zip, zip_with_count};
use io_harness::load::{check_error, load};
use io_harness::sink::{TestSink, pattern};
use std::fs;
use std::sync::Arc;
use tfjs_io::{ArchiveFiles, Files, IoCx, IoOptions, MemoryFiles, OpenOptions, Result, WeightSource, fetch_weights};
use tfjs_manifest::{Kind, Limits};

/// Opens and reads everything, from memory and from disk; both results must be equal.
async fn read(name: &str, bytes: &[u8], limits: &Limits) -> Result<u64> {
    let result = ArchiveFiles::from_bytes(name, bytes.to_vec(), limits).and_then(|files| files.verify());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let on_disk = match ArchiveFiles::open(&path, limits).await {
        Ok(files) => tokio::task::spawn_blocking(move || files.verify()).await.unwrap(),
        Err(e) => Err(e),
    };
    let text = |result: &Result<u64>| match result {
        Ok(count) => format!("{count}"),
        Err(e) => format!("{:?}: {}", e.kind(), e.message()),
    };
    assert_eq!(text(&result), text(&on_disk));
    result
}

#[track_caller]
fn check(result: Result<u64>, kind: Kind, place: &str, says: &str) {
    check_error(result, kind, place, says);
}

async fn zip_refused(entries: &[ZipEntry], kind: Kind, place: &str, says: &str) {
    check(read("m.zip", &zip(entries), &Limits::default()).await, kind, place, says);
}

async fn tar_refused(bytes: &[u8], kind: Kind, place: &str, says: &str) {
    check(read("m.tar", bytes, &Limits::default()).await, kind, place, says);
    check(read("m.tgz", &gzip(bytes), &Limits::default()).await, kind, &place.replace("m.tar", "m.tgz"), says);
}

fn small(name: &str) -> ZipEntry {
    ZipEntry::stored(name, b"0123")
}

#[tokio::test]
async fn names_that_leave_the_folder() {
    for (name, why) in [
        ("../x", "leaves the model's folder"),
        ("a/../../x", "leaves the model's folder"),
        ("..\\x", "leaves the model's folder"),
        ("a\\..\\..\\x", "leaves the model's folder"),
        ("%2e%2e/x", "leaves the model's folder"),
        ("/etc/passwd", "is absolute"),
        ("\\\\h\\x", "is absolute"),
        ("C:\\x", "is a URL or has a drive letter"),
        ("C:x", "is a URL or has a drive letter"),
        ("a\0b", "has a control character"),
        ("", "is empty"),
    ] {
        let place = format!("m.zip!/{}", name.replace('\\', "/").escape_debug());
        zip_refused(&[small("model.json"), small(name)], Kind::Malformed, &place, why).await;
    }
    for (name, why) in [
        ("../x", "leaves the model's folder"),
        ("a/../../x", "leaves the model's folder"),
        ("..\\x", "has a backslash"),
        ("/etc/passwd", "is absolute"),
        ("C:x", "is a URL or has a drive letter"),
    ] {
        let place = format!("m.tar!/{}", name.escape_debug());
        tar_refused(&tar(&[("model.json", b"{}"), (name, b"x")]), Kind::Malformed, &place, why).await;
    }
}

#[tokio::test]
async fn a_name_too_long() {
    let name = "a".repeat(1025);
    zip_refused(&[small(&name)], Kind::Limit, &"a".repeat(200), "limit `path_chars`").await;
}

#[tokio::test]
async fn names_that_are_no_text_are_not_there() {
    let bytes = zip(&[ZipEntry::stored(b"\xff.bin", b"0123"), small("a")]);
    assert_eq!(ArchiveFiles::from_bytes("m.zip", bytes, &Limits::default()).unwrap().names(), ["a"]);
}

/// The file is not listed, opening it fails with the reason, and the other files can be read.
async fn check_not_followed(name: &str, bytes: Vec<u8>, what: &str) {
    let files = ArchiveFiles::from_bytes(name, bytes, &Limits::default()).unwrap();
    assert_eq!((files.names(), files.verify().unwrap()), (vec!["a.bin".to_owned()], 4));
    let result = files.open("w.bin", OpenOptions::default()).await;
    check_error(
        result,
        Kind::Unsupported,
        &format!("{name}!/w.bin"),
        &format!("found {what}, which is never followed"),
    );
}

#[tokio::test]
async fn links_and_devices_are_never_followed() {
    for (mode, what) in [(0o120_777, "a link"), (0o020_600, "a device or folder"), (0o060_600, "a device or folder")] {
        let link = ZipEntry::stored("w.bin", b"/etc/passwd").with(|e| e.mode = mode);
        check_not_followed("m.zip", zip(&[link, small("a.bin")]), what).await;
    }
    for (kind, what) in [
        (b'1', "a link"),
        (b'2', "a link"),
        (b'3', "a device or pipe"),
        (b'4', "a device or pipe"),
        (b'6', "a device or pipe"),
        (b'Z', "something else"),
    ] {
        let bytes = [tar_entry(kind, "w.bin", b""), tar(&[("a.bin", b"0123")])].concat();
        check_not_followed("m.tar", bytes, what).await;
    }
}

#[tokio::test]
async fn two_entries_of_one_name() {
    let says = "two entries of this name";
    zip_refused(&[small("a/b"), small("c"), small("./a//b")], Kind::Malformed, "m.zip!/a/b", says).await;
    tar_refused(&tar(&[("a", b"1"), ("a", b"2")]), Kind::Malformed, "m.tar!/a", says).await;
}

#[tokio::test]
async fn a_bomb_that_says_so() {
    let mut limits = Limits::default();
    limits.archive_bytes = 100_000;
    let zeros = vec![0; 60_000];
    let bytes = zip(&[ZipEntry::deflated("a", &zeros), ZipEntry::deflated("b", &zeros)]);
    assert!(bytes.len() < 1000);
    let says = "limit `archive_bytes`: allowed 100000, asked 120000";
    check(read("m.zip", &bytes, &limits).await, Kind::Limit, "m.zip", says);
    let huge = ZipEntry::deflated("a", &zeros).with(|e| {
        (e.len, e.packed) = (u32::MAX, e.packed);
        e.extra = [&1u16.to_le_bytes()[..], &8u16.to_le_bytes(), &u64::MAX.to_le_bytes()].concat();
    });
    zip_refused(
        &[huge.clone(), huge.with(|e| e.name = b"b".to_vec())],
        Kind::Limit,
        "m.zip",
        "asked 18446744073709551615",
    )
    .await;
}

#[tokio::test]
async fn weights_that_become_many_times_as_long_are_refused() {
    let bytes = zip(&[ZipEntry::deflated("w.bin", &vec![0; 32 << 20])]);
    let open = |limits: Limits| {
        let bytes = bytes.clone();
        async move {
            let files = ArchiveFiles::from_bytes("m.zip", bytes, &limits)?;
            files.open("w.bin", OpenOptions::default()).await.map(|opened| opened.len.unwrap_or(0))
        }
    };
    check(open(Limits::default()).await, Kind::Limit, "w.bin", "limit `inflation");
    let mut limits = Limits::default();
    limits.inflation = 10_000;
    open(limits).await.expect("it is allowed");
}

#[tokio::test]
async fn weights_that_become_many_times_as_long_together_are_refused() {
    let zeros = vec![0; 9 << 20];
    let bytes = zip(&[ZipEntry::deflated("a.bin", &zeros), ZipEntry::deflated("b.bin", &zeros)]);
    let files = ArchiveFiles::from_bytes("m.zip", bytes, &Limits::default()).unwrap();
    check(files.open("a.bin", OpenOptions::default()).await.map(|_| 0), Kind::Limit, "a.bin", "limit `inflation");
    let bytes = gzip(&tar(&[("a.bin", &zeros), ("b.bin", &zeros)]));
    let files = ArchiveFiles::from_bytes("m.tgz", bytes, &Limits::default());
    check(files.map(|_| 0), Kind::Limit, "m.tgz", "limit `inflation");
}

#[tokio::test]
async fn a_file_that_many_groups_name_is_refused() {
    let files = MemoryFiles::new().with("w.bin", vec![1; 3 << 20]);
    let load = async |times: usize| {
        let groups = vec![vec!["w.bin".to_owned()]; times];
        let sink = (0..times).fold(TestSink::new(), |sink, _| sink.group(&[3 << 20]));
        let source = WeightSource::Files(Arc::new(files.clone()));
        fetch_weights(&source, &groups, sink, &IoCx::default()).await.map(drop)
    };
    load(3).await.expect("few bytes are repeated");
    let error = load(9).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Limit, "{error}");
}

#[tokio::test]
async fn a_bomb_that_does_not_say_so() {
    let bomb = ZipEntry::deflated("a", &vec![0; 10 << 20]).with(|e| e.len = 10);
    zip_refused(&[bomb], Kind::Malformed, "m.zip!/a", "the archive says 10 bytes, the file has more").await;
}

#[tokio::test]
async fn a_bomb_around_a_tar() {
    let mut limits = Limits::default();
    limits.archive_bytes = 1 << 20;
    let bytes = gzip(&tar(&[("a", &vec![0; 40 << 20])]));
    check(read("m.tgz", &bytes, &limits).await, Kind::Limit, "m.tgz", "limit `archive_bytes`: allowed 1048576");
}

#[tokio::test]
async fn too_many_entries() {
    let mut limits = Limits::default();
    limits.archive_entries = 9;
    let names: Vec<String> = (0..10).map(|i| format!("{i}/")).collect();
    let says = "limit `archive_entries`: allowed 9, asked 10";
    let bytes = zip(&names.iter().map(|n| ZipEntry::stored(n, b"")).collect::<Vec<_>>());
    check(read("m.zip", &bytes, &limits).await, Kind::Limit, "m.zip", says);
    let bytes: Vec<u8> = names.iter().flat_map(|n| tar_entry(b'5', n, b"")).collect();
    check(read("m.tar", &bytes, &limits).await, Kind::Limit, "m.tar", says);
}

#[tokio::test]
async fn lengths_that_lie() {
    let data = pattern(3000);
    let deflated = |change: fn(&mut ZipEntry)| [ZipEntry::deflated("a", &data).with(change), small("b")];
    let at = "m.zip!/a";
    zip_refused(&deflated(|e| e.len -= 1), Kind::Malformed, at, "says 2999 bytes, the file has more").await;
    zip_refused(&deflated(|e| e.len += 1), Kind::Malformed, at, "says 3001 bytes, the file has 3000").await;
    zip_refused(&deflated(|e| e.packed -= 1), Kind::Malformed, at, "").await;
    zip_refused(&deflated(|e| e.packed += 1), Kind::Malformed, "", "").await;
    zip_refused(&deflated(|e| e.packed = 0), Kind::Malformed, at, "").await;
    zip_refused(&deflated(|e| e.packed = u32::MAX - 1), Kind::Malformed, at, "a file ends beyond the end").await;
    let stored = |change: fn(&mut ZipEntry)| [small("a").with(change), small("b")];
    zip_refused(&stored(|e| e.len = 5), Kind::Malformed, at, "says 5 bytes, stored uncompressed in 4").await;
    zip_refused(&stored(|e| (e.len, e.packed) = (3, 3)), Kind::Malformed, at, "checksum").await;
    zip_refused(&[ZipEntry::deflated("a", b"").with(|e| e.len = 1)], Kind::Malformed, at, "the file has 0").await;
}

#[tokio::test]
async fn deflated_bytes_that_are_none() {
    let bad = ZipEntry::stored("a", &[0xff; 40]).with(|e| e.method = 8);
    zip_refused(&[bad], Kind::Malformed, "m.zip!/a", "corrupt").await;
}

#[tokio::test]
async fn a_checksum_that_is_wrong() {
    let says = "expected the checksum (CRC-32) 00000001";
    zip_refused(&[small("a").with(|e| e.crc = 1)], Kind::Malformed, "m.zip!/a", says).await;
    let deflated = ZipEntry::deflated("a", &pattern(3 << 20)).with(|e| e.crc = 1);
    zip_refused(&[deflated], Kind::Malformed, "m.zip!/a", says).await;
    let mut bytes = gzip(&tar(&[("a", &pattern(3 << 20))]));
    let end = bytes.len() - 8;
    bytes[end] ^= 1;
    check(read("m.tgz", &bytes, &Limits::default()).await, Kind::Malformed, "m.tgz", "corrupt");
}

#[tokio::test]
async fn nobody_fills_a_sink_from_a_damaged_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.zip");
    let bad = ZipEntry::deflated("w.bin", &pattern(3 << 20)).with(|e| e.crc = 1);
    fs::write(&path, zip(&[ZipEntry::stored("model.json", b"{}"), bad])).unwrap();
    let sink = TestSink::new().group(&[3 << 20]);
    let result = load(path.to_str().unwrap(), &[&["w.bin"]], sink, IoOptions::default()).await;
    check_error(result, Kind::Malformed, "m.zip!/w.bin", "the file is damaged");
}

#[tokio::test]
async fn entries_that_share_their_bytes() {
    let says = "shares bytes of the archive with";
    // Two names for one file.
    zip_refused(&[small("a"), small("b").with(|e| e.begins = Some(0))], Kind::Malformed, "", says).await;
    // A file that extends into the next one's header, as in zip bombs with overlapping files.
    let (first, second) = (small("a"), small("b"));
    let longer = first.with(|e| (e.len, e.packed) = (20, 20));
    zip_refused(&[longer, second], Kind::Malformed, "m.zip!/b", "shares bytes of the archive with `a`").await;
    // One that extends into the directory.
    let last = small("a").with(|e| (e.len, e.packed) = (20, 20));
    zip_refused(&[last], Kind::Malformed, "", says).await;
}

#[tokio::test]
async fn a_directory_that_points_elsewhere() {
    zip_refused(
        &[small("a"), small("b").with(|e| e.begins = Some(1))],
        Kind::Malformed,
        "m.zip!/b",
        "directory is invalid",
    )
    .await;
    let beyond = small("b").with(|e| e.begins = Some(u32::MAX - 1));
    zip_refused(&[small("a"), beyond], Kind::Malformed, "m.zip!/b", "").await;
    let bytes = zip_with_count(&[small("a"), small("b")], 1);
    let says = "the archive says 1 entries, its directory has 2";
    check(read("m.zip", &bytes, &Limits::default()).await, Kind::Malformed, "m.zip", says);
    let bytes = zip_with_count(&[small("a")], 3);
    check(read("m.zip", &bytes, &Limits::default()).await, Kind::Malformed, "m.zip", "says 3 entries");
}

#[tokio::test]
async fn a_zip_cut_off_anywhere() {
    let bytes = zip(&[small("a"), ZipEntry::deflated("b", &pattern(300)), small("c/")]);
    for len in 0..bytes.len() {
        let result = ArchiveFiles::from_bytes("m.zip", bytes[..len].to_vec(), &Limits::default());
        check_error(result.and_then(|f| f.verify()), Kind::Malformed, "m.zip", "not a");
    }
}

#[tokio::test]
async fn a_tar_cut_off_anywhere() {
    let bytes = tar(&[("a", &pattern(700)), ("b", &pattern(10))]);
    for len in 1..bytes.len() {
        let result = ArchiveFiles::from_bytes("m.tar", bytes[..len].to_vec(), &Limits::default());
        // Padding may be missing, as may be the blocks of zeros at the end.
        let whole = matches!(len, 1212..=1536 | 2058..=2560 | 3072..);
        match result.and_then(|files| files.verify()) {
            Ok(_) => assert!(whole, "{len}"),
            Err(e) => assert_eq!((e.kind(), whole), (Kind::Malformed, false), "{len}: {e:?}"),
        }
    }
    let bytes = gzip(&bytes);
    for len in 2..bytes.len() {
        let result = ArchiveFiles::from_bytes("m.tgz", bytes[..len].to_vec(), &Limits::default());
        check_error(result, Kind::Malformed, "m.tgz", "truncated");
    }
}

#[tokio::test]
async fn bytes_before_and_after() {
    let bytes = zip(&[small("a"), ZipEntry::deflated("b", &pattern(3000))]);
    for around in [[&b"MZ a program"[..], &bytes].concat(), [&bytes, &b"a comment that nobody declared"[..]].concat()] {
        assert_eq!(read("m.zip", &around, &Limits::default()).await.unwrap(), 3004);
    }
    let far = [&bytes[..], &vec![0; 2 << 20]].concat();
    check(read("m.zip", &far, &Limits::default()).await, Kind::Malformed, "m.zip", "no directory at its end");
    check(
        read("m.zip", &[b"MZ", &far[..]].concat(), &Limits::default()).await,
        Kind::Malformed,
        "m.zip",
        "not an archive",
    );
    let bytes = tar(&[("a", b"0123")]);
    assert_eq!(read("m.tar", &[&bytes[..], b"garbage"].concat(), &Limits::default()).await.unwrap(), 4);
    check(
        read("m.tar", &[b"garbage", &bytes[..]].concat(), &Limits::default()).await,
        Kind::Malformed,
        "m.tar",
        "not an archive",
    );
    let after = [&gzip(&bytes)[..], b"garbage that is longer than a header"].concat();
    check(read("m.tgz", &after, &Limits::default()).await, Kind::Malformed, "m.tgz", "corrupt");
}

#[tokio::test]
async fn encrypted_files() {
    for flags in [1, 0x41, 0x2001] {
        let secret = small("w.bin").with(|e| e.flags = flags);
        let files = ArchiveFiles::from_bytes("m.zip", zip(&[secret, small("a.bin")]), &Limits::default()).unwrap();
        assert_eq!(files.names(), ["a.bin"]);
        let result = files.open("w.bin", OpenOptions::default()).await;
        check_error(result, Kind::Unsupported, "m.zip!/w.bin", "the file is encrypted");
    }
}

#[tokio::test]
async fn methods_that_cannot_be_read_are_named() {
    for (method, name) in [
        (1, "shrunk"),
        (6, "imploded"),
        (9, "deflate64"),
        (12, "bzip2"),
        (14, "lzma"),
        (93, "zstd"),
        (95, "xz"),
        (77, "method 77"),
    ] {
        let packed = small("w.bin").with(|e| e.method = method);
        let files = ArchiveFiles::from_bytes("m.zip", zip(&[packed, small("a.bin")]), &Limits::default()).unwrap();
        let result = files.open("w.bin", OpenOptions::default()).await;
        check_error(result, Kind::Unsupported, "m.zip!/w.bin", &format!("compressed with {name}, which"));
    }
}

#[tokio::test]
async fn large_fields_in_a_small_zip() {
    let entry = ZipEntry::deflated("a", &pattern(3000)).with(|e| {
        let sizes = [u64::from(e.len).to_le_bytes(), u64::from(e.packed).to_le_bytes()].concat();
        (e.len, e.packed) = (u32::MAX, u32::MAX);
        e.extra = [&1u16.to_le_bytes()[..], &16u16.to_le_bytes(), &sizes].concat();
    });
    assert_eq!(read("m.zip", &zip(std::slice::from_ref(&entry)), &Limits::default()).await.unwrap(), 3000);
    let cut = entry.with(|e| e.extra.truncate(10));
    zip_refused(&[cut], Kind::Malformed, "", "").await;
}

#[tokio::test]
async fn empty_archives() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in
        [("m.zip", zip(&[])), ("m.tar", vec![0; 1024]), ("m.tgz", gzip(&vec![0; 10240])), ("m.tgz", gzip(b""))]
    {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let result = load(path.to_str().unwrap(), &[], TestSink::new(), IoOptions::default()).await;
        check_error(result, Kind::Fetch, name, "the archive has no `model.json`; it has no files");
    }
    fs::write(dir.path().join("m.zip"), b"").unwrap();
    let result = load(dir.path().join("m.zip").to_str().unwrap(), &[], TestSink::new(), IoOptions::default()).await;
    check_error(result, Kind::Malformed, "m.zip", "not an archive");
}

#[tokio::test]
async fn folders_in_folders() {
    let deep = "a/".repeat(500) + "w.bin";
    assert_eq!(read("m.zip", &zip(&[small(&deep)]), &Limits::default()).await.unwrap(), 4);
    let deeper = "a/".repeat(600) + "w.bin";
    zip_refused(&[small(&deeper)], Kind::Limit, "", "limit `path_chars`").await;
}

#[tokio::test]
async fn what_is_no_archive() {
    for name in ["m.zip", "m.tar", "m.tgz"] {
        let text = b"<!doctype html><title>404 Not Found</title>".repeat(20);
        check(read(name, &text, &Limits::default()).await, Kind::Malformed, name, "neither zip nor tar nor gzip");
    }
    check(
        read("m.tgz", &gzip(&pattern(2000)), &Limits::default()).await,
        Kind::Malformed,
        "m.tgz",
        "header is invalid",
    );
    check(read("m.tgz", &gzip(b"{}"), &Limits::default()).await, Kind::Malformed, "m.tgz", "truncated");
}

#[tokio::test]
async fn tar_headers_that_are_broken() {
    let mut bytes = tar(&[("a", b"0123"), ("b", b"0123")]);
    bytes[1024 + 20] ^= 1;
    tar_refused(&bytes, Kind::Malformed, "m.tar", "a header is invalid").await;
    let mut bytes = tar(&[("a", b"0123")]);
    bytes[124..136].copy_from_slice(b"not a number");
    tar_refused(&bytes, Kind::Malformed, "m.tar", "a header is invalid").await;
}

#[tokio::test]
async fn tar_lengths_that_lie() {
    for len in [600, 1 << 40, u64::MAX, u64::MAX - 511, u64::MAX - 1023] {
        tar_refused(
            &tar_entry_with_length(b'0', "a", b"0123", len),
            Kind::Malformed,
            "m.tar!/a",
            "beyond the end of the archive",
        )
        .await;
        tar_refused(&tar_entry_with_length(b'g', "a", b"0123", len), Kind::Malformed, "m.tar", "truncated").await;
    }
}

#[tokio::test]
async fn sparse_files_in_a_tar() {
    let says = "stored as a sparse file";
    tar_refused(&tar_entry(b'S', "a", b"0123"), Kind::Unsupported, "m.tar!/a", says).await;
    let holes = tar_entry(b'x', "h", &[pax("GNU.sparse.major", "1"), pax("GNU.sparse.minor", "0")].concat());
    tar_refused(&[holes, tar(&[("a", b"0123")])].concat(), Kind::Unsupported, "m.tar!/a", says).await;
}

#[tokio::test]
async fn long_names_in_a_tar() {
    let long = "long/".repeat(60) + "w.bin";
    for header in
        [tar_entry(b'L', "././@LongLink", format!("{long}\0").as_bytes()), tar_entry(b'x', "h", &pax("path", &long))]
    {
        let bytes = [header, tar(&[("cut off", b"0123")])].concat();
        let files = ArchiveFiles::from_bytes("m.tar", bytes, &Limits::default()).unwrap();
        assert_eq!(files.names(), [long.as_str()]);
    }
    for evil in ["../x", "/x"] {
        for header in [tar_entry(b'L', "l", evil.as_bytes()), tar_entry(b'x', "h", &pax("path", evil))] {
            let place = format!("m.tar!/{evil}");
            tar_refused(&[header, tar(&[("fine", b"0123")])].concat(), Kind::Malformed, &place, "model's folder").await;
        }
    }
}

#[tokio::test]
async fn pax_headers_that_lie() {
    let with = |header: Vec<u8>| [header, tar(&[("a", b"0123")])].concat();
    let said = |key: &str, value: &str| with(tar_entry(b'x', "h", &pax(key, value)));
    assert_eq!(read("m.tar", &said("size", "4"), &Limits::default()).await.unwrap(), 4);
    assert_eq!(read("m.tar", &said("size", "3"), &Limits::default()).await.unwrap(), 3);
    tar_refused(&said("size", "9999"), Kind::Malformed, "m.tar!/a", "beyond the end of the archive").await;
    tar_refused(&said("size", "18446744073709551615"), Kind::Malformed, "m.tar!/a", "beyond the end of the archive")
        .await;
    tar_refused(&said("size", "-1"), Kind::Malformed, "m.tar", "a header is invalid").await;
    tar_refused(&with(tar_entry(b'x', "h", b"99 path=a\n")), Kind::Malformed, "m.tar", "a header is invalid").await;
    let huge = with(tar_entry(b'x', "h", &pax("comment", &"x".repeat(2 << 20))));
    tar_refused(&huge, Kind::Limit, "m.tar", "bytes of an extended header").await;
    let huge = with(tar_entry(b'L', "l", &vec![b'x'; 2 << 20]));
    tar_refused(&huge, Kind::Limit, "m.tar", "bytes of an extended header").await;
    // The path in a global header is ignored.
    let global = with(tar_entry(b'g', "h", &pax("path", "../x")));
    assert_eq!(read("m.tar", &global, &Limits::default()).await.unwrap(), 4);
}

fn all(bytes: &[u8]) -> Result<u64> {
    explore(bytes, Limits::default())?.bytes
}

/// Changes every byte of small archives in several ways, and reorders their parts.
#[test]
fn damage_never_panics() {
    let entries =
        [small("model.json"), ZipEntry::deflated("w/a.bin", &pattern(100)), small("link").with(|e| e.mode = 0o120_777)];
    let long = tar_entry(b'x', "h", &[pax("path", "m/model.json"), pax("size", "2")].concat());
    let tarball = [long, tar(&[("cut", b"{}"), ("m/w.bin", &pattern(600))])].concat();
    let (mut fine, mut refused) = (0, 0);
    for seed in [zip(&entries), gzip(&tarball), tarball] {
        all(&seed).unwrap();
        for at in 0..seed.len() {
            for change in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = seed.clone();
                bytes[at] = if change == 1 { bytes[at].wrapping_add(1) } else { change };
                match all(&bytes) {
                    Ok(_) => fine += 1,
                    Err(e) => {
                        assert!(!matches!(e.kind(), Kind::Bug | Kind::Misuse), "{e:?}");
                        refused += 1;
                    }
                }
            }
        }
        for cut in 0..seed.len().min(2000) {
            let _ = all(&seed[cut..]);
            let _ = all(&[&seed[cut..], &seed[..cut]].concat());
        }
    }
    assert!(fine > 1000 && refused > 1000, "{fine} {refused}");
}
