//! What comes of an answer of AWS: a value, its content where that goes beside, or a fault.

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use bytes::Bytes;
use serde_json::Value;

use super::fault::{Fault, request_id};
use super::whole::{self, Seen, Wrong};
use super::{checksum, content, protocol};
use crate::model::Named;

/// An answer, as its headers and its body say it.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) value: Value,
    /// Its content, where that was asked for beside the value and there is one.
    pub(super) content: Option<Bytes>,
    pub(super) request_id: Option<String>,
    pub(super) date: Option<DateTime>,
}

/// Reads an answer, with its content beside it or within.
///
/// # Errors
/// When it says that the call failed, was damaged, or can't be read.
pub(super) fn read(
    named: Named,
    response: &HttpResponse,
    is_beside: bool,
) -> Result<Raw, OrchestratorError<Fault>> {
    let fault = || Err(OrchestratorError::operation(Fault::read(response)));
    if !response.status().is_success() {
        return fault();
    }
    if let Seen::Error = whole::look(named, response).map_err(OrchestratorError::other)? {
        return fault();
    }
    let date = response.headers().get("date");
    let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
    checksum::check(named, response).map_err(OrchestratorError::other)?;
    let taken = if is_beside { content::take(named, response) } else { None };
    let readable = taken.as_ref().map_or(response, |(rest, _)| rest);
    let value =
        protocol::answer(named, readable).map_err(|error| match whole::is_cut(named, readable) {
            true => OrchestratorError::other(Wrong::NotWhole("it ends in the middle of its JSON")),
            false => OrchestratorError::other(error),
        });
    let (mut value, content) = (value?, taken.map(|(_, content)| content));
    if content.is_some() {
        content::blank(named, &mut value);
    }
    Ok(Raw { value, content, request_id: request_id(response), date })
}
