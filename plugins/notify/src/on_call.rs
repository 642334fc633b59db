//! Who is on call, as PagerDuty knows it
//! (<https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls>).

use std::sync::Arc;

use serde_json::Value;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{
    ActionContext, ActionError, BoxFuture, Exchange, OnDuty, Outgoing, Roster,
};

use crate::secret::Secret;

/// A schedule of PagerDuty.
pub struct OnCall {
    /// Where its API is, without a slash at the end; `https://api.pagerduty.com` unless it is another
    /// region's.
    pub base_url: String,
    /// A key of its REST API that may read.
    pub token: Secret,
    /// The schedule's id.
    pub schedule: String,
    /// What carries it.
    pub exchange: Arc<dyn Exchange>,
}

fn read(answer: &Value) -> Result<Vec<OnDuty>, ActionError> {
    let Some(entries) = answer["oncalls"].as_array() else {
        let why = "PagerDuty's answer has no `oncalls`";
        return Err(ActionError::new(ErrorKind::Permanent, "unreadable", why));
    };
    let mut people: Vec<OnDuty> = Vec::new();
    for user in entries.iter().map(|entry| &entry["user"]) {
        let text = |name: &str| user[name].as_str().map(str::to_owned);
        let Some(id) = text("id") else { continue };
        if people.iter().any(|known| known.id == id) {
            continue;
        }
        let name = text("name").or_else(|| text("summary")).unwrap_or_else(|| id.clone());
        people.push(OnDuty { id, name, email: text("email") });
    }
    Ok(people)
}

impl Roster for OnCall {
    fn on_duty<'a>(
        &'a self,
        context: &'a ActionContext,
    ) -> BoxFuture<'a, Result<Vec<OnDuty>, ActionError>> {
        Box::pin(async move {
            let (base, schedule) = (&self.base_url, &self.schedule);
            let outgoing = Outgoing {
                method: "GET",
                url: format!(
                    "{base}/oncalls?schedule_ids%5B%5D={schedule}&include%5B%5D=users&earliest=true"
                ),
                headers: vec![
                    ("accept", "application/vnd.pagerduty+json;version=2".to_owned()),
                    ("authorization", format!("Token token={}", self.token.bare())),
                ],
                body: Vec::new(),
                timeout_ms: context.timeout.duration().as_millis().try_into().unwrap_or(u64::MAX),
            };
            let incoming = self.exchange.exchange(outgoing).await?;
            incoming.succeeded("PagerDuty", self.token.bare())?;
            read(&incoming.json())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_is_on_call_twice_is_one_person() {
        let user = json!({"id": "PU1", "summary": "Mia", "email": "mia@example.com"});
        let other = json!({"id": "PU2", "summary": "Lea S.", "name": "Lea"});
        let answer = json!({"oncalls": [{"user": user}, {"user": user}, {"user": other}, {}]});
        let people = read(&answer).unwrap();
        assert_eq!(people.len(), 2);
        assert_eq!((people[0].name.as_str(), people[1].name.as_str()), ("Mia", "Lea"));
        assert!(read(&json!({"error": "no"})).is_err());
    }
}
