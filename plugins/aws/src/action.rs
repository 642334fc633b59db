//! What the engine can do in AWS: `aws.call`, `aws.wait`, `aws.accounts`, `aws.prepare`,
//! `aws.sns_publish` and `aws.ses_send`.
//!
//! Owns: what is asked before a call (is it granted, does the account fit, do the parameters),
//! and what is told of it afterwards.
//!
//! Must never: decide whether a change is allowed. The engine has decided; an action only refuses
//! to reach farther than that.
//!
//! Start reading at [`call::Call`].

mod accounts;
mod automation;
mod call;
mod command;
mod content;
mod document;
mod input;
mod lookup;
mod mail;
mod organization;
mod prepare;
mod publish;
mod sampled;
mod standing;
mod survey;
mod wait;

pub(crate) use accounts::Accounts;
pub(crate) use automation::blank as blank_automation;
pub(crate) use call::Call;
pub(crate) use mail::Mail;
pub(crate) use organization::Places;
pub(crate) use prepare::Prepare;
pub(crate) use publish::Publish;
pub(crate) use survey::asks;
pub(crate) use wait::Wait;
