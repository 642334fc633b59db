//! AWS's service models: what operations there are, what they take and what they answer.
//!
//! Owns: the pack that is compiled in, the folder that may be added at run time, and the names of
//! services and operations.
//!
//! Must never: send anything.
//!
//! Start reading at [`ModelStore::operation`].

mod names;
mod pack;
mod paginator;
mod pattern;
mod service;
mod store;
mod waiter;

pub use paginator::Paginator;
pub use pattern::Pattern;
pub use service::{
    HttpChecksum, Kind, Member, Metadata, Model, Operation, Output, Shape, Within, XmlNamespace,
};
pub use store::{ModelError, ModelStore, Named, UnknownOperation};
pub use waiter::{Acceptor, Matcher, Waited, Waiter};
