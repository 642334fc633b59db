//! EventBridge's envelope
//! (<https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>), and a
//! finding that came without it.

use serde_json::Value;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::payload::{at, items, text, time};
use stanch_plugins_sdk::{Around, SourceError};

use stanch_plugins_sdk::payload::arn::{Arn, is_account};

/// A payload as sources see it: what it says, and the event around it where there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'v> {
    /// All of it: the event, or the finding itself.
    pub(super) whole: &'v Value,
    /// The event's `detail`, or the finding itself.
    pub(super) detail: &'v Value,
    is_event: bool,
}

impl<'v> Event<'v> {
    /// Looks at a payload. A transformer before us may have dropped members of the envelope, down
    /// to nothing but `detail`.
    pub(super) fn of(whole: &'v Value) -> Self {
        let says = |name| whole.get(name).is_some_and(Value::is_string);
        let is_alone = || whole.as_object().is_some_and(|members| members.len() == 1);
        let detail = whole.get("detail").filter(|detail| detail.is_object());
        match detail.filter(|_| says("source") || says("detail-type") || is_alone()) {
            Some(detail) => Self { whole, detail, is_event: true },
            None => Self { whole, detail: whole, is_event: false },
        }
    }

    /// The same with another detail, which says the same.
    pub(super) fn saying<'s>(&self, detail: &'s Value) -> Event<'s>
    where
        'v: 's,
    {
        Event { whole: self.whole, detail, is_event: self.is_event }
    }

    /// Whether there is an envelope.
    pub(super) fn is_event(&self) -> bool {
        self.is_event
    }

    /// Whether the envelope names this service; nothing when it names none.
    pub(super) fn is_from(&self, source: &str) -> Option<bool> {
        self.envelope("source").map(|from| from == source)
    }

    /// A text of the envelope.
    pub(super) fn envelope(&self, name: &str) -> Option<&'v str> {
        let text = self.whole.get(name).filter(|_| self.is_event)?.as_str()?;
        Some(text).filter(|text| !text.is_empty())
    }

    /// What the envelope calls it.
    pub(super) fn detail_type(&self) -> Option<&'v str> {
        self.envelope("detail-type")
    }

    /// When the event was made.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.whole.get("time").filter(|_| self.is_event).and_then(time)
    }

    /// What the envelope names as its resources.
    pub(super) fn resources(&self) -> impl Iterator<Item = &'v str> + use<'v> {
        let named = if self.is_event { items(self.whole, &["resources"]) } else { &[] };
        named.iter().filter_map(Value::as_str)
    }

    /// The account: of the finding by one of these members, of the envelope, of an ARN.
    pub(super) fn account(
        &self,
        names: &[&str],
        arn: Option<&str>,
        around: &Around,
    ) -> Option<String> {
        let said = names.iter().find_map(|name| account(self.detail, &[name]));
        said.or_else(|| account(self.whole, &["account"]).filter(|_| self.is_event))
            .or_else(|| Arn::parse(arn?)?.account())
            .or_else(|| around.account.clone())
    }

    /// The region: of the finding by one of these members, of the envelope, of an ARN.
    pub(super) fn region(
        &self,
        names: &[&str],
        arn: Option<&str>,
        around: &Around,
    ) -> Option<String> {
        let said = names.iter().find_map(|name| text(self.detail, &[name]));
        said.or_else(|| self.envelope("region").map(str::to_owned))
            .or_else(|| Arn::parse(arn?)?.region())
            .or_else(|| around.region.clone())
    }

    /// A text of the detail that an alert can't be without.
    pub(super) fn needed(&self, name: &'static str) -> Result<String, SourceError> {
        text(self.detail, &[name]).ok_or_else(|| self.missing(name, "a text"))
    }

    /// What is missing, and where it would stand.
    pub(super) fn missing(&self, name: &str, expected: &'static str) -> SourceError {
        let path = if self.is_event { format!("detail.{name}") } else { name.to_owned() };
        SourceError::Member { path, expected }
    }
}

/// An account at the end of a path, which may be written as a number without its leading zeros.
pub(super) fn account(value: &Value, path: &[&str]) -> Option<String> {
    match at(value, path)? {
        Value::String(text) => is_account(text.trim()).then(|| text.trim().to_owned()),
        Value::Number(number) => Some(format!("{:012}", number.as_u64()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_envelope_is_known_by_any_of_its_members_and_by_standing_alone() {
        for whole in [
            json!({"source": "aws.guardduty", "detail": {"id": "f"}}),
            json!({"detail-type": "GuardDuty Finding", "detail": {"id": "f"}, "region": "r"}),
            json!({"detail": {"id": "f"}}),
        ] {
            let event = Event::of(&whole);
            assert!(event.is_event());
            assert_eq!(event.detail, &json!({"id": "f"}));
        }
        for whole in [json!({"id": "f", "detail": {}}), json!({"detail": "text"}), json!([])] {
            assert!(!Event::of(&whole).is_event(), "{whole}");
        }
    }

    #[test]
    fn the_finding_says_the_account_before_the_envelope_and_the_envelope_before_an_arn() {
        let around = Around { account: Some("4".into()), region: None };
        let arn = Some("arn:aws:ec2:eu-west-1:333333333333:instance/i-1");
        let whole = json!({"source": "s", "account": "222222222222", "detail": {"accountId": 11}});
        let event = Event::of(&whole);
        assert_eq!(event.account(&["accountId"], arn, &around).unwrap(), "000000000011");
        assert_eq!(event.account(&["other"], arn, &around).unwrap(), "222222222222");
        let whole = json!({"source": "s", "account": "EXAMPLE", "detail": {"accountId": "x"}});
        let event = Event::of(&whole);
        assert_eq!(event.account(&["accountId"], arn, &around).unwrap(), "333333333333");
        assert_eq!(event.account(&["accountId"], None, &around).unwrap(), "4");
        assert_eq!(event.region(&["region"], arn, &around).unwrap(), "eu-west-1");
    }
}
