//! The client: any operation of any service, from its model.
//!
//! Owns: requests and answers in AWS's protocols, credentials, hosts, what an error of AWS means
//! for the engine.
//!
//! Must never: retry. The engine does, since it alone knows what was journaled. A call whose signature
//! AWS finds too old or too new is signed again by AWS's time: it was not looked at.
//!
//! Start reading at [`Client::call`].

mod answer;
mod assume;
mod body;
mod call;
mod checksum;
mod clock;
mod content;
mod database_token;
mod ec2;
mod endpoint;
mod error_details;
mod failure;
mod fault;
mod finish;
mod header;
mod http;
mod identity;
pub(crate) mod ids;
mod keychain;
mod link;
mod page;
mod protocol;
mod read;
mod role;
pub(crate) mod schema;
pub(crate) mod value;
mod whole;
mod write;
mod xml;

pub(crate) use call::{Answer, Client, Wanted};
pub(crate) use content::{Content, of_input as input_content, of_output as output_content};
pub(crate) use database_token::{LASTS as DATABASE_TOKEN_LASTS, database_token};
pub(crate) use ec2::wire as ec2_name;
pub use endpoint::{Endpoint, Variant};
pub(crate) use endpoint::{by_rules as endpoint_by_rules, of_service as endpoint_of_service};
pub(crate) use failure::Failure;
pub(crate) use identity::Caller;
pub(crate) use link::lead;
pub(crate) use page::Pages;
pub(crate) use read::{blank, without_absent};
pub(crate) use role::{Use, session_policy};

#[cfg(test)]
pub(crate) use protocol::{read_answer, request as write_request};
