//! The key that signs checkpoints of custody chains.

use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use stanch_engine_core::world::World;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The disk says no.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Disk(PathBuf, std::io::Error),
    /// The file holds something else.
    #[error("{}: it is no Ed25519 key in PEM", .0.display())]
    NotAKey(PathBuf),
}

/// An Ed25519 key pair: `evidence.key`, which only its owner may read, and `evidence.pub`.
#[derive(Clone)]
pub struct Keys {
    signing: SigningKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// The pair in a folder; it is made when it is not there.
    ///
    /// # Errors
    /// [`KeyError`] says which file, and what is wrong with it.
    pub fn open(folder: &Path, world: &World) -> Result<Self, KeyError> {
        let (secret, public) = (folder.join("evidence.key"), folder.join("evidence.pub"));
        std::fs::create_dir_all(folder).map_err(|e| KeyError::Disk(folder.to_owned(), e))?;
        let signing = match std::fs::read_to_string(&secret) {
            Ok(pem) => {
                SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyError::NotAKey(secret.clone()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(&secret, world)?,
            Err(error) => return Err(KeyError::Disk(secret, error)),
        };
        let pem = signing
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| KeyError::NotAKey(public.clone()))?;
        std::fs::write(&public, pem).map_err(|e| KeyError::Disk(public.clone(), e))?;
        Ok(Self { signing })
    }

    /// Signs bytes; the signature is 64 bytes in hexadecimal digits.
    pub fn sign(&self, bytes: &[u8]) -> String {
        self.signing.sign(bytes).to_string().to_lowercase()
    }

    /// Whether a signature in hexadecimal digits is this key's own over the bytes.
    pub(crate) fn is_own(&self, bytes: &[u8], signature: &str) -> bool {
        is_signed(&self.signing.verifying_key(), bytes, signature)
    }

    /// The public key in PEM.
    pub fn public_pem(&self) -> String {
        self.signing.verifying_key().to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }
}

fn make(path: &Path, world: &World) -> Result<SigningKey, KeyError> {
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
        assert!(is_signed(&key, b"head", &keys.sign(b"head")));
        assert!(!is_signed(&key, b"heat", &keys.sign(b"head")));
        assert!(!is_signed(&key, b"head", "zz"));
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
