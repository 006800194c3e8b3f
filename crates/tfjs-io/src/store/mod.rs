//! The model store: lists, copies, moves and removes models in every place that has files.
//!
//! The reference is TensorFlow.js's `io/model_management.ts`: `listModels`, `copyModel`, `moveModel`, `removeModel`.

mod copy;
mod remove;

use crate::base::files::BoxFuture;
use crate::base::url::{MODEL_JSON, ModelUrl};
use crate::model::cx::IoCx;
use crate::model::handler::IoHandler;
use crate::model::options::IoOptions;
use crate::model::own::{ModelInfo, Stored, is_json};
use crate::model::scheme::Registry;
use copy::Source;
use futures_util::stream::{self, StreamExt};
use std::sync::Arc;
use tfjs_manifest::{Error, Kind, Result};

/// Lists, copies, moves and removes models in all places that the schemes of a registry can reach.
///
/// Only the weights manifest of a model's JSON is read, not its layers, so graph models work as well. A model can be
/// copied from every place it can be loaded from, to every place that can save or whose files can be written
/// ([`IoHandler::files`]).
///
/// ```
/// use tfjs_io::{IoCx, IoOptions, MemoryStore, ModelStore, Registry, SaveArtifacts};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tfjs_io::Result<()> {
/// let registry = Registry::default().with("mem", MemoryStore::new());
/// let json = r#"{"modelTopology": {}, "weightsManifest": []}"#;
/// let cx = IoCx::with_registry(IoOptions::default(), registry.clone());
/// tfjs_io::save("mem://digits", SaveArtifacts::new(json, vec![]), &cx).await?;
///
/// let store = ModelStore::new(registry);
/// store.copy("mem://digits", "mem://kept/digits").await?;
/// store.rename("mem://digits", "mem://letters").await?;
/// store.remove("mem://letters").await?;
/// let left = store.list("mem://").await?;
/// assert_eq!(left[0].url.to_string(), "mem://kept/digits/model.json");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ModelStore {
    registry: Registry,
    options: IoOptions,
}

/// A model found by [`ModelStore::list`].
#[derive(Debug)]
#[non_exhaustive]
pub struct ListedModel {
    /// The URL or path from which it can be loaded.
    pub url: ModelUrl,
    /// Its description; an error for a `model.json` that cannot be read.
    pub info: Result<ModelInfo>,
}

impl ModelStore {
    /// A store for the models of these schemes.
    pub fn new(registry: Registry) -> Self {
        ModelStore { registry, options: IoOptions::default() }
    }

    /// Sets the options for the transport: headers, limits, progress.
    #[must_use]
    pub fn with_io(mut self, options: IoOptions) -> Self {
        self.options = options;
        self
    }

    /// The models in a folder and its subfolders, sorted by name: every JSON file that has a model's topology or a
    /// weights manifest. A file named `model.json` that cannot be read is listed with its error; other JSON files that
    /// are not models are skipped.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a place that cannot list its files, such as a web server.
    pub async fn list(&self, folder: &str) -> Result<Vec<ListedModel>> {
        let cx = &self.cx();
        let url = ModelUrl::parse(folder)?;
        let (base, query) = match url.as_url() {
            None => (None, ""),
            Some(text) => {
                let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
                let slash = if path.ends_with('/') { "" } else { "/" };
                (Some(format!("{path}{slash}")), query)
            }
        };
        let place = base.as_deref().map_or(Ok(url.clone()), ModelUrl::parse)?;
        let files = self.registry.files(&place, query, cx)?;
        let paths = files.list("").await.map_err(|e| e.in_file(&url))?;
        let found = paths.into_iter().filter(|path| is_json(path)).map(|path| {
            let named = match (&base, url.as_path()) {
                (None, Some(folder)) => Ok(ModelUrl::from_path(folder.join(&path))),
                (base, _) => ModelUrl::parse(&format!("{}{path}{query}", base.as_deref().unwrap_or_default())),
            };
            let files = files.clone();
            // Boxed, because otherwise the compiler cannot prove that the futures are `Send`.
            let read: BoxFuture<'_, _> = Box::pin(async move { (Stored::open(&*files, &path, cx).await, path, named) });
            read
        });
        let found: Vec<_> = found.collect();
        let mut found = stream::iter(found).buffered(self.options.concurrency.max(1));
        let mut models = Vec::new();
        while let Some((stored, path, url)) = found.next().await {
            let expected = path.rsplit('/').next() == Some(MODEL_JSON);
            let info = stored.map(|stored| stored.info);
            if info.is_ok() || expected {
                models.push(ListedModel { url: url?, info });
            }
        }
        Ok(models)
    }

    /// Describes one model.
    ///
    /// # Errors
    /// Any error of reading its JSON.
    pub async fn info(&self, url: &str) -> Result<ModelInfo> {
        let cx = &self.cx();
        let place = self.place(url)?;
        match place.handler.files(cx).await {
            Ok(home) => Ok(Stored::open(&**home.place(), home.json_name(), cx).await?.info),
            // A model that can be loaded, but has no writable files.
            Err(_) => {
                let artifacts = place.handler.load(cx).await?;
                Ok(Stored::read(artifacts.model_json, &artifacts.location, cx)?.info)
            }
        }
    }

