//! Prints how many cases of each layer, producer and engine pass; `cargo xtask conformance` runs it.

use harness::cases::{Case, all_cases};
use std::collections::BTreeMap;
use std::process::ExitCode;
use tfjs::Engine;

/// Passed, run, and the largest difference of those passed.
#[derive(Default)]
struct Cell {
    passed: usize,
    run: usize,
    worst: f64,
}

fn main() -> ExitCode {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let cases: Vec<Case> = all_cases().into_iter().filter(|c| c.id.contains(&filter)).collect();
    let mut table: BTreeMap<(String, String, &str), Cell> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in &cases {
        for engine in [Engine::Native, Engine::Candle] {
            let result = case.run(engine);
            for layer in &case.about.layers {
                let cell = table.entry((layer.clone(), case.about.producer.clone(), engine.name())).or_default();
                cell.run += 1;
                if let Ok(difference) = &result {
                    cell.passed += 1;
                    cell.worst = cell.worst.max(*difference);
                }
            }
            if let Err(why) = result {
                failures.push(format!("{} ({}): {why}", case.id, engine.name()));
            }
        }
    }
    println!("{:<28} {:<22} {:<9} {:>9}  worst difference", "layer", "producer", "engine", "passed");
    for ((layer, producer, engine), cell) in &table {
        println!("{layer:<28} {producer:<22} {engine:<9} {:>4}/{:<4}  {:.1e}", cell.passed, cell.run, cell.worst);
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    println!("{} cases, {} runs failed", cases.len(), failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
