//! Saves a model as a `.zip`: writes a temporary file, then renames it. Files are stored without compression, because
//! weights hardly compress.

use crate::base::url::MODEL_JSON;
use crate::model::cx::IoCx;
use crate::model::handler::{SaveArtifacts, SaveResult};
use crate::place::file::write_file_with;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tfjs_manifest::{Error, Result};

pub(super) async fn save(path: &Path, artifacts: SaveArtifacts, cx: &IoCx) -> Result<SaveResult> {
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
        return Err(Error::unsupported("expected an archive that ends in `.zip`; others can only be read")
            .in_file(path.display()));
    }
    artifacts.check(MODEL_JSON, cx)?;
    let path = path.to_owned();
    crate::base::blocking::run(move || {
        write_file_with(&path, |file| write(file, &artifacts))?;
        Ok(SaveResult::new(path.display().to_string(), artifacts.weights.len() + 1, artifacts.bytes()))
    })
    .await
}

fn write(out: impl Write, artifacts: &SaveArtifacts) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(BufWriter::new(out));
    let json = (MODEL_JSON, &artifacts.model_json);
    let weights = artifacts.weights.iter().map(|(path, bytes)| (path.strip_prefix("./").unwrap_or(path), bytes));
    for (path, bytes) in std::iter::once(json).chain(weights) {
        let file = archive.new_file(path).compression_method(CompressionMethod::STORE);
        let (mut entry, config) = file.start().map_err(io::Error::other)?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(bytes)?;
        let (_, descriptor) = writer.finish().map_err(io::Error::other)?;
        entry.finish(descriptor).map_err(io::Error::other)?;
    }
    archive.finish().map_err(io::Error::other)?.flush()
}
