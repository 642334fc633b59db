//! Each account: its two roles, what they allow, and the detectors of its regions.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::effect::Mode;
use stanch_plugins_aws::{Roles, StaticCredentials};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::by_hand::{Caller, items, text, told};
use super::detectors::{self, Region};
use super::organization;
use super::policies::{self, Needed};
use super::report::Report;
use crate::args::Doctor;
use crate::config::Config;

/// Accounts that are looked at at the same time.
const AT_ONCE: usize = 8;

/// The name of the sessions, in CloudTrail.
const SESSION: &str = "stanch-doctor";

/// What to look at, and with what.
pub(super) struct Wanted<'a> {
    pub(super) config: &'a Config,
    pub(super) args: &'a Doctor,
    pub(super) roles: Roles,
    pub(super) needed: Needed,
    /// The account of the base credentials.
    pub(super) own: String,
}

/// One account, as its own task takes it along.
struct Account {
    id: String,
    mode: Mode,
    config: Config,
    roles: Roles,
    needed: Needed,
    own: String,
    regions: Vec<String>,
}

/// Looks at all of them.
pub(super) async fn all(wanted: &Wanted<'_>, caller: &Caller, report: &mut Report) {
    let Wanted { config, args, .. } = wanted;
    let ids: Vec<String> = match args.accounts.is_empty() {
        true => {
            let asked = Box::pin(wanted.of_organization(caller)).await;
            let all = Box::pin(organization::accounts(config, asked.as_ref(), report)).await;
            all.into_iter().collect()
        }
        false => args.accounts.clone(),
    };
    if ids.is_empty() {
        let mend = "name those that Stanch may change under [accounts]; all others are observed";
        report.warn("accounts", "[accounts]", "there is none", mend);
    }
    let (turns, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for id in ids {
        let account = wanted.account(id);
        let (turns, caller) = (Arc::clone(&turns), caller.clone());
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let mut report = Report::default();
            let regions = Box::pin(account.look(&caller, &mut report)).await;
            (account.id, report, regions)
        });
    }
    let mut looked = tasks.join_all().await;
    looked.sort_by(|one, other| one.0.cmp(&other.0));
    let mut regions = Vec::new();
    for (_, of_account, of_regions) in looked {
        report.0.extend(of_account.0);
        regions.extend(of_regions);
    }
    detectors::judge(&regions, report);
}

impl Wanted<'_> {
    fn account(&self, id: String) -> Account {
        Account {
            mode: self.config.accounts.get(&id).map_or(Mode::Observe, |account| account.mode),
            config: self.config.clone(),
            roles: self.roles.clone(),
            needed: self.needed.clone(),
            own: self.own.clone(),
            regions: self.args.regions.clone(),
            id,
        }
    }

    /// Who asks the organization which accounts it has; nobody where that role can't be taken, which
    /// the look at its account then tells.
    async fn of_organization(&self, base: &Caller) -> Option<Caller> {
        let Some(id) = &self.config.aws.organization_account else { return Some(base.clone()) };
        let account = self.account(id.clone());
        match account.role_that_reads() {
            Some(role) => account.take(base, &role, "read", &mut Report::default()).await,
            None => Some(base.clone()).filter(|_| self.own == *id),
        }
    }
}

impl Account {
    /// The role of a kind: its own, or, in another account than that of the base credentials, by the
    /// pattern.
    fn named(&self, own: Option<&String>, pattern: Option<&String>) -> Option<String> {
        let by_pattern = || pattern.filter(|_| self.own != self.id);
        own.cloned().or_else(|| Some(by_pattern()?.replace("{account}", &self.id)))
    }

    fn role_that_reads(&self) -> Option<String> {
        let own = self.roles.accounts.get(&self.id).and_then(|roles| roles.read.as_ref());
        self.named(own, self.roles.pattern.read.as_ref())
    }

    async fn look(&self, base: &Caller, report: &mut Report) -> Vec<Region> {
        let read = self.role_that_reads();
        let own = self.roles.accounts.get(&self.id).and_then(|roles| roles.contain.as_ref());
        let contain = self.named(own, self.roles.pattern.contain.as_ref());
        if read.is_none() && self.own != self.id {
            let found =
                format!("no role reads in it, and the base credentials are of {}", self.own);
            let mend = "name `read_role` under its [accounts], or a pattern under [aws.roles]";
            report.missing("read_role", &self.id, found, mend);
            return Vec::new();
        }
        let reader = match &read {
            Some(role) => self.take(base, role, "read", report).await,
            None => Some(base.clone()),
        };
        if self.mode != Mode::Observe {
            self.containing(base, reader.as_ref(), contain.as_deref(), report).await;
        }
        let Some(reader) = reader else { return Vec::new() };
        if let Some(role) = &read {
            let of = ("read_policy", self.id.as_str());
            policies::simulate((&reader, role), of, &self.needed.read, report).await;
        }
        let mut found = Vec::new();
        for region in self.regions(&reader, report).await {
            found.push(detectors::look(&reader, &self.id, &region).await);
        }
        found
    }

