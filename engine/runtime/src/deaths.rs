//! Nodes of this machine that died. A node holds the lock of a file in the data folder while its process
//! lives: whoever can take the lock knows that it is dead, and does not have to wait for its leases to lapse.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use stanch_engine_core::id::NodeId;

/// Where the files lie, in the data folder. Each has a node's id as its name, and says where it runs.
const FOLDER: &str = "nodes";

/// Linux names each start of a machine anew. Nodes of other machines may share the folder over a network that
/// knows no locks: what they hold says nothing here.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// A file whose lock is held, and that goes with it.
#[derive(Debug)]
struct Locked {
    path: PathBuf,
    _file: File,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // One that stays is found free by whoever starts next.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Says that this node lives, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Life {
    _locked: Locked,
}

/// A node that died, which nobody else finds while this is kept.
#[derive(Debug)]
pub(crate) struct Death {
    /// Which.
    pub(crate) node: NodeId,
    _locked: Locked,
}

/// Says that a node lives, and finds those of this machine that don't. It blocks.
///
/// # Errors
/// When the disk says no.
pub(crate) fn look(data_dir: &Path, node: NodeId) -> io::Result<(Life, Vec<Death>)> {
    let boot = std::fs::read_to_string(BOOT).unwrap_or_default();
    look_as(&boot, &data_dir.join(FOLDER), node)
}

fn look_as(boot: &str, folder: &Path, node: NodeId) -> io::Result<(Life, Vec<Death>)> {
    std::fs::create_dir_all(folder)?;
    let mut dead = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(node) = node_of(&path) else { continue };
        let Some(locked) = free(&path)? else { continue };
        if is_of(boot, &path) {
            dead.push(Death { node, _locked: locked });
        }
    }
    Ok((Life { _locked: begin(boot, &folder.join(node.to_string()))? }, dead))
}

/// The file at `path`, if nobody holds its lock.
fn free(path: &Path) -> io::Result<Option<Locked>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_free = file.try_lock().is_ok();
    Ok(is_free.then(|| Locked { path: path.to_owned(), _file: file }))
}

fn is_of(boot: &str, path: &Path) -> bool {
    !boot.is_empty() && std::fs::read_to_string(path).is_ok_and(|said| said == boot)
}

fn node_of(path: &Path) -> Option<NodeId> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Makes the file of a node and holds it. Another node that starts just now may have taken it for a leftover
/// before its lock was held: it is made again then.
fn begin(boot: &str, path: &Path) -> io::Result<Locked> {
    loop {
        let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
        let is_contended = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if !is_contended && path.try_exists()? {
            file.write_all(boot.as_bytes())?;
            return Ok(Locked { path: path.to_owned(), _file: file });
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use stanch_engine_core::time::Timestamp;

    use super::*;

    fn node(number: u128) -> NodeId {
        NodeId::new(Timestamp::from_micros(1), number)
    }

    fn dead(boot: &str, folder: &Path, number: u128) -> (Life, Vec<NodeId>) {
        let (life, deaths) = look_as(boot, folder, node(number)).unwrap();
        (life, deaths.iter().map(|death| death.node).collect())
    }

    #[test]
    fn who_lives_is_not_found_and_who_died_is_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let (first, found) = dead("one", folder.path(), 1);
        assert_eq!(found, []);
        let (second, found) = dead("one", folder.path(), 2);
        assert_eq!(found, [], "the first lives");
        // What `kill -9` leaves: the file, and no lock.
        let left = folder.path().join(node(3).to_string());
        std::fs::write(&left, "one").unwrap();
        let (third, found) = dead("one", folder.path(), 4);
        assert_eq!(found, [node(3)]);
        let (_fourth, found) = dead("one", folder.path(), 5);
        assert_eq!(found, []);
        drop((first, second, third));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_another_machine_and_of_another_start_nothing_is_known() {
        let folder = tempfile::tempdir().unwrap();
        for (number, said) in [(1, "another"), (2, ""), (3, "one and more")] {
            std::fs::write(folder.path().join(node(number).to_string()), said).unwrap();
            assert_eq!(dead("one", folder.path(), 9).1, [], "{said:?}");
        }
        std::fs::write(folder.path().join(node(1).to_string()), "").unwrap();
        assert_eq!(dead("", folder.path(), 9).1, [], "who does not know its own start");
        std::fs::write(folder.path().join("notes.txt"), "one").unwrap();
        assert_eq!(dead("one", folder.path(), 9).1, []);
        assert!(folder.path().join("notes.txt").exists());
    }
}
