//! Reading payloads: members in two spellings, times in every form, words for severities, ARNs.
//!
//! Nothing here guesses. What can't be read is absent.

pub mod arn;
mod label;
mod lines;
mod member;
mod resource;

pub use label::severity_of_word;
pub use lines::several;
pub use member::{at, items, member, names, number, scalar, text};
pub use resource::resource_of;
pub use stanch_engine_core::foreign_time::{time, time_of_text};
