//! Links by which one person decides once: signed, bound to an approval and its plan, and over when
//! the approval is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use stanch_engine_core::approval::{ApprovalStatus, may_decide};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code::{self, ErrorCode};
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::scope::{Subject, reaching};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::approvals::Approval;
use stanch_engine_store::{StoreError, used_links};
use stanch_plugins_sdk::Recipient;

use crate::approvals::DecideError;
use crate::audit;
use crate::elsewhere::{self, ElsewhereError, Said};
use crate::runtime::Runtime;
use crate::shared::Shared;

/// What stands before what is signed, so that no signature for anything else is one for a link.
const CONTEXT: &[u8] = b"stanch link v1\n";

/// Characters of a link, at most: ours have about 400.
const MOST_CHARS: usize = 1_024;

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The approval.
    pub approval: ApprovalId,
    /// Whose it is.
    pub person: String,
    /// The digest of the plan that was shown.
    plan: Option<Sha256>,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// No two have the same.
    nonce: String,
}

/// Why a link is not good, or what was said by it is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It is none of ours.
    #[error("the link is not one of this installation's, or was cut off on its way")]
    NotOurs,
    /// Its time is over.
    #[error("the link's time is over: what it asked is settled, or nobody answered in time")]
    Expired,
    /// It was used.
    #[error("the link was used already; it is good for one decision")]
    Used,
    /// What it asks is not what is asked now.
    #[error("the link is for another plan than the one that is asked for now")]
    OtherPlan,
    /// It belongs to somebody else than the one who has signed in.
    #[error("the link is {0}'s: decide it with your own")]
    NotYours(String),
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] ElsewhereError),
}

impl From<StoreError> for LinkError {
    fn from(error: StoreError) -> Self {
        Self::Refused(ElsewhereError::Store(error))
    }
}

impl LinkError {
    /// The page that says what to do.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotOurs => error_code::NOT_FOUND,
            Self::Expired | Self::Used | Self::OtherPlan => error_code::CONFLICT,
            Self::NotYours(_) => error_code::FORBIDDEN,
            Self::Refused(error) => error.code(),
        }
    }
}

/// Gives each of those who may decide an approval here a link of their own: those whose roles reach
/// what it is about.
pub(crate) fn give(
    shared: &Shared,
    (approval, subject): (&Approval, &Subject),
    people: &mut [Recipient],
) {
    if approval.status != ApprovalStatus::Pending {
        return;
    }
    let known = &shared.settings.notify.people;
    let base = shared.settings.public_url.trim_end_matches('/');
    for person in people.iter_mut().filter(|person| person.email.is_some()) {
        // Only who stands in the configuration is somebody by more than a name.
        if !known.contains_key(&person.name) {
            continue;
        }
        let roles = reaching(&elsewhere::granted(&shared.settings, &person.name), subject);
        if may_decide(&approval.approvers, &person.name, &roles) {
            let link = make(shared, approval, &person.name);
            person.link = Some(format!("{base}/v1/links/{link}"));
        }
    }
}

fn make(shared: &Shared, approval: &Approval, person: &str) -> String {
    let link = Link {
        approval: approval.id,
        person: person.to_owned(),
        plan: approval.plan_digest,
        expires_at: approval.expires_at,
        nonce: format!("{:032x}", shared.world.entropy.next()),
    };
    let payload = BASE64.encode(serde_json::to_vec(&link).unwrap_or_default());
    let signature = shared.keys.sign_own(&[CONTEXT, payload.as_bytes()].concat());
    format!("{payload}.{signature}")
}

/// Reads a link. It changes nothing.
///
/// # Errors
/// [`LinkError::NotOurs`] when it is none of ours.
pub fn read(runtime: &Runtime, text: &str) -> Result<Link, LinkError> {
    let (payload, signature) = text.split_once('.').ok_or(LinkError::NotOurs)?;
    let signed = [CONTEXT, payload.as_bytes()].concat();
    if text.len() > MOST_CHARS || !runtime.shared.keys.is_own(&signed, signature) {
        return Err(LinkError::NotOurs);
    }
    let bytes = BASE64.decode(payload).map_err(|_| LinkError::NotOurs)?;
    serde_json::from_slice(&bytes).map_err(|_| LinkError::NotOurs)
}

/// What a link asks, when it may be answered. It changes nothing.
///
/// # Errors
/// [`LinkError`] says why it may not.
pub async fn look(runtime: &Runtime, link: &Link) -> Result<Approval, LinkError> {
    if runtime.world().now() >= link.expires_at {
        return Err(LinkError::Expired);
    }
    if elsewhere::is_disabled(runtime, &link.person).await? {
        return Err(ElsewhereError::Disabled(link.person.clone()).into());
    }
    let nonce = link.nonce.clone();
    let used = runtime
        .store()
        .read(move |conn| Box::pin(async move { used_links::is_used(conn, &nonce).await }));
    if used.await? {
        return Err(LinkError::Used);
    }
    let not_found = || ElsewhereError::Refused(DecideError::NotFound(link.approval));
    let approval = elsewhere::find(runtime, link.approval).await?.ok_or_else(not_found)?;
    if approval.plan_digest != link.plan {
        return Err(LinkError::OtherPlan);
    }
    match approval.status {
        ApprovalStatus::Pending => Ok(approval),
        other => Err(ElsewhereError::Refused(DecideError::TooLate(other)).into()),
    }
}

/// Decides by a link, once. A decision that is not taken leaves it as it was. Whoever has signed in as
/// somebody decides as nobody else. It is in the audit log.
///
/// # Errors
/// [`LinkError`] says why it was not taken.
pub async fn decide(
    runtime: &Runtime,
    link: Link,
    (from, signed_in): (&str, Option<String>),
    said: Said,
) -> Result<ApprovalStatus, LinkError> {
    let actor = signed_in.clone().unwrap_or_else(|| link.person.clone());
    let from = format!("link {from}");
    let asked = elsewhere::asked(runtime, Some(actor), &from, (link.approval, &said));
    let own = runtime.clone();
    let deciding = async move {
        if signed_in.is_some_and(|name| name != link.person) {
            return Err(LinkError::NotYours(link.person));
        }
        once(&own, &link, from, said).await
    };
    audit::carry_out(runtime, asked, deciding, LinkError::code).await
}

async fn once(
    runtime: &Runtime,
    link: &Link,
    from: String,
    said: Said,
) -> Result<ApprovalStatus, LinkError> {
    look(runtime, link).await?;
    let (nonce, approval) = (link.nonce.clone(), link.approval);
    let (person, now) = (link.person.clone(), runtime.world().now());
    // It is used up before it decides: of two at once, one decides.
    let used = runtime.store().write(move |tx| {
        let (nonce, person) = (nonce.clone(), person.clone());
        Box::pin(async move { used_links::insert(tx, &nonce, approval, &person, now).await })
    });
    if !used.await? {
        return Err(LinkError::Used);
    }
    let decided = elsewhere::decide(runtime, approval, &link.person, from, said).await;
    if decided.is_err() {
        let nonce = link.nonce.clone();
        let given_back = runtime.store().write(move |tx| {
            let nonce = nonce.clone();
            Box::pin(async move { used_links::remove(tx, &nonce).await })
        });
        given_back.await?;
    }
    Ok(decided?)
}
