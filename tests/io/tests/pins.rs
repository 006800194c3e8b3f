//! SHA-256 checksums of a model's files: accepted spellings, and that every changed file is refused.

use io_harness::archives::{ZipEntry, zip};
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::load::{check_error, groups};
use io_harness::sha256;
use io_harness::sink::{TestSink, pattern};
use std::fs;
use std::sync::Arc;
use tfjs_io::{
    BoxFuture, CheckedFiles, Checksums, Files, FilesHandler, FolderFiles, IoCx, IoHandler, IoOptions, MemoryFiles,
    MemoryHandler, ModelArtifacts, ModelUrl, OpenOptions, Registry, Result, WeightSource, fetch_weights,
    load_artifacts,
};
use tfjs_manifest::Kind;

const JSON: &[u8] = b"{\"a\": 1}";
const A: usize = 5;
const B: usize = (1 << 20) + 12_345;
const GROUPS: &[&[&str]] = &[&["./a.bin", "w/b.bin"]];

fn parts() -> [(&'static str, Vec<u8>); 3] {
    let all = pattern(A + B);
    [("model.json", JSON.to_vec()), ("a.bin", all[..A].to_vec()), ("w/b.bin", all[A..].to_vec())]
}

fn sums() -> Checksums {
    parts().iter().fold(Checksums::new(), |sums, (name, bytes)| sums.with(name, sha256(bytes)))
}

async fn load(handler: &dyn IoHandler, sums: Checksums) -> Result<TestSink> {
    let cx = IoCx::new(IoOptions::default().with_checksums(sums));
    let artifacts = load_artifacts(handler, &cx).await?;
    let sink = TestSink::new().group(&[4, A + B - 4]);
    let sink = fetch_weights(&artifacts.weights, &groups(GROUPS), sink, &cx).await?;
    assert!(sink.bytes(0) == pattern(A + B));
    Ok(sink)
}

fn memory() -> MemoryFiles {
    parts().into_iter().collect()
}

fn in_memory() -> FilesHandler {
    FilesHandler::new(Arc::new(memory()), "model.json")
}

#[tokio::test]
async fn every_place_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("w")).unwrap();
    for (name, bytes) in parts() {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let archive = dir.path().join("m.zip");
    let entries: Vec<ZipEntry> = parts().iter().map(|(name, bytes)| ZipEntry::deflated(name, bytes)).collect();
    fs::write(&archive, zip(&entries)).unwrap();
    let server = FaultServer::start(|request| {
        let path = request.target.split('?').next().unwrap_or_default();
        let found = parts().into_iter().find(|(name, _)| path == format!("/m/{name}"));
        found.map_or_else(|| Reply::status("404 Not Found", &[], ""), |(_, bytes)| Reply::ok(bytes))
    })
    .await;
    let of = |url: &str| Registry::default().resolve(&ModelUrl::parse(url).unwrap()).unwrap();
    let folder = of(dir.path().to_str().unwrap());
    let archive = of(archive.to_str().unwrap());
    let http = of(&server.url("/m/model.json?sig=a/b"));
    let custom: Arc<dyn IoHandler> = Arc::new(Custom);
    let memory: Arc<dyn IoHandler> = Arc::new(MemoryHandler::new(JSON, memory()));
    let download = FaultServer::start(move |_| Reply::ok(zip(&entries))).await;
    let remote = of(&download.url("/m.zip?sig=a/b"));
    for handler in [folder, archive, http, custom, memory, remote] {
        let place = handler.location();
        for sums in
            [sums(), sums().with_strict(true), Checksums::new(), Checksums::new().with("a.bin", sha256(&pattern(A)))]
        {
            load(&*handler, sums).await.unwrap_or_else(|e| panic!("{place}: {e:?}"));
        }
        for (name, _) in parts() {
            let wrong = sums().with(name, sha256(b"another"));
            let error = check_error(load(&*handler, wrong).await, Kind::Mismatch, "", &sha256(b"another"));
            assert!(error.message().contains("the file is not the expected one"), "{place}: {error:?}");
            // The place of a JSON in memory or of a custom handler is the handler's location.
            let named = error.place().file.as_deref().is_some_and(|file| file.contains(name));
            assert!(named || name == "model.json", "{place}: {error:?}");
        }
    }
}

/// A handler without code for checksums.
struct Custom;

impl IoHandler for Custom {
    fn load<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async { Ok(ModelArtifacts::new("custom", JSON, memory().into())) })
    }
}

#[tokio::test]
async fn one_changed_byte_anywhere_is_found() {
    for at in [0, 1 << 20, (1 << 20) + 1, B - 1] {
        let mut bytes = parts()[2].1.clone();
        bytes[at] ^= 0x80;
        let files = memory().with("w/b.bin", bytes.clone());
        let handler = FilesHandler::new(Arc::new(files), "model.json");
        let error = check_error(load(&handler, sums()).await, Kind::Mismatch, "w/b.bin", &sha256(&parts()[2].1));
        assert!(error.message().contains(&sha256(&bytes)), "{error}");
    }
}

#[tokio::test]
async fn a_file_of_another_length_is_found() {
    for change in [|b: &mut Vec<u8>| b.truncate(B - 1), |b: &mut Vec<u8>| b.push(0), |b: &mut Vec<u8>| b.clear()] {
        let mut bytes = parts()[2].1.clone();
        change(&mut bytes);
        let handler = FilesHandler::new(Arc::new(memory().with("w/b.bin", bytes)), "model.json");
        check_error(load(&handler, sums()).await, Kind::Mismatch, "w/b.bin", "");
    }
}

