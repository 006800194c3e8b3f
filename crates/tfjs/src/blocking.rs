//! Blocking versions of the async functions. Each call creates its own tokio runtime.

use crate::options::LoadOptions;
use crate::save::{SaveOptions, SaveReport};
use crate::source::Source;
use tfjs_candle::LayersModel;
use tfjs_io::{ListedModel, ModelInfo, ModelStore};
use tfjs_manifest::{Error, Result};

/// Loads a model; see [`load_layers_model`](crate::load_layers_model).
///
/// # Errors
/// As the async function; [`Kind::Misuse`](crate::Kind::Misuse) inside a tokio runtime, whose worker it would block.
pub fn load_layers_model(source: impl Into<Source>, options: LoadOptions) -> Result<LayersModel> {
    run(crate::load_layers_model(source, options))
}

/// Saves a model; see [`save`](crate::save).
///
/// # Errors
/// As the async function; [`Kind::Misuse`](crate::Kind::Misuse) inside a tokio runtime, whose worker it would block.
pub fn save(model: &LayersModel, target: impl Into<Source>, options: SaveOptions) -> Result<SaveReport> {
    run(crate::save(model, target, options))
}

/// Lists the models in a folder and its subfolders; see [`ModelStore::list`].
///
/// # Errors
/// As the async function; [`Kind::Misuse`](crate::Kind::Misuse) inside a tokio runtime, whose worker it would block.
pub fn list_models(store: &ModelStore, folder: &str) -> Result<Vec<ListedModel>> {
    run(store.list(folder))
}

/// Copies a model; see [`ModelStore::copy`].
///
/// # Errors
/// As [`list_models`].
pub fn copy_model(store: &ModelStore, from: &str, to: &str) -> Result<ModelInfo> {
    run(store.copy(from, to))
}

/// Moves a model; see [`ModelStore::rename`].
///
/// # Errors
/// As [`list_models`].
pub fn move_model(store: &ModelStore, from: &str, to: &str) -> Result<ModelInfo> {
    run(store.rename(from, to))
}

/// Removes a model; see [`ModelStore::remove`].
///
/// # Errors
/// As [`list_models`].
pub fn remove_model(store: &ModelStore, url: &str) -> Result<ModelInfo> {
    run(store.remove(url))
}

pub(crate) fn run<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::misuse(
            "a blocking call inside a tokio runtime would stop its worker; await the async function instead",
        ));
    }
    // One thread receives while this one copies the received bytes to their destinations.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|e| Error::fetch("cannot start a runtime").with_source(e))?.block_on(future)
}
