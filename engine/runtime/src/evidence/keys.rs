//! The key that signs checkpoints of custody chains: in a file, or in AWS KMS.

mod kms;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::world::World;
use stanch_plugins_sdk::Catalogue;

use kms::KmsKey;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The disk says no.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Disk(PathBuf, std::io::Error),
    /// The file holds something else.
    #[error("{}: it is no Ed25519 key in PEM", .0.display())]
    NotAKey(PathBuf),
    /// The key was handed over to another, and that one is not here.
    #[error(
        "this node has not got the evidence key that the others sign with: give it their `keys` folder, or their `key` of [evidence]"
    )]
    NotHere,
    /// The key lies in KMS, and can't be had, or can't be replaced by one of a file.
    #[error("the evidence key {arn}: {why}")]
    Kms {
        /// The key.
        arn: String,
        /// What is wrong.
        why: String,
    },
}

impl KeyError {
    fn kms(arn: &str, why: impl std::fmt::Display) -> Self {
        Self::Kms { arn: arn.to_owned(), why: why.to_string() }
    }
}

/// An Ed25519 key pair: `evidence.key`, which only its owner may read, or a key in KMS, and
/// `evidence.pub`. Clones share it, and what it is replaced with.
#[derive(Clone)]
pub struct Keys {
    folder: PathBuf,
    signing: Arc<RwLock<Signer>>,
}

#[derive(Clone)]
enum Signer {
    File(SigningKey),
    /// In KMS; what nobody but this installation has to know again, a key of its own signs.
    Kms {
        key: Box<KmsKey>,
        own: SigningKey,
    },
}

impl Signer {
    fn public(&self) -> VerifyingKey {
        match self {
            Self::File(key) => key.verifying_key(),
            Self::Kms { key, .. } => key.public(),
        }
    }

