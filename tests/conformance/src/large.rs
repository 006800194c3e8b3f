//! Models that are too large for the repository, from their paths and from an HTTP server, on both engines: differences
//! from their producer, and times. `cargo xtask golden --large` runs it.

use harness::cases::Case;
use io_harness::fault_server::{FaultServer, Reply};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tfjs::{Engine, LoadOptions};

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if folders.is_empty() {
        eprintln!("usage: large FOLDER...");
        return ExitCode::from(2);
    }
    let mut failed = false;
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        failed |= !compare(&Case::read(name, folder));
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints a line for each source of the model; returns whether all results are within the tolerance.
fn compare(case: &Case) -> bool {
    println!("{}: {}, tolerance {:.0e}", case.id, case.about.producer, case.about.kind.tolerance());
    println!("{:<8} {:<9} {:>11} {:>12} {:>12}", "from", "engine", "difference", "load", "predict");
    let mut passed = true;
    for engine in [Engine::Native, Engine::Candle] {
        for http in [false, true] {
            let from = if http { "http" } else { "path" };
            match measure(case, engine, http) {
                Ok(line) => println!("{from:<8} {:<9} {line}", engine.name()),
                Err(why) => {
                    println!("{from:<8} {:<9} FAILED {why}", engine.name());
                    passed = false;
                }
            }
        }
    }
    passed
}

/// Difference, and the times of the fastest of three loads and of the first prediction with all inputs.
fn measure(case: &Case, engine: Engine, http: bool) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let path = case.folder.to_str().ok_or("the path is not UTF-8")?;
    let folder = case.folder.clone();
    let (model, load) = runtime.block_on(async {
        let server = FaultServer::start(move |request| {
            match std::fs::read(folder.join(request.target.trim_start_matches('/'))) {
                Ok(bytes) => Reply::ok(bytes),
                Err(_) => Reply::status("404 Not Found", &[], ""),
            }
        });
        let server = server.await;
        let source = if http { server.url("/model.json") } else { path.to_owned() };
        let mut best: Option<(tfjs::LayersModel, f64)> = None;
        for _ in 0..3 {
            let started = Instant::now();
            let options = LoadOptions::new().with_engine(engine);
            let model = tfjs::load_layers_model(source.as_str(), options).await.map_err(|e| e.to_string())?;
            let ms = started.elapsed().as_secs_f64() * 1e3;
            if best.as_ref().is_none_or(|(_, fastest)| ms < *fastest) {
                best = Some((model, ms));
            }
        }
        best.ok_or_else(|| "nothing was loaded".to_owned())
    })?;
    let started = Instant::now();
    let difference = case.compare(&model)?;
    let predict = started.elapsed().as_secs_f64() * 1e3;
    Ok(format!("{difference:>11.3e} {load:>9.1} ms {predict:>9.1} ms"))
}
