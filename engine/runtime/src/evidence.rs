//! Evidence: the bytes of items under their hash, the key that signs, the bundle that leaves, and
//! the proof that it is whole.

pub mod bundle;
mod items;
mod keys;
pub mod verify;

pub(crate) use items::FOLDER_ID;
pub use items::{ItemError, Items};
pub use keys::{KeyError, Keys};
pub(crate) use keys::{is_signed, read_public};