    fn own(&self) -> &SigningKey {
        match self {
            Self::File(key) => key,
            Self::Kms { own, .. } => own,
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// The secret half.
const SECRET: &str = "evidence.key";
/// The public half.
const PUBLIC: &str = "evidence.pub";
/// The secret half of the key that is about to take over.
const NEXT: &str = "evidence.key.next";
/// What signs in its place what stays in the installation, when the key lies in KMS.
const OWN: &str = "links.key";

impl Keys {
    /// The pair in a folder; it is made when it is not there.
    ///
    /// # Errors
    /// [`KeyError`] says which file, and what is wrong with it.
    pub fn open(folder: &Path, world: &World) -> Result<Self, KeyError> {
        let (folder, secret) = (folder.to_owned(), folder.join(SECRET));
        std::fs::create_dir_all(&folder).map_err(|e| KeyError::Disk(folder.clone(), e))?;
        let signing = match read_secret(&secret)? {
            Some(signing) => signing,
            None => key_pair(&secret, world)?,
        };
        let keys = Self { folder, signing: Arc::new(RwLock::new(Signer::File(signing))) };
        keys.write_public()?;
        Ok(keys)
    }

    /// Whichever pair a node has in a folder: its key, or what signs in the place of one in KMS. Nothing is
    /// made.
    ///
    /// # Errors
    /// [`KeyError`] when a file is there and holds no key.
    pub(crate) fn there(folder: &Path) -> Result<Option<Self>, KeyError> {
        let found = match read_secret(&folder.join(SECRET))? {
            Some(signing) => Some(signing),
            None => read_secret(&folder.join(OWN))?,
        };
        let signing = found.map(|key| Arc::new(RwLock::new(Signer::File(key))));
        Ok(signing.map(|signing| Self { folder: folder.to_owned(), signing }))
    }

    /// The key of this ARN in KMS, with a folder for its public half.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with which.
    pub(crate) async fn in_kms(
        folder: &Path,
        arn: &str,
        (world, catalogue): (&World, &Catalogue),
    ) -> Result<Self, KeyError> {
        let (folder, own) = (folder.to_owned(), folder.join(OWN));
        std::fs::create_dir_all(&folder).map_err(|e| KeyError::Disk(folder.clone(), e))?;
        let known = std::fs::read_to_string(folder.join(PUBLIC)).ok();
        // A key in a file is one that hands over: its public half is not the one in KMS.
        let known = known.filter(|_| !folder.join(SECRET).exists());
        let known = known.and_then(|pem| read_public(&pem).ok());
        let key = KmsKey::find(arn, (world, catalogue), known).await?;
        let own = match read_secret(&own)? {
            Some(own) => own,
            None => key_pair(&own, world)?,
        };
        Ok(Self { folder, signing: Arc::new(RwLock::new(Signer::Kms { key: Box::new(key), own })) })
    }

    /// The key of this ARN, to hand over with.
    ///
    /// # Errors
    /// As [`Keys::in_kms`].
    pub(crate) async fn before_in_kms(
        &self,
        arn: &str,
        of: (&World, &Catalogue),
    ) -> Result<Self, KeyError> {
        let key = KmsKey::find(arn, of, None).await?;
        let own = self.key().own().clone();
        let signing = Arc::new(RwLock::new(Signer::Kms { key: Box::new(key), own }));
        Ok(Self { folder: self.folder.clone(), signing })
    }

    /// The key of this fingerprint in a file of the folder, to hand over with.
    ///
    /// # Errors
    /// [`KeyError`] of the files.
    pub(crate) fn before_in_file(&self, wanted: Sha256) -> Result<Option<Self>, KeyError> {
        let found = read_secret(&self.folder.join(SECRET))?;
        let found = found.filter(|key| fingerprint(&key.verifying_key()) == wanted);
        let before = |key| {
            let signing = Arc::new(RwLock::new(Signer::File(key)));
            Self { folder: self.folder.clone(), signing }
        };
        Ok(found.map(before))
    }

    /// Where in KMS the key lies, if it does.
    pub(crate) fn arn(&self) -> Option<String> {
        match self.key() {
            Signer::File(_) => None,
            Signer::Kms { key, .. } => Some(key.arn().to_owned()),
        }
    }

    /// The key of before has handed over to this one: its public half stays in the folder, and its
    /// secret half, if it lay in a file, goes.
    ///
    /// # Errors
    /// [`KeyError`] of the files.
    pub(crate) fn took_over(&self, before: &Self) -> Result<(), KeyError> {
        before.keep_public()?;
        if matches!((before.key(), self.key()), (Signer::File(_), Signer::Kms { .. })) {
            let secret = self.folder.join(SECRET);
            std::fs::remove_file(&secret).map_err(|e| KeyError::Disk(secret, e))?;
        }
        self.write_public()
    }

    /// Writes the public half into the folder.
    ///
    /// # Errors
    /// [`KeyError`] of the file.
    pub(crate) fn write_public(&self) -> Result<(), KeyError> {
        let public = self.folder.join(PUBLIC);
        let is_there = std::fs::read_to_string(&public).is_ok_and(|pem| pem == self.public_pem());
        if is_there {
            return Ok(());
        }
        std::fs::write(&public, self.public_pem()).map_err(|e| KeyError::Disk(public, e))
    }

    fn key(&self) -> Signer {
        self.signing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The pair as it is now, whatever it is replaced with.
    pub(crate) fn snapshot(&self) -> Self {
        let signing = Arc::new(RwLock::new(self.key()));
        Self { folder: self.folder.clone(), signing }
    }

    /// Signs bytes; the signature is 64 bytes in hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::Kms`] when KMS says no.
    pub(crate) async fn sign(&self, bytes: &[u8]) -> Result<String, KeyError> {
        match self.key() {
            Signer::File(key) => Ok(by_file(&key, bytes)),
            Signer::Kms { key, .. } => key.sign(bytes).await,
        }
    }

    /// Signs what only this installation has to know again.
    pub(crate) fn sign_own(&self, bytes: &[u8]) -> String {
        by_file(self.key().own(), bytes)
    }

    /// Whether a signature in hexadecimal digits is its own over the bytes.
    pub(crate) fn is_own(&self, bytes: &[u8], signature: &str) -> bool {
        is_signed(&self.key().own().verifying_key(), bytes, signature)
    }

    /// The public key in PEM.
    pub fn public_pem(&self) -> String {
        pem_of(&self.key().public())
    }

    /// The fingerprint of the public key.
    pub(crate) fn fingerprint(&self) -> Sha256 {
        fingerprint(&self.key().public())
    }

    /// The public key that is to take over, and its fingerprint; it is made when there is none. It
    /// signs nothing before it is adopted.
    pub(crate) fn prepare(&self, world: &World) -> Result<(String, Sha256), KeyError> {
        let path = self.folder.join(NEXT);
        let next = match read_secret(&path)? {
            Some(next) => next,
            None => key_pair(&path, world)?,
        };
        Ok((pem_of(&next.verifying_key()), fingerprint(&next.verifying_key())))
    }

    /// Signs with the key of this fingerprint from now on: the one that it has, the one that was
    /// prepared, or the one that another node has put into the folder. The public half of the key
    /// that it had stays there. False when it has no such key.
    pub(crate) fn adopt(&self, wanted: Sha256) -> Result<bool, KeyError> {
        if self.fingerprint() == wanted {
            return Ok(true);
        }
        if self.arn().is_some() {
            return Ok(false);
        }
        let (secret, next) = (self.folder.join(SECRET), self.folder.join(NEXT));
        let is_wanted = |key: &SigningKey| fingerprint(&key.verifying_key()) == wanted;
        let found = match read_secret(&secret)?.filter(is_wanted) {
            Some(key) => Some(key),
            None => match read_secret(&next)?.filter(is_wanted) {
                Some(key) => {
                    self.keep_public()?;
                    std::fs::rename(&next, &secret).map_err(|e| KeyError::Disk(secret, e))?;
                    Some(key)
                }
                None => None,
            },
        };
        let Some(key) = found else { return Ok(false) };
        *self.signing.write().unwrap_or_else(PoisonError::into_inner) = Signer::File(key);
        self.write_public()?;
        Ok(true)
    }

    /// Bundles of before are proved with the key of before.
    fn keep_public(&self) -> Result<(), KeyError> {
        let name = self.fingerprint().to_string();
        let path = self.folder.join(format!("evidence-{}.pub", name.split_at(16).0));
        std::fs::write(&path, self.public_pem()).map_err(|e| KeyError::Disk(path, e))
    }
}

/// The public half in PEM.
pub(crate) fn pem_of(key: &VerifyingKey) -> String {
    key.to_public_key_pem(LineEnding::LF).unwrap_or_default()
}

fn by_file(key: &SigningKey, bytes: &[u8]) -> String {
    key.sign(bytes).to_string().to_lowercase()
}

/// The pair in a file; nothing when it is not there.
pub(crate) fn read_secret(path: &Path) -> Result<Option<SigningKey>, KeyError> {
    match std::fs::read_to_string(path) {
        Ok(pem) => {
            let key = SigningKey::from_pkcs8_pem(&pem);
            key.map(Some).map_err(|_| KeyError::NotAKey(path.to_owned()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyError::Disk(path.to_owned(), error)),
    }
}

/// Makes a pair, in a file that was not there before and that only its owner may read.
pub(crate) fn key_pair(path: &Path, world: &World) -> Result<SigningKey, KeyError> {
    let mut seed = [0; 32];
    let (first, second) = seed.split_at_mut(16);
    first.copy_from_slice(&world.entropy.next().to_be_bytes());
    second.copy_from_slice(&world.entropy.next().to_be_bytes());
    let key = SigningKey::from_bytes(&seed);
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::NotAKey(path.to_owned()))?;
    crate::secret_file::write(path, pem.as_bytes())
        .map_err(|e| KeyError::Disk(path.to_owned(), e))?;
    Ok(key)
}

/// Reads a public key.
///
/// # Errors
/// When the text is no Ed25519 key in PEM.
pub(crate) fn read_public(pem: &str) -> Result<VerifyingKey, String> {
    VerifyingKey::from_public_key_pem(pem)
        .map_err(|_| "it is no Ed25519 public key in PEM".to_owned())
}

/// The fingerprint of a public key: the SHA-256 of its SubjectPublicKeyInfo.
pub(crate) fn fingerprint(key: &VerifyingKey) -> Sha256 {
    let der = key.to_public_key_der();
    der.map_or(Sha256::ZERO, |der| Sha256::of(der.as_bytes()))
}

/// Whether a signature in hexadecimal digits is the key's over the bytes.
pub(crate) fn is_signed(key: &VerifyingKey, bytes: &[u8], signature: &str) -> bool {
    signature.parse::<Signature>().is_ok_and(|signature| key.verify(bytes, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_half_is_its_owners_alone_and_the_pair_stays_the_same() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path(), &crate::system::world()).unwrap();
        let mode =
            std::fs::metadata(folder.path().join("evidence.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Keys::open(folder.path(), &crate::system::world()).unwrap();
        assert_eq!(keys.public_pem(), again.public_pem());
        let public = std::fs::read_to_string(folder.path().join("evidence.pub")).unwrap();
        let key = read_public(&public).unwrap();
        assert!(is_signed(&key, b"head", &keys.sign_own(b"head")));
        assert!(!is_signed(&key, b"heat", &keys.sign_own(b"head")));
        assert!(!is_signed(&key, b"head", "zz"));
    }

    #[test]
    fn a_key_hands_over_and_what_it_signed_stays_provable() {
        let folder = tempfile::tempdir().unwrap();
        let world = crate::system::world();
        let keys = Keys::open(folder.path(), &world).unwrap();
        let other_node = Keys::open(folder.path(), &world).unwrap();
        let (before, signed) = (keys.public_pem(), keys.sign_own(b"head"));
        let old = keys.fingerprint();
        let (pem, next) = keys.prepare(&world).unwrap();
        assert_eq!(keys.prepare(&world).unwrap(), (pem.clone(), next), "once begun, it is one key");
        assert_eq!(keys.public_pem(), before, "it signs nothing before it is adopted");
        assert!(keys.adopt(next).unwrap() && other_node.adopt(next).unwrap());
        assert_eq!((keys.public_pem(), other_node.public_pem()), (pem.clone(), pem));
        let kept = folder.path().join(format!("evidence-{}.pub", &old.to_string()[..16]));
        let kept = std::fs::read_to_string(kept).unwrap();
        assert!(kept == before && is_signed(&read_public(&kept).unwrap(), b"head", &signed));
        assert!(!keys.adopt(Sha256::of("another")).unwrap());
        assert_eq!(Keys::open(folder.path(), &world).unwrap().fingerprint(), next);
    }

    #[test]
    fn a_file_that_is_no_key_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("evidence.key"), "notes").unwrap();
        let error = Keys::open(folder.path(), &crate::system::world()).unwrap_err();
        assert!(matches!(error, KeyError::NotAKey(_)));
        assert_eq!(std::fs::read_to_string(folder.path().join("evidence.key")).unwrap(), "notes");
    }
}