    /// Copies a model: its JSON, and the weight files in its manifest, under the same names. An existing model at the
    /// target is replaced: its JSON and the weight files that [belong to it](Self::remove). Other files are never
    /// replaced: another file with the name of a new one is an error. Bytes are streamed and counted. If the target
    /// writes atomically, as folders and memory do, a failed copy leaves the target unchanged. For a target that is
    /// written at once, a `.zip` or a web server, the model is first read into memory.
    ///
    /// # Errors
    /// [`Kind::Misuse`] for a copy onto itself, and for one that would replace files that do not belong to the existing
    /// model; [`Kind::Mismatch`] for weight files whose lengths are not those of the manifest; [`Kind::Unsupported`]
    /// for a target that cannot be written, and for names that begin with a dot.
    pub async fn copy(&self, from: &str, to: &str) -> Result<ModelInfo> {
        let cx = &self.cx();
        let (from, to) = self.distinct(from, to).await?;
        let target = match to.handler.files(cx).await {
            Err(e) if e.kind() == Kind::Unsupported => None,
            target => Some(target?),
        };
        let source = Source::load(&*from.handler, cx).await?;
        match target {
            Some(target) => copy::copy(&source, &target, cx).await?,
            None => copy::hand_over(&source, &*to.handler, cx).await?,
        }
        Ok(source.into_info())
    }

    /// Moves a model: [copies](Self::copy) it, reads the copy again and compares it byte by byte with the original,
    /// then [removes](Self::remove) the original. Until then the original is not touched.
    ///
    /// # Errors
    /// Those of [`copy`](Self::copy) and [`remove`](Self::remove).
    pub async fn rename(&self, from: &str, to: &str) -> Result<ModelInfo> {
        let cx = &self.cx();
        let (from, to) = self.distinct(from, to).await?;
        // Checked first: a model that cannot be removed need not be copied.
        let (home, target) = (from.handler.files(cx).await?, to.handler.files(cx).await?);
        let source = Source::load(&*from.handler, cx).await?;
        remove::removable(&home, &source.stored, cx).await?;
        copy::copy(&source, &target, cx).await?;
        // DIFFERENCE: TensorFlow.js removes the original before it saves the copy, and loses both if that fails.
        copy::verify(&source, &home, &target).await?;
        remove::moved(&home, &source.stored, &target, cx).await.map_err(|e| {
            let error = format!("the copy at `{}` is complete, but the original was not removed", target.location());
            Error::new(e.kind(), error).in_file(home.location()).with_source(e)
        })?;
        Ok(source.into_info())
    }

    /// Removes a model: its JSON first, then the weight files that belong to it. These are the files in its manifest,
    /// if the files of each group add up to the length in the manifest, except files that another model in one of their
    /// folders names too. A folder on disk loses all of them or none, even if the process dies.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] for other lengths, and for string weights, whose length is not in the manifest;
    /// [`Kind::Unsupported`] for names that begin with a dot; any error of reading its JSON or another JSON in the same
    /// folders. After these errors nothing has been removed. In other places than a folder, if a weight file cannot be
    /// removed, the others still are, and the error lists the file.
    pub async fn remove(&self, url: &str) -> Result<ModelInfo> {
        let cx = &self.cx();
        let home = self.place(url)?.handler.files(cx).await?;
        let stored = Stored::open(&**home.place(), home.json_name(), cx).await?;
        remove::remove(&home, &stored, cx).await?;
        Ok(stored.info)
    }

    /// A new context, because each serves one operation only.
    fn cx(&self) -> IoCx {
        IoCx::with_registry(self.options.clone(), self.registry.clone())
    }

    fn place(&self, url: &str) -> Result<Place> {
        let url = ModelUrl::parse(url)?;
        Ok(Place { handler: self.registry.resolve(&url)?, url })
    }

    /// Resolves two URLs, with an error if they name the same model.
    async fn distinct(&self, from: &str, to: &str) -> Result<(Place, Place)> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        if from.url == to.url || same_model(&from.url, &to.url).await? {
            return Err(Error::misuse("source and target are the same model; expected another target").in_file(&to.url));
        }
        Ok((from, to))
    }
}

/// The place of a model, or of a copy to be made.
struct Place {
    url: ModelUrl,
    handler: Arc<dyn IoHandler>,
}

async fn same_model(a: &ModelUrl, b: &ModelUrl) -> Result<bool> {
    #[cfg(not(target_family = "wasm"))]
    use crate::model::handlers::file::real_path;
    #[cfg(not(target_family = "wasm"))]
    if let (Some(a), Some(b)) = (a.as_path(), b.as_path()) {
        let (a, b) = (a.to_owned(), b.to_owned());
        return crate::base::blocking::run(move || Ok(real_path(&a) == real_path(&b))).await;
    }
    Ok(a.split().is_some() && a.split() == b.split())
}
