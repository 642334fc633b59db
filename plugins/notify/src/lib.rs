//! How people are told.
//!
//! Owns: the channels Slack, PagerDuty, e-mail by SMTP and by SES, and signed webhooks, and who is on call by PagerDuty.
//! The only home of `lettre`. SNS is a channel, too: it lies with AWS's crates in `plugins/aws`.
//!
//! Must never: repeat a message by itself, or decide anything: the engine owns both. Have HTTP of its
//! own: it is handed an `Exchange`.
//!
//! Start reading at [`Slack`].

#![expect(clippy::indexing_slicing, reason = "a member that an answer lacks reads as null")]

mod email;
mod letters;
mod on_call;
mod pagerduty;
mod secret;
mod ses;
mod slack;
mod text;
mod webhook;

pub use email::{Email, Mailbox, NotMail, Security};
pub use letters::NotAnAddress;
pub use on_call::OnCall;
pub use pagerduty::PagerDuty;
pub use secret::Secret;
pub use ses::{Sender, Ses};
pub use slack::{Slack, SlackEar};
pub use webhook::Webhook;
