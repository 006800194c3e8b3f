//! Saves the model of every conformance case that loads, for `generate/check_saved.mjs` to load with the real
//! TensorFlow.js: `save_all FOLDER [FILTER [SHARD_BYTES [CASES]]]` writes `FOLDER/<producer>/<case>/`, with the warnings
//! beside the model. CASES is another folder of cases than the one that is checked in.

use harness::cases::{Case, all_cases, cases_in};
use std::path::Path;
use std::process::ExitCode;
use tfjs::{LoadOptions, SaveOptions};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: save_all FOLDER [FILTER [SHARD_BYTES [CASES]]]");
        return ExitCode::from(2);
    };
    let filter = args.next().unwrap_or_default();
    let options = match args.next().map(|bytes| bytes.parse()) {
        None => SaveOptions::new(),
        Some(Ok(bytes)) => SaveOptions::new().with_shard_bytes(bytes),
        Some(Err(why)) => {
            eprintln!("SHARD_BYTES: {why}");
            return ExitCode::from(2);
        }
    };
    let (mut saved, mut without_warnings, mut failed) = (0, 0, 0);
    let cases = args.next().map_or_else(all_cases, |cases| cases_in(Path::new(&cases)));
    for case in cases.into_iter().filter(|case| case.id.contains(&filter)) {
        match save(&case, &Path::new(&folder).join(&case.id), options.clone()) {
            Ok(warnings) => {
                saved += 1;
                without_warnings += usize::from(warnings == 0);
            }
            Err(why) => {
                failed += 1;
                println!("FAILED {}: {why}", case.id);
            }
        }
    }
    println!("{saved} models saved, {without_warnings} of them without a warning; {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn save(case: &Case, folder: &Path, options: SaveOptions) -> Result<usize, String> {
    let text = |e: tfjs::Error| e.to_string();
    let location = case.folder.to_str().ok_or("a path that is not UTF-8")?;
    let model = tfjs::blocking::load_layers_model(location, LoadOptions::new()).map_err(text)?;
    let target = folder.to_str().ok_or("a path that is not UTF-8")?;
    let report = tfjs::blocking::save(&model, target, options).map_err(text)?;
    let warnings = serde_json::to_vec(&report.warnings).map_err(|e| e.to_string())?;
    std::fs::write(folder.join("warnings.json"), warnings).map_err(|e| e.to_string())?;
    Ok(report.warnings.len())
}
