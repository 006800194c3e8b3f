//! Copies a model's files from one place to another, one at a time, and counts their bytes. Compares original and copy.

use crate::base::files::{Body, Files, OpenOptions, Opened, Purpose};
use crate::base::progress::Phase;
use crate::base::stream::into_stream;
use crate::model::checksums::{checked, load_artifacts};
use crate::model::cx::IoCx;
use crate::model::handler::{IoHandler, SaveArtifacts, WeightSource};
use crate::model::handlers::files::FilesHandler;
use crate::model::own::{ModelInfo, Stored, former_files};
use crate::place::memory::MemoryFiles;
use bytes::{Buf, Bytes};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tfjs_manifest::{Error, Result};

/// The model to copy, as its handler loads it.
pub(super) struct Source {
    pub(super) stored: Stored,
    weights: Arc<dyn Files>,
}

impl Source {
    pub(super) async fn load(handler: &dyn IoHandler, cx: &IoCx) -> Result<Source> {
        let artifacts = load_artifacts(handler, cx).await?;
        let stored = Stored::read(artifacts.model_json, &artifacts.location, cx)?;
        let paths: Vec<String> = stored.files.iter().map(|file| file.path.clone()).collect();
        let weights = match (checked(&artifacts.weights, &[paths], cx)?, &stored.files[..]) {
            (WeightSource::Files(files), _) => files,
            (_, []) => Arc::new(MemoryFiles::new()),
            (WeightSource::Whole(pieces), [file]) => {
                let whole = if let [piece] = &pieces[..] { piece.clone() } else { pieces.concat().into() };
                Arc::new(MemoryFiles::new().with(&file.path, whole))
            }
            (WeightSource::Whole(_), files) => {
                let error = format!("weights in one buffer cannot be split into the manifest's {} files", files.len());
                return Err(Error::unsupported(error).in_file(&artifacts.location));
            }
            (WeightSource::None, files) => {
                let error =
                    format!("the model names {} weight files, but its handler returned no weights", files.len());
                return Err(Error::misuse(error).in_file(&artifacts.location));
            }
        };
        Ok(Source { stored, weights })
    }

    /// Describes the copy.
    pub(super) fn into_info(self) -> ModelInfo {
        ModelInfo { saved: Some(SystemTime::now()), ..self.stored.info }
    }
}

/// Writes the model to its new place, and removes files of a former model that are not replaced.
pub(super) async fn copy(source: &Source, target: &FilesHandler, cx: &IoCx) -> Result<()> {
    let names: Vec<String> = source.stored.files.iter().map(|file| file.name.clone()).collect();
    let former = former_files(target, &names, cx).await?;
    let ledger = Arc::new(Ledger::new(&source.stored, cx));
    let mut files = passing_all(source, &ledger);
    files.push((target.json_name().to_owned(), Body::Bytes(source.stored.json.clone())));
    target.place().replace(former, files).await?;
    ledger.finish()
}

/// Saves the model through a handler that writes all files at once, from memory.
pub(super) async fn hand_over(source: &Source, target: &dyn IoHandler, cx: &IoCx) -> Result<()> {
    let memory = MemoryFiles::new();
    let ledger = Arc::new(Ledger::new(&source.stored, cx));
    memory.put_all(passing_all(source, &ledger)).await?;
    ledger.finish()?;
    let weights = source.stored.files.iter().map(|file| {
        let bytes = memory.get(&file.name).ok_or_else(|| Error::bug("a file that was read is missing in memory"))?;
        Ok((file.path.clone(), bytes))
    });
    let artifacts = SaveArtifacts::new(source.stored.json.clone(), weights.collect::<Result<_>>()?);
    target.save(artifacts, cx).await.map(drop).map_err(|e| e.in_file(target.location()))
}

/// The weight files with their names in the folder. Their bytes are counted as they are read.
fn passing_all(source: &Source, ledger: &Arc<Ledger>) -> Vec<(String, Body)> {
    let (cx, stored) = (&ledger.cx, &source.stored);
    cx.reporter().begin(Phase::Weights, stored.files.len(), stored.info.weight_bytes);
    let files = stored.files.iter().enumerate();
    files.map(|(i, f)| (f.name.clone(), Body::Stream(passing(source.weights.clone(), &f.path, i, ledger)))).collect()
}

/// Reads the copy and the original, which is at `home`, again and compares them.
pub(super) async fn verify(source: &Source, home: &FilesHandler, target: &FilesHandler) -> Result<()> {
    let files = &**target.place();
    let original = open(&**home.place(), home.json_name(), Purpose::Json).await?;
    same_bytes(original, open(files, target.json_name(), Purpose::Json).await?).await?;
    for file in &source.stored.files {
        let original = open(&*source.weights, &file.path, Purpose::Weights).await?;
        same_bytes(original, open(files, &file.name, Purpose::Weights).await?).await?;
    }
    Ok(())
}

async fn open(files: &dyn Files, path: &str, purpose: Purpose) -> Result<Opened> {
    files.open(path, OpenOptions::new(purpose)).await.map_err(|e| e.in_file(files.location(path)))
}

