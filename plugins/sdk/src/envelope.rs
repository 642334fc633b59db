//! An envelope: what a payload is wrapped in on its way, such as SNS's notification or SQS's
//! records.

use std::borrow::Cow;

use serde_json::Value;

use crate::SourceError;

/// One kind of wrapping.
pub trait Envelope: Send + Sync + 'static {
    /// What is in it; `None` when the payload is not wrapped so.
    fn open<'v>(&self, payload: &'v Value) -> Option<Vec<Part<'v>>>;
}

/// One thing in an envelope.
#[derive(Clone, Debug)]
pub struct Part<'v> {
    /// Where it stands in the envelope, such as `Records[0].Sns.Message`.
    pub path: String,
    /// It, or why it can't be taken out.
    pub payload: Result<Cow<'v, Value>, SourceError>,
    /// What the envelope knows of it.
    pub around: Around,
}

impl<'v> Part<'v> {
    /// A part that stands in the payload as it is.
    pub fn of(path: impl Into<String>, payload: &'v Value) -> Self {
        let payload = Ok(Cow::Borrowed(payload));
        Self { path: path.into(), payload, around: Around::default() }
    }

    /// With what the envelope knows.
    #[must_use]
    pub fn within(mut self, around: Around) -> Self {
        self.around = around;
        self
    }
}

/// What only the envelope of a payload knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The account that it was sent from.
    pub account: Option<String>,
    /// The region that it was sent from.
    pub region: Option<String>,
}

impl Around {
    /// What the inner envelope knows, and the outer one where the inner one is silent.
    #[must_use]
    pub fn over(self, outer: &Self) -> Self {
        Self {
            account: self.account.or_else(|| outer.account.clone()),
            region: self.region.or_else(|| outer.region.clone()),
        }
    }
}
