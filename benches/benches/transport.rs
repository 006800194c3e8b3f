//! Loads a model of 3 GB from files and over HTTP on loopback, in shards of 4 MiB as the converter writes them and in
//! one file as TensorFlow.js saves it. Compares the time with a plain read and a plain hyper download of the same
//! bytes, and the peak memory with the size of the weights. Every run is a separate process.

use bench_support::models::{self, Result};
use bench_support::processes::{Run, Served, run};
use bench_support::{Options, Timing};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, child, what] = &args[..]
        && let Some(name) = child.strip_prefix("--child-")
    {
        return bench_support::processes::child(name, what);
    }
    let options = Options::parse(args.into_iter().skip(1))?;
    // Twelve layers of 8192 by 8192: 3.2 GB.
    let (width, layers, rounds) = if options.smoke { (64, 2, 1) } else { (8192, 12, 5) };
    let bytes = layers as u64 * width as u64 * (width as u64 + 1) * 4;
    println!("{:<22}{:>34}{:>34}", "", "plain", "load");
    for (cut, shard) in [("of 4 MiB", models::SHARD), ("one file", usize::MAX)] {
        let folder = tempfile::tempdir()?;
        let model = models::synthetic(folder.path(), width, layers, shard)?;
        let location = model.location();
        let files = format!("files, {cut}");
        compare(&files, bytes, rounds, || run("read", &location), || run("load", &location))?;
        let served = Served::start(folder.path())?;
        let url = served.url();
        let http = format!("http, {cut}");
        compare(&http, bytes, rounds, || run("download", &url), || run("load", &format!("{url}/model.json")))?;
    }
    Ok(())
}

/// Runs both in turns, and prints the median time, the rate, and the peak memory minus the size of the weights.
fn compare(
    name: &str,
    bytes: u64,
    rounds: usize,
    mut plain: impl FnMut() -> Result<Run>,
    mut load: impl FnMut() -> Result<Run>,
) -> Result<()> {
    let mut runs = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        runs.0.push(plain()?);
        runs.1.push(load()?);
    }
    let side = |runs: &[Run]| {
        let time = Timing::of(runs.iter().map(|r| r.time).collect());
        let most = runs.iter().map(|r| r.peak_bytes).max().unwrap_or_default();
        let rate = bytes as f64 / time.median.as_secs_f64() / 1e9;
        let over = (most as f64 - bytes as f64) / f64::from(1 << 20);
        (
            time.median.as_secs_f64(),
            format!("{:>8.0} ms {rate:>6.2} GB/s {over:>+7.0} MiB", time.median.as_secs_f64() * 1e3),
        )
    };
    let ((a, plain), (b, load)) = (side(&runs.0), side(&runs.1));
    println!("{name:<22}{plain:>34}{load:>34}   {:.0} % of plain, {rounds} runs each", a / b * 100.0);
    Ok(())
}
