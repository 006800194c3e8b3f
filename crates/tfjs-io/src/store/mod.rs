//! The model store: what models there are, copies, moves, removals, over every place that has files.
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

/// Lists, copies, moves and removes models, wherever a registry's schemes keep them.
///
/// Only the weights manifest of a model's JSON is read, not its layers, so graph models can be kept as well. A model can be copied from every place it can be loaded from, and copied to
/// every place whose files can be written: [`IoHandler::files`].
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

/// A model that was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct ListedModel {
    /// Its name, by which it can be loaded.
    pub url: ModelUrl,
    /// Its description; an error for a `model.json` that cannot be read.
    pub info: Result<ModelInfo>,
}

impl ModelStore {
    /// The models of these schemes.
    pub fn new(registry: Registry) -> Self {
        ModelStore { registry, options: IoOptions::default() }
    }

    /// With other options for the transport: headers, limits, progress.
    #[must_use]
    pub fn with_io(mut self, options: IoOptions) -> Self {
        self.options = options;
        self
    }

    /// The models in a folder and in those below it, sorted by name: every JSON file that has a model's topology or a
    /// weights manifest. Files called `model.json` that cannot be read are listed with what is wrong with them; other
    /// JSON files that are no models are passed over.
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
            // Boxed, or the compiler finds the futures not general enough to be sent.
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
    /// Whatever keeps its JSON from being read.
    pub async fn info(&self, url: &str) -> Result<ModelInfo> {
        let cx = &self.cx();
        let place = self.place(url)?;
        match place.handler.files(cx).await {
            Ok(home) => Ok(Stored::open(&**home.place(), home.json_name(), cx).await?.info),
            // What can only be loaded.
            Err(_) => {
                let artifacts = place.handler.load(cx).await?;
                Ok(Stored::read(artifacts.model_json, &artifacts.location, cx)?.info)
            }
        }
    }

    /// Copies a model: its JSON, and the weight files its manifest names under the names they have. A model that was
    /// there is replaced: its JSON and the weight files that are [its own](Self::remove). Nothing else is: another
    /// file of such a name is an error. The bytes pass through and are counted; where the target writes all or
    /// nothing, as folders and memory do, a copy that fails leaves what was there. A target that is written as a
    /// whole, a `.zip` or a web server, gets the model from memory.
    ///
    /// # Errors
    /// [`Kind::Misuse`] for a copy onto itself, and for one whose files would replace others than the former model's;
    /// [`Kind::Mismatch`] for weight files that have not the length the manifest asks for; [`Kind::Unsupported`] for a
    /// target that cannot be written, and for names that begin with a dot.
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

    /// Moves a model: [`copy`](Self::copy), then the copy is read again and compared byte by byte with the original,
    /// then the original is [removed](Self::remove). Until then it is not touched.
    ///
    /// # Errors
    /// Those of both.
    pub async fn rename(&self, from: &str, to: &str) -> Result<ModelInfo> {
        let cx = &self.cx();
        let (from, to) = self.distinct(from, to).await?;
        // Asked first: what cannot be removed need not be copied.
        let (home, target) = (from.handler.files(cx).await?, to.handler.files(cx).await?);
        let source = Source::load(&*from.handler, cx).await?;
        remove::removable(&home, &source.stored, cx).await?;
        copy::copy(&source, &target, cx).await?;
        // DIFFERENCE: TensorFlow.js removes the original before it saves the copy, and loses both if that fails.
        copy::verify(&source, &home, &target).await?;
        remove::moved(&home, &source.stored, &target, cx).await.map_err(|e| {
            let error = format!("the copy at `{}` is complete, but the original is not removed", target.location());
            Error::new(e.kind(), error).in_file(home.location()).with_source(e)
        })?;
        Ok(source.into_info())
    }

    /// Removes a model: its JSON first, then the weight files that are its own. Those are the files its manifest names,
    /// if the files of each group have together the length that the manifest says and no other model whose JSON is
    /// in one of their folders names them too.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] for other lengths, and for string weights, whose lengths a manifest does not say;
    /// [`Kind::Unsupported`] for names that begin with a dot; whatever keeps its JSON or that of a neighbour from being
    /// read. After these nothing has been removed. A file that cannot be removed does not keep the others.
    pub async fn remove(&self, url: &str) -> Result<ModelInfo> {
        let cx = &self.cx();
        let home = self.place(url)?.handler.files(cx).await?;
        let stored = Stored::open(&**home.place(), home.json_name(), cx).await?;
        remove::remove(&home, &stored, cx).await?;
        Ok(stored.info)
    }

    /// A context serves one operation.
    fn cx(&self) -> IoCx {
        IoCx::with_registry(self.options.clone(), self.registry.clone())
    }

    fn place(&self, url: &str) -> Result<Place> {
        let url = ModelUrl::parse(url)?;
        Ok(Place { handler: self.registry.resolve(&url)?, url })
    }

    /// Two places, unless they are plainly one.
    async fn distinct(&self, from: &str, to: &str) -> Result<(Place, Place)> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        if from.url == to.url || same_model(&from.url, &to.url).await? {
            return Err(Error::misuse("this is the model itself; expected another place").in_file(&to.url));
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
