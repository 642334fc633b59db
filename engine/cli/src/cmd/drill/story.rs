//! What happens in a drill, hop by hop, and how long each takes.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::world::World;

use super::super::by_hand::Caller;
use super::stage::User;
use crate::args::Common;
use crate::client::Client;
use crate::config::{Config, environment};
use crate::output;

/// The pause between two looks, in milliseconds.
const LOOK_MS: i64 = 200;

/// Who is told, who is asked, and since when.
pub(super) struct Story {
    world: World,
    person: Client,
    detector: Client,
    says_yes: bool,
    last: Timestamp,
    begun: Timestamp,
}

/// Speaks as the detectors do: with the webhook's token.
pub(super) fn detector(common: &Common, config: &Config) -> anyhow::Result<Client> {
    let url = common.server.clone().unwrap_or_else(|| config.public_url());
    let token = match config.webhook.resolve(&environment)? {
        Some(token) => token,
        None => {
            let file = config.data_dir().join("keys").join("webhook.token");
            std::fs::read_to_string(&file).with_context(|| lacks_token(&file))?
        }
    };
    Client::new(url, token.trim().to_owned())
}

fn lacks_token(file: &Path) -> String {
    format!("no webhook token: set STANCH_WEBHOOK_TOKEN, or run where {} is", file.display())
}

impl Story {
    pub(super) fn begin(world: &World, person: Client, detector: Client, says_yes: bool) -> Self {
        let (world, now) = (world.clone(), world.now());
        Self { world, person, detector, says_yes, last: now, begun: now }
    }

    /// Tells of a hop: when, counted from the start, and how long it took.
    pub(super) fn hop(&mut self, what: &str, about: &str) {
        let now = self.world.now();
        let ms = |from: Timestamp| now.micros().saturating_sub(from.micros()) / 1_000;
        println!("{:>8} ms  +{:<7} {what:<16} {about}", ms(self.begun), ms(self.last));
        self.last = now;
    }

    /// All of it, up to the undo.
    pub(super) async fn tell(
        &mut self,
        aws: &Caller,
        user: &User,
        account: &str,
    ) -> anyhow::Result<()> {
        let key = user.make(aws, account).await?;
        self.hop("made", &format!("{} with the key {key}, in {account}", user.name));
        let finding = finding(account, &user.name, &key, self.begun);
        let received = self.detector.post("/webhooks/guardduty", &finding).await.context(
            "the webhook refused the alert; where [sources.guardduty] asks its senders for another proof \
             than the webhook's token, a drill can't speak as they do",
        )?;
        let incident = output::text(&received["incident_id"]);
        self.hop("received", &format!("{} in {incident}", output::text(&received["alert_id"])));
        let run = match received["run_ids"].get(0).and_then(Value::as_str) {
            Some(run) => run.to_owned(),
            None => bail!(
                "no playbook answers an access key in the wrong hands: publish iam-access-key-compromise"
            ),
        };
        self.hop("started", &run);
        let ended = self.follow(&run).await?;
        self.hop("ended", &format!("{run} {}", output::text(&ended["status"])));
        if ended["status"] != "succeeded" {
            bail!("{run} ended as {}: {}", output::text(&ended["status"]), ended["error"]);
        }
        let status = user.key_status(aws).await?;
        if status != "Inactive" {
            bail!(
                "AWS says that {key} is {status}: it was not cut off. `stanch runs show {run}` says why; \
                 an account in the mode `observe` changes nothing"
            );
        }
        let shown = self.person.get(&format!("/incidents/{incident}"), &[]).await?;
        let said = output::text(&shown["status"]);
        self.hop("contained", &format!("AWS says that {key} is Inactive; {incident} is {said}"));
        self.undo(&run).await?;
        let status = user.key_status(aws).await?;
        if status != "Active" {
            bail!("AWS says that {key} is {status}: it was not taken back");
        }
        self.hop("undone", &format!("AWS says that {key} is Active"));
        let body = json!({"reason": "it was a drill", "force": true});
        self.person.post(&format!("/incidents/{incident}/close"), &body).await?;
        self.hop("closed", &incident);
        Ok(())
    }