/// A file of the source. It is opened when it is first polled, and each chunk is counted.
fn passing(files: Arc<dyn Files>, path: &str, index: usize, ledger: &Arc<Ledger>) -> BoxStream<'static, Result<Bytes>> {
    let (path, ledger) = (path.to_owned(), ledger.clone());
    let opened = async move {
        let Opened { location, len, body, .. } = open(&*files, &path, Purpose::Weights).await?;
        let file: Arc<str> = location.into();
        ledger.cx.reporter().opened(&file);
        let state = (into_stream(body, len), 0u64);
        Ok(stream::try_unfold(state, move |(mut chunks, count)| {
            let (ledger, file) = (ledger.clone(), file.clone());
            async move {
                let chunk = chunks.next().await.transpose();
                let next = chunk.and_then(|chunk| match chunk {
                    Some(chunk) => {
                        let count = count.saturating_add(chunk.len() as u64);
                        ledger.passes(index, count)?;
                        ledger.cx.reporter().bytes(&file, chunk.len() as u64);
                        Ok(Some((chunk, (chunks, count))))
                    }
                    None => {
                        if let Some(len) = len.filter(|&len| len != count) {
                            let error = format!("expected a body of {len} bytes, as announced, found {count}");
                            return Err(Error::mismatch(error));
                        }
                        ledger.passed(index, count)?;
                        ledger.cx.reporter().done(&file);
                        Ok(None)
                    }
                });
                next.map_err(|e| e.in_file(&file))
            }
        }))
    };
    stream::once(opened).try_flatten().boxed()
}

/// Compares the bytes that have been read with the lengths of the manifest's groups.
struct Ledger {
    /// For each file, the groups that contain it.
    files: Vec<Vec<usize>>,
    /// For each group, its length if the manifest has it, and its maximum length, in bytes.
    needs: Vec<(Option<u64>, u64)>,
    /// For each group, the number of files not yet read, and the number of bytes read.
    state: Mutex<Vec<(usize, u64)>>,
    cx: IoCx,
}

impl Ledger {
    fn new(stored: &Stored, cx: &IoCx) -> Self {
        let mut files = vec![Vec::new(); stored.files.len()];
        for (g, group) in stored.groups.iter().enumerate() {
            group.files.iter().for_each(|&file| files[file].push(g));
        }
        let needs = stored.groups.iter().map(|group| (group.total, group.most)).collect();
        let state = stored.groups.iter().map(|group| (group.files.len(), 0)).collect();
        Ledger { files, needs, state: Mutex::new(state), cx: cx.clone() }
    }

    /// Checks the bytes of a file so far, so that an endless file does not fill the disk.
    fn passes(&self, file: usize, count: u64) -> Result<()> {
        match self.files[file].iter().find(|&&g| count > self.needs[g].1) {
            Some(&g) => Err(self.wrong(g, "more")),
            None => Ok(()),
        }
    }

    /// Records that a file was read to its end, and checks the total length of its groups.
    fn passed(&self, file: usize, count: u64) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for &g in &self.files[file] {
            let (left, sum) = &mut state[g];
            (*left, *sum) = (left.saturating_sub(1), sum.saturating_add(count));
            let (total, most) = self.needs[g];
            if *sum > most || (*left == 0 && total.is_some_and(|total| total != *sum)) {
                return Err(self.wrong(g, &sum.to_string()));
            }
        }
        Ok(())
    }

    /// Checks that all files have been read to their ends.
    fn finish(&self) -> Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.iter().all(|(left, _)| *left == 0) {
            true => {
                self.cx.reporter().end();
                Ok(())
            }
            false => Err(Error::bug("the target did not read all files to their ends")),
        }
    }

    fn wrong(&self, group: usize, found: &str) -> Error {
        let (total, most) = self.needs[group];
        let expected = total.map_or_else(|| format!("{most} bytes at most"), |total| format!("{total} bytes"));
        Error::mismatch(format!("weight group {group}: expected {expected} in its files, found {found}"))
    }
}

/// Checks that the copy has the same bytes as the original. The error names the copy.
async fn same_bytes(original: Opened, copy: Opened) -> Result<()> {
    let location = copy.location;
    let mut ones = into_stream(original.body, original.len);
    let mut others = into_stream(copy.body, copy.len);
    let (mut one, mut other) = (Bytes::new(), Bytes::new());
    let mut at = 0u64;
    loop {
        if one.is_empty() {
            one = next(&mut ones).await?;
        }
        if other.is_empty() {
            other = next(&mut others).await.map_err(|e| e.in_file(&location))?;
        }
        let n = one.len().min(other.len());
        if one[..n] != other[..n] || (n == 0 && one.len() != other.len()) {
            let error = format!("the copy differs from the original after {at} bytes; the original is kept");
            return Err(Error::mismatch(error).in_file(location));
        }
        if n == 0 {
            return Ok(());
        }
        at += n as u64;
        one.advance(n);
        other.advance(n);
    }
}

/// The next bytes; empty at the end.
async fn next(chunks: &mut BoxStream<'static, Result<Bytes>>) -> Result<Bytes> {
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if !chunk.is_empty() {
            return Ok(chunk);
        }
    }
    Ok(Bytes::new())
}
