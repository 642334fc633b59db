//! The keys that secrets are sealed with: AES-256-GCM, in files outside of the database.
//!
//! `keys/seal.key` seals. Every `keys/seal*.key` opens, so that a key is replaced by moving it to
//! another name. A key's id is made of the key itself, whatever its file is called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::Value;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code::UNSEALABLE;
use stanch_engine_core::id::RunId;
use stanch_engine_core::sealed::{self, Sealed};
use stanch_engine_core::step::StepError;
use stanch_engine_core::world::World;

use crate::secret_file;

/// The file of the key that seals.
const CURRENT: &str = "seal.key";

/// Bytes of a nonce of AES-GCM (NIST SP 800-38D section 8.2.2: 96 random bits serve for 2^32
/// values of one key).
const NONCE: usize = 12;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum SealKeyError {
    /// The disk says no.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Disk(PathBuf, std::io::Error),
    /// The file holds something else.
    #[error("{}: it is no key of 64 hexadecimal digits", .0.display())]
    NotAKey(PathBuf),
}

/// Why a sealed value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsealable {
    /// Its key is not here.
    #[error("the key {0} is not here: put its file back into the folder `keys`")]
    NoKey(String),
    /// It belongs to another run.
    #[error("it belongs to {0}, and a sealed value opens in its own run only")]
    OfAnother(RunId),
    /// It is not what was sealed.
    #[error("it was changed after it was sealed")]
    Changed,
}

impl From<Unsealable> for StepError {
    fn from(why: Unsealable) -> Self {
        Self::permanent("unsealable", why.told())
    }
}

impl Unsealable {
    /// In words, with the code whose page says what to do.
    pub(crate) fn told(&self) -> String {
        let code = UNSEALABLE;
        format!("{code}: {}: {self}. `stanch explain {code}` says what to do", code.title)
    }
}

/// The keys of a node.
pub(crate) struct Seals {
    current: String,
    keys: BTreeMap<String, LessSafeKey>,
}

impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seals").field("current", &self.current).finish_non_exhaustive()
    }
}

impl Seals {
    /// The keys in a folder; the one that seals is made when it is not there.
    ///
    /// # Errors
    /// [`SealKeyError`] says which file, and what is wrong with it.
    pub(crate) fn open(folder: &Path, world: &World) -> Result<Self, SealKeyError> {
        let disk = |error| SealKeyError::Disk(folder.to_owned(), error);
        std::fs::create_dir_all(folder).map_err(disk)?;
        make(&folder.join(CURRENT), world)?;
        let (mut current, mut keys) = (String::new(), BTreeMap::new());
        for entry in std::fs::read_dir(folder).map_err(disk)? {
            let path = entry.map_err(disk)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !name.starts_with("seal") || !name.ends_with(".key") {
                continue;
            }
            let (id, key) = read(&path)?;
            if name == CURRENT {
                current.clone_from(&id);
            }
            keys.insert(id, key);
        }
        Ok(Self { current, keys })
    }

    /// Seals a value for a run.
    pub(crate) fn seal(&self, world: &World, run: RunId, value: &Value) -> Value {
        let mut sealed = Sealed { key: self.current.clone(), run, body: String::new() };
        let random = world.entropy.next().to_be_bytes();
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(random.split_at(NONCE).0);
        let mut text = value.to_string().into_bytes();
        let key = self.keys.get(&sealed.key);
        let done = key.and_then(|key| {
            let (nonce, aad) = (Nonce::assume_unique_for_key(nonce), aad(&sealed));
            key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut text).ok()
        });
        // Only 64 GiB and more can't be sealed. What stands here then opens nowhere.
        let body = if done.is_some() { [&nonce[..], &text].concat() } else { nonce.to_vec() };
        sealed.body = BASE64.encode(body);
        sealed.mark()
    }

    /// Opens what was sealed for a run.
    ///
    /// # Errors
    /// [`Unsealable`] says why it does not open.
    pub(crate) fn unseal(&self, run: RunId, text: &str) -> Result<Value, Unsealable> {
        let sealed: Sealed = text.parse().map_err(|_| Unsealable::Changed)?;
        let key = self.keys.get(&sealed.key);
        let key = key.ok_or_else(|| Unsealable::NoKey(sealed.key.clone()))?;
        if sealed.run != run {
            return Err(Unsealable::OfAnother(sealed.run));
        }
        let mut body = BASE64.decode(&sealed.body).map_err(|_| Unsealable::Changed)?;
        let (nonce, text) = body.split_at_mut_checked(NONCE).ok_or(Unsealable::Changed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable::Changed)?;
        let clear = key.open_in_place(nonce, Aad::from(aad(&sealed)), text);
        let clear = clear.map_err(|_| Unsealable::Changed)?;
        serde_json::from_slice(clear).map_err(|_| Unsealable::Changed)
    }

    /// A kept value whose sealed values open in the run `to`, where they opened in `from` before:
    /// it goes from one to the other by the engine's own hand.
    ///
    /// # Errors
    /// [`Unsealable`] says why one does not open.
    pub(crate) fn hand_over(
        &self,
        world: &World,
        value: Value,
        (from, to): (RunId, RunId),
    ) -> Result<Value, Unsealable> {
        if !sealed::is_in(&value) {
            return Ok(value);
        }
        sealed::replace(value, &mut |text| Ok(self.seal(world, to, &self.unseal(from, text)?)))
    }
}

/// What the ciphertext is bound to.
fn aad(sealed: &Sealed) -> Vec<u8> {
    Sealed { body: "-".to_owned(), ..sealed.clone() }.to_string().into_bytes()
}