    async fn undo(&mut self, run: &str) -> anyhow::Result<()> {
        let body = json!({"reason": "it was a drill"});
        let started = self.person.post(&format!("/runs/{run}/undo"), &body).await?;
        let undo = output::text(&started["id"]);
        self.hop("undo started", &undo);
        let ended = self.follow(&undo).await?;
        if ended["status"] != "succeeded" {
            bail!("{undo} ended as {}: {}", output::text(&ended["status"]), ended["error"]);
        }
        Ok(())
    }

    /// Follows a run to its end, and answers what it asks, or has a person do it.
    async fn follow(&mut self, run: &str) -> anyhow::Result<Value> {
        let mut asked = Vec::new();
        loop {
            let found = self.person.get(&format!("/runs/{run}"), &[]).await?;
            if let Some("succeeded" | "failed" | "cancelled" | "parked") = found["status"].as_str()
            {
                return Ok(found);
            }
            let query = [("status", "pending".to_owned())];
            let pending = self.person.get("/approvals", &query).await?;
            let pending = pending["items"].as_array().cloned().unwrap_or_default();
            for approval in pending {
                if approval["run_id"] == run && !asked.contains(&approval["id"]) {
                    asked.push(approval["id"].clone());
                    self.answer(&approval).await?;
                }
            }
            let world = &self.world;
            world.clock.sleep_until(world.now().plus_ms(LOOK_MS)).await;
        }
    }

    async fn answer(&mut self, approval: &Value) -> anyhow::Result<()> {
        let id = output::text(&approval["id"]);
        self.hop("asked", &format!("{id}: {}", output::text(&approval["title"])));
        let has_form = !approval["form"].is_null();
        let by_hand = if has_form { " --form verdict=benign_positive" } else { "" };
        let by_hand = format!("stanch approve {id} --reason \"a drill\"{by_hand}");
        if !self.says_yes {
            println!("   a responder says yes: {by_hand}");
            return Ok(());
        }
        let form = if has_form { json!({"verdict": "benign_positive"}) } else { json!({}) };
        let body = json!({"decision": "approve", "reason": "a drill, with --yes", "form": form});
        let decided = self.person.post(&format!("/approvals/{id}/decisions"), &body).await;
        let refused = decided.as_ref().err().map(ToString::to_string).unwrap_or_default();
        if let Some(why) = another_must(&refused) {
            println!("   {why}, so another responder says yes: {by_hand}");
            return Ok(());
        }
        decided.context("your token (STANCH_TOKEN) must be a responder's for `--yes`")?;
        self.hop("approved", &id);
        Ok(())
    }
}

/// Why a yes does not count, where it is another person's to say: who says it did the work before.
fn another_must(refused: &str) -> Option<&str> {
    let (why, _) = refused.split_once(": another person must say yes")?;
    Some(why.rsplit_once(": ").map_or(why, |(_, why)| why))
}

/// A finding of GuardDuty about the key. It is a sample, by its title and by its mark.
fn finding(account: &str, user: &str, key: &str, now: Timestamp) -> Value {
    let region = "us-east-1";
    let id = format!("stanch-drill-{key}");
    json!({
        "schemaVersion": "2.0", "accountId": account, "region": region, "partition": "aws", "id": id,
        "arn": format!("arn:aws:guardduty:{region}:{account}:detector/stanch-drill/finding/{id}"),
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom", "severity": 8,
        "title": format!("[SAMPLE] stanch drill: the key {key} of {user} is in the wrong hands"),
        "description": "A drill: the user was made for it and is thrown away.",
        "createdAt": now, "updatedAt": now,
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": {
            "accessKeyId": key, "userName": user, "userType": "IAMUser", "principalId": user}},
        "service": {"serviceName": "guardduty", "count": 1, "archived": false,
            "additionalInfo": {"sample": true}, "eventFirstSeen": now, "eventLastSeen": now},
    })
}

#[cfg(test)]
mod tests {
    use super::another_must;

    #[test]
    fn a_yes_that_does_not_count_says_why() {
        let refused = "ST0304: the token may not do this: mia published the playbook: another person \
                       must say yes, unless `requester_counts` under [approvals] lets their own count";
        assert_eq!(another_must(refused), Some("mia published the playbook"));
        assert_eq!(another_must("ST0304: the token may not do this"), None);
    }
}
