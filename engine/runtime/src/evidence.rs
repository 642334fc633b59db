//! Evidence: the bytes of items under their hash, the key that signs, the bundle that leaves, and
//! the proof that it is whole.

pub mod adding;
pub(crate) mod anchor;
pub mod bundle;
mod captured;
pub mod holds;
mod incoming;
mod items;
mod keys;
pub mod moving;
pub mod rotation;
pub mod stamps;
pub(crate) mod upkeep;
pub mod verify;

pub(crate) use captured::Captured;
pub(crate) use incoming::Incoming;
pub(crate) use items::{Bucket, FOLDER_ID};
pub use items::{Draft, ItemError, Items, Kept, Reading};
pub use keys::{KeyError, Keys};
pub(crate) use keys::{is_signed, key_pair, pem_of, read_public, read_secret};
