//! Archives on disk.

use std::fs;
use std::path::{Path, PathBuf};

use crate::names::archive_file_name;
use crate::{Error, Image};

/// An archive on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The image's full reference.
    pub reference: String,
    /// Digest of its manifest.
    pub digest: String,
    /// Size of the archive.
    pub size_bytes: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Whether this call had to write it; `false` when the same bytes were there.
    pub written: bool,
}

/// Writes the image's archive below `folder`, unless it is there already. A reader never sees half an archive.
pub fn write(image: &Image, folder: &Path) -> Result<Archive, Error> {
    let packed = image.pack()?;
    let path = folder.join(archive_file_name(&image.reference));
    // Comparing all bytes costs less than a wrong guess from a time stamp.
    let written = !fs::read(&path).is_ok_and(|there| there == packed.archive);
    if written {
        let failed = |source| Error::Write { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let partial = path.with_extension(format!("tar.{}", std::process::id()));
        let result = fs::write(&partial, &packed.archive).and_then(|()| fs::rename(&partial, &path));
        if result.is_err() {
            _ = fs::remove_file(&partial);
        }
        result.map_err(failed)?;
    }
    Ok(Archive {
        reference: image.reference.clone(),
        digest: packed.digest,
        size_bytes: packed.archive.len() as u64,
        path,
        written,
    })
}
