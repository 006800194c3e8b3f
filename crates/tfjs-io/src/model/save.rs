//! Saving by name: one function over the registry's handlers.

use super::cx::IoCx;
use super::handler::{SaveArtifacts, SaveResult};
use crate::base::url::ModelUrl;
use tfjs_manifest::Result;

/// Saves a model to a path or URL of a scheme that can: a folder (made if need be), the path of a `.json` file, an
/// `http://` or `https://` URL, and what else the context's registry knows.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a scheme that cannot save; whatever keeps the files
/// from being written. A model that was there is replaced, and no other file: one of such a name is an error, as are
/// names that begin with a dot. After an error, what was there before is still there; what a server does with half a
/// model is its own affair.
///
/// ```
/// # use tfjs_io::{IoCx, SaveArtifacts};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tfjs_io::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let folder = dir.path().join("digits").display().to_string();
/// let json = r#"{"weightsManifest": [{"paths": ["weights.bin"], "weights": []}]}"#;
/// let artifacts = SaveArtifacts::new(json, vec![("weights.bin".to_owned(), vec![0; 16].into())]);
/// let saved = tfjs_io::save(&folder, artifacts, &IoCx::default()).await?;
/// assert_eq!(saved.files, 2);
/// # Ok(())
/// # }
/// ```
pub async fn save(url: &str, artifacts: SaveArtifacts, cx: &IoCx) -> Result<SaveResult> {
    cx.registry().resolve(&ModelUrl::parse(url)?)?.save(artifacts, cx).await
}
