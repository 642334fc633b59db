//! A backup as one file.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{At as _, BackupError, folder};

/// Whether a backup of this name is one file.
pub(super) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip"))
}

/// Packs a folder into a file that is not there yet.
pub(super) fn pack(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut zip = ZipWriter::new(BufWriter::new(folder::create(to)?));
    pack_folder(&mut zip, from, "", to)?;
    let file = zip.finish().map_err(|error| failed(to, error))?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error).at(to)?.sync_all().at(to)
}

fn pack_folder(
    zip: &mut ZipWriter<BufWriter<File>>,
    from: &Path,
    prefix: &str,
    to: &Path,
) -> Result<(), BackupError> {
    // A database may be larger than 4 GiB.
    let options = SimpleFileOptions::default().large_file(true).unix_permissions(0o600);
    for name in folder::names(from)? {
        let (path, name) = (from.join(&name), format!("{prefix}{name}"));
        if path.is_dir() {
            pack_folder(zip, &path, &format!("{name}/"), to)?;
            continue;
        }
        zip.start_file(name, options).map_err(|error| failed(to, error))?;
        let mut file = BufReader::new(File::open(&path).at(&path)?);
        std::io::copy(&mut file, zip).at(to)?;
    }
    Ok(())
}

/// Unpacks a file into a folder that is not there yet. Names that lead out of it are refused.
pub(super) fn unpack(from: &Path, to: &Path) -> Result<(), BackupError> {
    let file = BufReader::new(File::open(from).at(from)?);
    let mut zip = ZipArchive::new(file).map_err(|error| failed(from, error))?;
    folder::make(to)?;
    for number in 0..zip.len() {
        let mut entry = zip.by_index(number).map_err(|error| failed(from, error))?;
        if entry.is_dir() {
            continue;
        }
        let Some(name) = entry.enclosed_name() else {
            let why = format!("entry {number} has a name that leads out of it");
            return Err(BackupError::unfit(from, why));
        };
        let path = to.join(name);
        folder::make(folder::parent(&path))?;
        let mut file = folder::create(&path)?;
        std::io::copy(&mut entry, &mut file).at(from)?;
    }
    Ok(())
}

fn failed(path: &Path, error: ZipError) -> BackupError {
    match error {
        ZipError::Io(error) => BackupError::Disk { path: path.to_owned(), error },
        error => BackupError::unfit(path, error.to_string()),
    }
}
