//! Saves a model to a path or URL, with the handler that the registry has for it.

use super::cx::IoCx;
use super::handler::{SaveArtifacts, SaveResult};
use crate::base::url::ModelUrl;
use tfjs_manifest::Result;

/// Saves a model to a path or URL: a folder (created if necessary), the path of a `.json` or `.zip` file, an `http://`
/// or `https://` URL, or a URL of any other scheme in the context's registry that can save.
///
/// An existing model is replaced. Files that do not belong to it are never replaced.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a scheme that cannot save; an error if a new file has
/// the name of another existing file, a name that begins with a dot, or one with a meaning for a shell or another system
/// (`-rf`, `NUL`, `x.json`); if an existing archive has files that are not the model's; any error of writing the files.
/// After an error, the former model is unchanged, except on a web server, which may have received a part of the new one.
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
