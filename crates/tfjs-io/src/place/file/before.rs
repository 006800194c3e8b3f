//! The files that a save replaces, as they were when it began. Between then and the end, while the new files are fetched,
//! other processes may put files of their own in these places.

use super::exchange::Former;
use std::collections::HashMap;
use std::fs::{Metadata, Permissions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tfjs_manifest::{Error, Result};

/// The metadata of the former files.
#[derive(Debug, Default)]
pub(super) struct Before {
    files: HashMap<PathBuf, Metadata>,
    /// The permissions of the last file.
    usual: Option<Permissions>,
    /// Whether the files must stay as they are.
    fixed: bool,
}

impl Before {
    /// Looks at the files below `root` that will be replaced by the files `new`, or removed.
    pub(super) fn of(root: &Path, former: &Former, new: &[PathBuf]) -> Self {
        let (paths, fixed) = match former {
            Former::Any => (new, false),
            Former::Only(paths) => (&paths[..], true),
        };
        let found = paths.iter().filter_map(|path| Some((path.clone(), root.join(path).symlink_metadata().ok()?)));
        let files: HashMap<PathBuf, Metadata> = found.filter(|(_, metadata)| metadata.is_file()).collect();
        let usual = paths.last().and_then(|path| files.get(path)).map(Metadata::permissions);
        Before { files, usual, fixed }
    }

    /// The permissions of a new file: those of the file that it replaces, or of the last former file; `None` if there was
    /// none.
    pub(super) fn permissions(&self, path: &Path) -> Option<Permissions> {
        self.files.get(path).map(Metadata::permissions).or(self.usual.clone())
    }

    /// Checks that the former file, which is now at `place`, is the same as before, unless any file may be replaced.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if it changed or another file took its place.
    pub(super) fn check(&self, path: &Path, place: &Path) -> Result<()> {
        let (before, now) = (self.files.get(path), place.symlink_metadata().ok());
        match (before, &now) {
            (Some(before), Some(now)) if self.fixed && identity(before) != identity(now) => Err(Error::misuse(
                "another process changed this file of the former model in the meantime; nothing was replaced",
            )),
            _ => Ok(()),
        }
    }
}

/// What differs between two files, or two versions of one file: its place on the disk, its length, its time.
fn identity(metadata: &Metadata) -> (Option<(u64, u64)>, u64, Option<SystemTime>) {
    #[cfg(unix)]
    let place = {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    };
    #[cfg(not(unix))]
    let place = None;
    (place, metadata.len(), metadata.modified().ok())
}
