//! Loading a model from files and from memory, compared with a plain read (or copy) of the same bytes.

use bench_support::models::{self, Model, Result};
use bench_support::{Report, Side};
use std::path::PathBuf;
use std::sync::Arc;
use tfjs::parts::io::{Bytes, IoHandler, MemoryFiles, MemoryHandler};
use tfjs::{LayersModel, LoadOptions, Source};

fn main() -> Result<()> {
    let mut report = Report::new("load");
    let models = models::real(report.options.large)?;
    models.iter().try_for_each(|model| measure(&mut report, model))?;

    // 64 MiB of weights, so that handling the bytes takes most of the time.
    let folder = tempfile::tempdir()?;
    let (width, layers) = if report.options.smoke { (32, 2) } else { (2048, 4) };
    measure(&mut report, &models::synthetic(folder.path(), width, layers, models::SHARD)?)?;
    report.finish();
    Ok(())
}

fn measure(report: &mut Report, model: &Model) -> Result<()> {
    let names = [vec!["model.json".to_owned()], model.shards()?].concat();
    let paths: Vec<PathBuf> = names.iter().map(|name| model.folder.join(name)).collect();
    let files = paths.iter().map(std::fs::read).collect::<std::io::Result<Vec<_>>>()?;
    let bytes = files.iter().map(|file| file.len() as u64).sum();

    let location = model.location();
    load(location.as_str())?;
    report.pair(
        format!("{}, files", model.name),
        Some(bytes),
        Side("read", || paths.iter().map(std::fs::read).collect::<Vec<_>>()),
        Side("load", || load(location.as_str())),
    );

    let shared: Vec<Bytes> = files.iter().map(|file| Bytes::from(file.clone())).collect();
    let weights: MemoryFiles = names.iter().cloned().zip(shared.iter().cloned()).skip(1).collect();
    let handler: Arc<dyn IoHandler> = Arc::new(MemoryHandler::new(shared[0].clone(), weights));
    load(handler.clone())?;
    report.pair(
        format!("{}, memory", model.name),
        Some(bytes),
        Side("copy", || files.to_vec()),
        Side("load", || load(handler.clone())),
    );
    Ok(())
}

fn load(source: impl Into<Source>) -> tfjs::Result<LayersModel> {
    tfjs::blocking::load_layers_model(source, LoadOptions::default())
}
