//! Reading payloads: members in two spellings, times in every form, words for severities.
//!
//! Nothing here guesses. What can't be read is absent.

mod label;
mod member;
mod time;

pub use label::severity_of_word;
pub use member::{at, items, member, names, number, scalar, text};
pub use time::{time, time_of_text};
