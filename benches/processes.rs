//! Measurements in child processes, so that the peak memory is that of one run; and the code that the children run.

use crate::models::{Result, shards};
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Files at a time; a load has the same default.
const AT_A_TIME: usize = 8;

/// Time and memory of a child.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From the first request to the last byte, or until the model is loaded.
    pub time: Duration,
    /// Its peak memory.
    pub peak_bytes: u64,
}

/// Runs `--child-NAME WHAT` of this program.
///
/// # Errors
/// The child fails.
pub fn run(name: &str, what: &str) -> Result<Run> {
    let output = Command::new(std::env::current_exe()?)
        .args([&format!("--child-{name}"), what])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the child `{name}` failed").into());
    }
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let number = |key: &str| answer[key].as_u64().ok_or_else(|| format!("the child `{name}` gave no `{key}`"));
    Ok(Run { time: Duration::from_nanos(number("ns")?), peak_bytes: number("peak_bytes")? })
}

/// Runs the code of the child with this name.
///
/// # Errors
/// An unknown name; an error while reading, downloading or loading.
pub fn child(name: &str, what: &str) -> Result<()> {
    let started;
    match name {
        "serve" => return Ok(crate::server::serve(Path::new(what))?),
        "load" => {
            started = Instant::now();
            drop(black_box(tfjs::blocking::load_layers_model(what, tfjs::LoadOptions::default())?));
        }
        "read" => {
            let paths: Vec<_> = shards(&std::fs::read(Path::new(what).join("model.json"))?)?;
            started = Instant::now();
            let read = |path| std::fs::read(Path::new(what).join(path));
            drop(black_box(paths.iter().map(read).collect::<std::io::Result<Vec<_>>>()?));
        }
        "download" => {
            started = Instant::now();
            drop(black_box(
                tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(download(what))?,
            ));
        }
        _ => return Err(format!("no child `{name}`").into()),
    }
    let ns = u64::try_from(started.elapsed().as_nanos())?;
    println!("{}", json!({"ns": ns, "peak_bytes": peak_bytes()?}));
    Ok(())
}

/// Downloads the same bytes with hyper only: every file into a vector of its length.
async fn download(url: &str) -> Result<Vec<Vec<u8>>> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let get = async |name: &str| -> Result<Vec<u8>> {
        let mut body = client.get(format!("{url}/{name}").parse()?).await?.into_body();
        let mut all = Vec::with_capacity(usize::try_from(hyper::body::Body::size_hint(&body).lower())?);
        while let Some(frame) = body.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                all.extend_from_slice(&bytes);
            }
        }
        Ok(all)
    };
    let paths = shards(&get("model.json").await?)?;
    futures_util::stream::iter(&paths).map(|path| get(path)).buffered(AT_A_TIME).try_collect().await
}

/// A server in a child process; dropping this kills it.
#[derive(Debug)]
pub struct Served {
    child: Child,
    port: u16,
}

impl Served {
    /// Serves a folder.
    ///
    /// # Errors
    /// The child does not start.
    pub fn start(folder: &Path) -> Result<Served> {
        let folder = folder.to_str().ok_or("a folder's name that is not UTF-8")?;
        let mut child =
            Command::new(std::env::current_exe()?).args(["--child-serve", folder]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Served { child, port: line.trim().parse()? })
    }

    /// The URL of the folder.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have exited already; the measurement has reported that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The peak memory of this process, as reported by Linux.
fn peak_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kib.ok_or("the system does not report the peak memory")? << 10)
}