/// Makes a key, unless there is one. Of nodes that start at once one makes it, whole, and all have
/// it.
fn make(path: &Path, world: &World) -> Result<(), SealKeyError> {
    if path.exists() {
        return Ok(());
    }
    let disk = |error| SealKeyError::Disk(path.to_owned(), error);
    let secret = [world.entropy.next().to_be_bytes(), world.entropy.next().to_be_bytes()].concat();
    let whole = path.with_extension(format!("key.{:032x}", world.entropy.next()));
    secret_file::write(&whole, format!("{}\n", hex::encode(secret)).as_bytes()).map_err(disk)?;
    let linked = std::fs::hard_link(&whole, path);
    std::fs::remove_file(&whole).map_err(disk)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(disk(error)),
        Err(_) => Ok(()),
        Ok(()) => {
            tracing::info!(file = %path.display(), "made the key that seals secrets: back it up");
            Ok(())
        }
    }
}

fn read(path: &Path) -> Result<(String, LessSafeKey), SealKeyError> {
    let text = std::fs::read_to_string(path).map_err(|e| SealKeyError::Disk(path.to_owned(), e))?;
    let not_a_key = || SealKeyError::NotAKey(path.to_owned());
    let secret = hex::decode(text.trim()).map_err(|_| not_a_key())?;
    let key = UnboundKey::new(&AES_256_GCM, &secret).map_err(|_| not_a_key())?;
    let mut id = Sha256::of_parts(&[b"stanch seal key", &secret]).to_string();
    id.truncate(12);
    Ok((id, LessSafeKey::new(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CANARY: &str = "wJalrXUtnFEMI/K7MDENG";

    fn run(number: u128) -> RunId {
        RunId::new(stanch_engine_core::time::Timestamp::default(), number)
    }

    fn text(mark: &Value) -> &str {
        sealed::text_of(mark).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_run_and_shows_nothing() {
        let (folder, world) = (tempfile::tempdir().unwrap(), crate::system::world());
        let seals = Seals::open(folder.path(), &world).unwrap();
        for value in [json!(CANARY), json!({"a": [1, null, CANARY]}), json!(""), json!(7)] {
            let mark = seals.seal(&world, run(1), &value);
            assert!(!mark.to_string().contains("wJalr"), "{mark}");
            assert_eq!(seals.unseal(run(1), text(&mark)), Ok(value.clone()));
            assert_eq!(seals.unseal(run(2), text(&mark)), Err(Unsealable::OfAnother(run(1))));
            // Two of the same can't be told to be the same.
            assert_ne!(mark, seals.seal(&world, run(1), &value));
            let moved = json!({"x": [mark]});
            let moved = seals.hand_over(&world, moved, (run(1), run(2))).unwrap();
            assert_eq!(seals.unseal(run(2), text(&moved["x"][0])), Ok(value));
        }
    }

    #[test]
    fn a_changed_text_does_not_open() {
        let (folder, world) = (tempfile::tempdir().unwrap(), crate::system::world());
        let seals = Seals::open(folder.path(), &world).unwrap();
        let mark = seals.seal(&world, run(1), &json!(CANARY));
        let of_another: Sealed = Sealed { run: run(2), ..text(&mark).parse().unwrap() };
        assert_eq!(seals.unseal(run(2), &of_another.to_string()), Err(Unsealable::Changed));
        for at in 0..text(&mark).len() {
            let mut bytes = text(&mark).as_bytes().to_vec();
            bytes[at] = if bytes[at].eq_ignore_ascii_case(&b'a') { b'b' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(seals.unseal(run(1), &changed).is_err(), "{changed}");
        }
        let cut = Sealed { body: "AAAA".to_owned(), ..text(&mark).parse().unwrap() };
        assert_eq!(seals.unseal(run(1), &cut.to_string()), Err(Unsealable::Changed));
    }

    #[test]
    fn a_key_that_was_replaced_still_opens_and_one_that_is_lost_is_named() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, world) = (tempfile::tempdir().unwrap(), crate::system::world());
        let file = folder.path().join(CURRENT);
        let mark = Seals::open(folder.path(), &world).unwrap().seal(&world, run(1), &json!(CANARY));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let old = folder.path().join("seal-2026.key");
        std::fs::rename(&file, &old).unwrap();
        let seals = Seals::open(folder.path(), &world).unwrap();
        assert_eq!(seals.unseal(run(1), text(&mark)), Ok(json!(CANARY)));
        let newer = seals.seal(&world, run(1), &json!(CANARY));
        let key = |mark: &Value| text(mark).parse::<Sealed>().unwrap().key;
        assert_ne!(key(&newer), key(&mark));
        std::fs::remove_file(&old).unwrap();
        let seals = Seals::open(folder.path(), &world).unwrap();
        let why = seals.unseal(run(1), text(&mark)).unwrap_err();
        assert_eq!(why, Unsealable::NoKey(key(&mark)));
        assert!(why.told().starts_with("ST0506") && why.told().contains(&key(&mark)));
        assert_eq!(seals.unseal(run(1), text(&newer)), Ok(json!(CANARY)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying");
    }

    #[test]
    fn a_file_that_is_no_key_is_not_overwritten() {
        let (folder, world) = (tempfile::tempdir().unwrap(), crate::system::world());
        std::fs::write(folder.path().join(CURRENT), "notes").unwrap();
        let error = Seals::open(folder.path(), &world).unwrap_err();
        assert!(matches!(error, SealKeyError::NotAKey(_)), "{error}");
        assert_eq!(std::fs::read_to_string(folder.path().join(CURRENT)).unwrap(), "notes");
    }
}