#[tokio::test]
async fn an_empty_file_has_a_sum_too() {
    let files = CheckedFiles::new(Arc::new(MemoryFiles::new().with("e", "")), Checksums::new().with("e", sha256(b"")));
    let mut body = files.open("e", OpenOptions::default()).await.unwrap().into_stream();
    assert!(futures_util::StreamExt::next(&mut body).await.is_none());
    let files = CheckedFiles::new(Arc::new(MemoryFiles::new().with("e", "")), Checksums::new().with("e", sha256(b"x")));
    let mut body = files.open("e", OpenOptions::default()).await.unwrap().into_stream();
    let error = futures_util::StreamExt::next(&mut body).await.unwrap();
    check_error(error, Kind::Mismatch, "e", &sha256(b""));
}

#[tokio::test]
async fn a_sum_for_a_file_the_model_has_not() {
    let extra = sums().with("c.bin", sha256(b""));
    check_error(load(&in_memory(), extra).await, Kind::Mismatch, "c.bin", "the model has no such file");
    // A checksum for a JSON of another name.
    let other = Checksums::new().with("other.json", sha256(JSON));
    check_error(load(&in_memory(), other).await, Kind::Mismatch, "other.json", "the model has no such file");
}

#[tokio::test]
async fn strict_wants_a_sum_for_every_file() {
    let strict = |sums: Checksums| sums.with_strict(true);
    let without = |left_out: &str| {
        let parts = parts().into_iter().filter(|(name, _)| *name != left_out);
        parts.fold(Checksums::new(), |sums, (name, bytes)| sums.with(name, sha256(&bytes)))
    };
    for (name, _) in parts() {
        check_error(load(&in_memory(), strict(without(name))).await, Kind::Mismatch, name, "no checksum");
    }
    check_error(load(&in_memory(), strict(Checksums::new())).await, Kind::Mismatch, "model.json", "no checksum");
}

#[tokio::test]
async fn the_json_goes_by_its_own_name_or_model_json() {
    let files: MemoryFiles =
        parts().into_iter().map(|(name, bytes)| (name.replace("model.json", "mine.json"), bytes)).collect();
    let handler = FilesHandler::new(Arc::new(files), "mine.json");
    load(&handler, sums()).await.unwrap();
    let own = Checksums::parse(&format!("{}  mine.json\n", sha256(JSON))).unwrap();
    load(&handler, own.clone()).await.unwrap();
    let wrong = own.with("mine.json", sha256(b""));
    check_error(load(&handler, wrong).await, Kind::Mismatch, "mine.json", "SHA-256");
}

#[tokio::test]
async fn a_sum_that_is_none_is_misuse() {
    for (name, _) in parts() {
        for sum in ["", "abc", &sha256(b"")[..63], &"x".repeat(64)] {
            let result = load(&in_memory(), Checksums::new().with(name, sum)).await;
            check_error(result, Kind::Misuse, name, "64 hexadecimal digits");
        }
    }
    // In capital letters, as some tools print them.
    let upper =
        parts().iter().fold(Checksums::new(), |sums, (name, bytes)| sums.with(name, sha256(bytes).to_uppercase()));
    load(&in_memory(), upper).await.unwrap();
}

#[tokio::test]
async fn a_json_nobody_checked_is_not_trusted() {
    let fetch = async |sums: Checksums| {
        let cx = IoCx::new(IoOptions::default().with_checksums(sums));
        let artifacts = in_memory().load(&cx).await?;
        let sink = TestSink::new().group(&[A + B]);
        fetch_weights(&artifacts.weights, &groups(GROUPS), sink, &cx).await
    };
    check_error(fetch(sums()).await, Kind::Misuse, "model.json", "load_artifacts");
    check_error(fetch(Checksums::new().with_strict(true)).await, Kind::Mismatch, "a.bin", "no checksum");
    fetch(Checksums::new().with("a.bin", sha256(&pattern(A)))).await.unwrap();
}

#[tokio::test]
async fn weights_in_one_piece_have_no_files_to_check() {
    let whole = MemoryHandler::new(JSON, WeightSource::Whole(vec![pattern(A + B).into()]));
    check_error(
        load(&whole, sums()).await.map_err(|e| e.in_file("")),
        Kind::Misuse,
        "",
        "one buffer without file names",
    );
    load(&whole, Checksums::new().with("model.json", sha256(JSON))).await.unwrap();
}

#[tokio::test]
async fn files_without_a_sum_are_read_as_ever() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "x").unwrap();
    let sums = Checksums::new().with("b", sha256(b""));
    let files = CheckedFiles::new(Arc::new(FolderFiles::new(dir.path())), sums);
    let opened = files.open("a", OpenOptions::default()).await.unwrap();
    assert!(matches!(opened.body, tfjs_io::Body::File(_)));
    assert_eq!(files.list("").await.unwrap(), ["a"]);
}

#[tokio::test]
async fn options_show_sums_and_take_them_one_by_one() {
    let options = IoOptions::default().with_sha256("./model.json", sha256(JSON));
    assert_eq!(options.checksums, Checksums::new().with("model.json", sha256(JSON)));
    assert!(format!("{options:?}").contains(&sha256(JSON)));
}
