//! Saves the model of every conformance case that loads, for `generate/check_saved.mjs` to load with the real
//! TensorFlow.js: `save_all FOLDER [FILTER [SHARD_BYTES [CASES]]]` writes `FOLDER/<producer>/<case>/`, with the warnings
//! beside the model. CASES is another folder of cases than the one that is checked in.

use harness::cases::{Case, all_cases, cases_in};
use std::path::Path;
use std::process::ExitCode;
use tfjs::{Error, Kind, LoadOptions, Result, SaveOptions};

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
    let (mut saved, mut without_warnings, mut refused, mut failed) = (0, 0, 0, 0);
    let cases = args.next().map_or_else(all_cases, |cases| cases_in(Path::new(&cases)));
    for case in cases.into_iter().filter(|case| case.id.contains(&filter)) {
        match save(&case, &Path::new(&folder).join(&case.id), options.clone()) {
            Ok(warnings) => {
                saved += 1;
                without_warnings += usize::from(warnings == 0);
            }
            // What TensorFlow.js would compute differently is not written.
            Err(why) if why.kind() == Kind::Unsupported => {
                refused += 1;
                println!("refused {}: {why}", case.id);
            }
            Err(why) => {
                failed += 1;
                println!("FAILED {}: {why}", case.id);
            }
        }
    }
    println!("{saved} models saved, {without_warnings} of them without a warning; {refused} refused, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn save(case: &Case, folder: &Path, options: SaveOptions) -> Result<usize> {
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| Error::misuse("a path that is not UTF-8"));
    let model = tfjs::blocking::load_layers_model(text(&case.folder)?, LoadOptions::new())?;
    let report = tfjs::blocking::save(&model, text(folder)?, options)?;
    let warnings = serde_json::to_vec(&report.warnings).map_err(Error::custom)?;
    std::fs::write(folder.join("warnings.json"), warnings).map_err(Error::custom)?;
    Ok(report.warnings.len())
}