    /// The role that changes, where something may be changed.
    async fn containing(
        &self,
        base: &Caller,
        reader: Option<&Caller>,
        role: Option<&str>,
        report: &mut Report,
    ) {
        match role {
            Some(role) => {
                self.take(base, role, "contain", report).await;
                if let Some(reader) = reader {
                    let of = ("contain_policy", self.id.as_str());
                    policies::simulate((reader, role), of, &self.needed.contain, report).await;
                }
            }
            None if self.own == self.id => {
                let found = "changes are made with the base credentials";
                let mend =
                    "name a `contain_role`: then a change is made under the plan's own policy";
                report.warn("contain_role", &self.id, found, mend);
            }
            None => {
                let found = format!("its mode is {:?}, and no role changes in it", self.mode);
                let mend =
                    "name `contain_role` under its [accounts], or a pattern under [aws.roles]";
                report.missing("contain_role", &self.id, found.to_lowercase(), mend);
            }
        }
    }

    /// Takes a role as a run would, and asks whose it is.
    async fn take(
        &self,
        base: &Caller,
        role: &str,
        of: &'static str,
        report: &mut Report,
    ) -> Option<Caller> {
        let hop = if of == "read" { "read_role" } else { "contain_role" };
        let mend = format!(
            "its trust policy must allow the caller sts:AssumeRole, sts:TagSession and \
             sts:SetSourceIdentity, under the external id of stanch.toml; the caller's own policies \
             must allow the same three for {role} (docs/cross-account.md)"
        );
        let roles = self.roles.accounts.get(&self.id);
        let id = roles.and_then(|roles| roles.external_id.as_ref());
        let mut params = json!({
            "RoleArn": role, "RoleSessionName": SESSION, "SourceIdentity": SESSION,
            "DurationSeconds": 900, "Tags": [{"Key": "stanch:use", "Value": of}],
        });
        if let Some(id) = id.or(self.roles.pattern.external_id.as_ref())
            && let Some(params) = params.as_object_mut()
        {
            params.insert("ExternalId".to_owned(), Value::from(id.as_str()));
        }
        let taken = match base.call("sts:AssumeRole", params, None).await {
            Ok(done) => done.value,
            Err(error) => {
                let found = format!("{role} can't be taken: {}", told(&error));
                report.missing(hop, &self.id, found, mend);
                return None;
            }
        };
        let part = |name: &str| text(&taken, &format!("/Credentials/{name}")).to_owned();
        let credentials = StaticCredentials {
            access_key_id: part("AccessKeyId"),
            secret_access_key: part("SecretAccessKey"),
            session_token: Some(part("SessionToken")).filter(|token| !token.is_empty()),
        };
        let session = Caller::with(&self.config, Some(credentials)).ok()?;
        let asked = session.call("sts:GetCallerIdentity", json!({}), None).await;
        match asked.map(|done| text(&done.value, "/Account").to_owned()) {
            Ok(account) if account == self.id => {
                report.ok(hop, &self.id, format!("{role} can be taken"));
                Some(session)
            }
            Ok(account) => {
                let found = format!("{role} is in {account}");
                report.missing(hop, &self.id, found, "name the role of this account");
                None
            }
            Err(error) => {
                let found = format!("the session of {role} can't be used: {}", told(&error));
                report.missing(hop, &self.id, found, mend);
                None
            }
        }
    }

    /// The regions to look at.
    async fn regions(&self, reader: &Caller, report: &mut Report) -> Vec<String> {
        if !self.regions.is_empty() {
            return self.regions.clone();
        }
        match reader.call("ec2:DescribeRegions", json!({}), None).await {
            Ok(done) => {
                let regions = items(&done.value, "/Regions").iter();
                regions.map(|region| text(region, "/RegionName").to_owned()).collect()
            }
            Err(error) => {
                let mend = "allow the role that reads ec2:DescribeRegions, or name `--region`";
                report.missing("regions", &self.id, told(&error), mend);
                Vec::new()
            }
        }
    }
}
