//! Folders on disk. Writing several files is atomic: after an error or a crash, all or none of them exist.

mod before;
mod exchange;
mod folder;
mod operation;
mod root;
mod save;
mod step;

pub use folder::FolderFiles;
pub(crate) use folder::open;
#[cfg(feature = "archive")]
pub(crate) use save::write_file_with;
pub use save::{write_file, write_file_from};

use std::path::Path;

/// The folder of a file; never an empty path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
