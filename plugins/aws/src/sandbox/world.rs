//! What there is in the sandbox's account, and who answers for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use stanch_plugins_sdk::core::time::Timestamp;

use super::command::Command;
use super::compliance::Verdict;
use super::iam::User;
use super::keys::Keys;
use super::ledger::Ledger;
use super::reply::Refusal;
use super::request::Asked;
use super::ssm::Execution;
use super::tokens::Tokens;
use super::trust::{Session, TrustedRole};
use super::{
    command, compliance, detective, document, ec2, guardduty, hub, hub_v2, iam, kms, ssm, topic,
    trail, trust,
};

/// A message that was published to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The topic.
    pub topic_arn: String,
    /// The subject, if it had one.
    pub subject: Option<String>,
    /// The message.
    pub message: String,
}

/// Something that lies in one region, in the form in which AWS describes it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// The region.
    pub(super) region: String,
    /// What AWS says of it.
    pub(super) value: Value,
}

/// What there is in the account.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// The account, 12 digits.
    pub(super) account: String,
    /// Its regions.
    pub(super) regions: Vec<String>,
    /// Its users by name.
    pub(super) users: BTreeMap<String, User>,
    /// Its roles, and those of other accounts.
    pub(super) roles: Vec<TrustedRole>,
    /// Whether every role can be taken by everybody.
    pub(super) any_role: bool,
    /// Sessions of roles.
    pub(super) sessions: Vec<Session>,
    /// Its instances.
    pub(super) instances: Vec<Placed>,
    /// What its instances wrote to their consoles, by instance.
    pub(super) consoles: BTreeMap<String, String>,
    /// Its volumes.
    pub(super) volumes: Vec<Placed>,
    /// Its security groups.
    pub(super) groups: Vec<Placed>,
    /// Its network interfaces.
    pub(super) interfaces: Vec<Placed>,
    /// Its snapshots.
    pub(super) snapshots: Vec<Placed>,
    /// The hash of the text of its runbook.
    pub(super) document_hash: String,
    /// Its automations.
    pub(super) executions: Vec<Execution>,
    /// What the groups of contained instances were, by instance.
    pub(super) backups: BTreeMap<String, Value>,
    /// What happened in it, the newest first.
    pub(super) trail: Arc<Vec<Value>>,
    /// Calls that the trail does not get; nothing while it gets none at all.
    pub(super) unrecorded: Option<BTreeSet<String>>,
    /// GuardDuty's findings.
    pub(super) findings: Vec<Value>,
    /// Security Hub's findings.
    pub(super) hub: Vec<Value>,
    /// Findings of its second version, in OCSF.
    pub(super) hub_v2: Vec<Value>,
    /// Detective's investigations.
    pub(super) investigations: Vec<Value>,
    /// Commands on instances.
    pub(super) commands: Vec<Command>,
    /// What Config says of resources.
    pub(super) verdicts: Vec<Verdict>,
    /// What was published to its topics.
    pub(super) published: Vec<Published>,
    /// The keys that requests are signed with.
    pub(super) keys: Keys,
    /// The idempotency tokens that were used.
    pub(super) tokens: Tokens,
    /// What took place by manners.
    pub(super) ledger: Ledger,
    requests: u64,
    ids: u64,
}

impl World {
    /// An account with nothing in it.
    pub(super) fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            regions: ["eu-west-1", "us-east-1", "us-west-2"].map(str::to_owned).into(),
            users: BTreeMap::new(),
            roles: Vec::new(),
            any_role: false,
            sessions: Vec::new(),
            instances: Vec::new(),
            consoles: BTreeMap::new(),
            volumes: Vec::new(),
            groups: Vec::new(),
            interfaces: Vec::new(),
            snapshots: Vec::new(),
            document_hash: document::HASH.to_owned(),
            executions: Vec::new(),
            backups: BTreeMap::new(),
            trail: Arc::default(),
            unrecorded: None,
            findings: Vec::new(),
            hub: Vec::new(),
            hub_v2: Vec::new(),
            investigations: Vec::new(),
            commands: Vec::new(),
            verdicts: Vec::new(),
            published: Vec::new(),
            keys: Keys::default(),
            tokens: Tokens::default(),
            ledger: Ledger::default(),
            requests: 0,
            ids: 0,
        }
    }

    /// An id for the next request, in the form of a UUID.
    pub(super) fn next_request_id(&mut self) -> String {
        self.requests += 1;
        uuid(0x5eed_0000, self.requests)
    }

    /// An id for the next thing, after a prefix such as `snap-`.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}0a{:015x}", self.ids)
    }

    /// An id for the next thing, in the form of a UUID.
    pub(super) fn next_uuid(&mut self) -> String {
        self.ids += 1;
        uuid(0x1d00_0000, self.ids)
    }

    /// The trail, to be added to.
    pub(super) fn trail_mut(&mut self) -> &mut Vec<Value> {
        Arc::make_mut(&mut self.trail)
    }

    /// Lets what goes on by itself go on until then.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        ssm::go_on(self, now);
        command::go_on(self, now);
        detective::go_on(self, now);
        ec2::go_on(self, now);
    }

    /// Refuses a call with a key that was made inactive.
    pub(super) fn key_is_active(&self, asked: &Asked) -> Result<(), Refusal> {
        iam::key_is_active(self, asked)
    }

    /// Keeps of what would have come of a call only what makes it look accepted: the automations
    /// that it started, which then do nothing.
    pub(super) fn accept_without_effect(&mut self, would_be: Self) {
        let started = would_be.executions.into_iter().skip(self.executions.len());
        self.executions.extend(started.map(|mut execution| {
            execution.hollow = true;
            execution
        }));
        self.tokens = would_be.tokens;
        self.ids = would_be.ids;
    }

    /// Answers a call, if somebody here answers for its operation.
    pub(super) fn answer(
        &mut self,
        asked: &Asked,
        now: Timestamp,
    ) -> Option<Result<Value, Refusal>> {
        if let Some(answered) = self.ledger.answer(asked) {
            return Some(answered);
        }
        let operation = &*asked.named.operation.name;
        match &*asked.named.model.name {
            "iam" => iam::answer(self, operation, asked, now),
            "sts" => trust::answer(self, operation, asked, now),
            "ec2" => ec2::answer(self, operation, asked, now),
            "ssm" => ssm::answer(self, operation, asked, now),
            "cloudtrail" => trail::answer(self, operation, asked),
            "sns" => topic::answer(self, operation, asked),
            "guardduty" => guardduty::answer(self, operation, asked, now),
            "securityhub" => hub::answer(self, operation, asked, now)
                .or_else(|| hub_v2::answer(self, operation, asked)),
            "detective" => detective::answer(self, operation, asked, now),
            "config" => compliance::answer(self, operation, asked, now),
            "kms" => kms::answer(operation, asked),
            _ => None,
        }
    }
}

fn uuid(kind: u32, number: u64) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}
