//! Roles: whom they trust, under which external id, and what their sessions may do.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::iam;
use super::keys::Key;
use super::reply::Refusal;
use super::request::Asked;
use super::trail;
use super::world::World;

/// A role that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRole {
    /// Its ARN; the account in it is the one that its sessions act in.
    pub arn: String,
    /// Whom it trusts: accounts, or ARNs of users and of roles.
    pub principals: Vec<String>,
    /// What whoever takes it must give.
    pub external_id: Option<String>,
    /// The actions that it may do: `iam:UpdateAccessKey`, `iam:*` or `*`.
    pub allows: Vec<String>,
}

/// A session of a role.
#[derive(Clone, Debug)]
pub(super) struct Session {
    key: String,
    role: TrustedRole,
    name: String,
    policy: Option<Vec<String>>,
    until: Timestamp,
}

impl Session {
    fn account(&self) -> &str {
        self.role.arn.split(':').nth(4).unwrap_or_default()
    }

    fn arn(&self) -> String {
        let role = self.role.arn.rsplit('/').next().unwrap_or_default();
        format!("arn:aws:sts::{}:assumed-role/{role}/{}", self.account(), self.name)
    }
}

type Answered = Result<Value, Refusal>;

/// Answers for STS.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    match operation {
        "AssumeRole" => Some(assume(world, asked, now)),
        "GetCallerIdentity" => Some(Ok(match session(world, asked) {
            Some(session) => json!({
                "Account": session.account(), "Arn": session.arn(),
                "UserId": format!("AROAEXAMPLEOFAROLE000:{}", session.name),
            }),
            None => iam::caller(world, asked),
        })),
        _ => None,
    }
}

/// What somebody may do: what every one of some lists allows.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    who: String,
    lists: Vec<Vec<String>>,
}

impl Rights {
    /// # Errors
    /// In AWS's words, when an action is not allowed.
    pub(super) fn require(&self, action: &str) -> Result<(), String> {
        match self.lists.iter().all(|list| allows(list, action)) {
            true => Ok(()),
            false => Err(format!("User: {} is not authorized to perform: {action}", self.who)),
        }
    }
}

/// The rights of the caller's session. Whoever calls without one may do everything.
pub(super) fn rights(world: &World, asked: &Asked) -> Option<Rights> {
    let session = session(world, asked)?;
    let lists = session.policy.iter().chain([&session.role.allows]).cloned().collect();
    Some(Rights { who: session.arn(), lists })
}

/// The rights of a role, if it can be taken.
pub(super) fn rights_of(world: &World, role: &str) -> Option<Rights> {
    let known = world.roles.iter().find(|known| known.arn == role).cloned();
    let role = known.or_else(|| world.any_role.then(|| anybodys(role)))?;
    Some(Rights { who: role.arn.clone(), lists: vec![role.allows] })
}

/// Whether the caller's session may do what it asks. Whoever calls without a session may.
///
/// # Errors
/// With AWS's no.
pub(super) fn admit(world: &World, asked: &Asked, now: Timestamp) -> Result<(), Refusal> {
    let Some(session) = session(world, asked) else { return Ok(()) };
    if now >= session.until {
        let why = "The security token included in the request is expired";
        return Err(Refusal::new(403, "ExpiredToken", why));
    }
    let operation = asked.operation();
    if operation == "sts:GetCallerIdentity" {
        return Ok(());
    }
    let Some(rights) = rights(world, asked) else { return Ok(()) };
    let actions = crate::iam::of(asked.named).actions;
    let denied = |why| Refusal::new(403, "AccessDenied", why);
    actions.iter().try_for_each(|action| rights.require(action).map_err(denied))
}

fn allows(allowed: &[String], action: &str) -> bool {
    allowed.iter().any(|allowed| match allowed.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => allowed == action,
    })
}

/// Who calls, as CloudTrail writes it down; nothing for who calls without a session.
pub(super) fn identity(world: &World, asked: &Asked) -> Option<Value> {
    let session = session(world, asked)?;
    Some(json!({
        "type": "AssumedRole",
        "principalId": format!("AROAEXAMPLEOFAROLE000:{}", session.name),
        "arn": session.arn(),
        "accountId": session.account(),
        "accessKeyId": session.key,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": session.role.arn},
            "sourceIdentity": session.name,
        },
    }))
}

fn session<'w>(world: &'w World, asked: &Asked) -> Option<&'w Session> {
    world.sessions.iter().find(|session| session.key == asked.access_key_id)
}

fn assume(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let arn = asked.text("RoleArn").unwrap_or_default();
    let caller = match session(world, asked) {
        Some(session) => json!({"Account": session.account(), "Arn": session.arn()}),
        None => iam::caller(world, asked),
    };
    let denied = || {
        let who = caller.get("Arn").and_then(Value::as_str).unwrap_or_default();
        let why =
            format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}");
        Refusal::new(403, "AccessDenied", why)
    };
    let known = world.roles.iter().find(|role| role.arn == arn).cloned();
    let role = known.or_else(|| world.any_role.then(|| anybodys(arn))).ok_or_else(denied)?;
    let of_caller = |name: &str| caller.get(name).and_then(Value::as_str).unwrap_or_default();
    let trusted = role
        .principals
        .iter()
        .any(|who| who == "*" || who == of_caller("Account") || is_of(who, of_caller("Arn")));
    let given = asked.text("ExternalId");
    if !trusted || role.external_id.as_deref().is_some_and(|wanted| given != Some(wanted)) {
        return Err(denied());
    }
    let name = asked.text("RoleSessionName").unwrap_or_default().to_owned();
    let names = [Some(name.as_str()), asked.text("SourceIdentity")];
    if let Some(bad) = names.into_iter().flatten().find(|name| !is_name(name)) {
        let why = format!("`{bad}` does not match [\\w+=,.@-]{{2,64}}");
        return Err(Refusal::new(400, "ValidationError", why));
    }
    let seconds = asked.params.get("DurationSeconds").and_then(Value::as_i64).unwrap_or(3_600);
    let until = now.plus_ms(seconds * 1_000);
    let key = format!("ASIA{}", world.next_id("").to_uppercase());
    let policy = asked.text("Policy").map(actions_of).transpose()?;
    let session = Session { key: key.clone(), role, name, policy, until };
    let answer = json!({
        "Credentials": {
            "AccessKeyId": key, "SecretAccessKey": format!("secret-of-{key}"),
            "SessionToken": format!("token-of-{key}"), "Expiration": trail::seconds(until),
        },
        "AssumedRoleUser": {
            "Arn": session.arn(), "AssumedRoleId": format!("AROAEXAMPLEOFAROLE000:{}", session.name),
        },
        "SourceIdentity": asked.text("SourceIdentity"),
    });
    world.sessions.push(session);
    let secret = format!("secret-of-{key}");
    let token = Some(format!("token-of-{key}"));
    world.keys.add(key, Key { secret, session_token: token, expires_at: Some(until) });
    Ok(answer)
}

/// A role that everybody may take, and that may do everything.
fn anybodys(arn: &str) -> TrustedRole {
    TrustedRole {
        arn: arn.to_owned(),
        principals: vec!["*".to_owned()],
        external_id: None,
        allows: vec!["*".to_owned()],
    }
}

/// Whether a caller is who a trust policy names: itself, or a session of the role that it names.
fn is_of(named: &str, caller: &str) -> bool {
    let role = named.replacen(":iam:", ":sts:", 1).replacen(":role/", ":assumed-role/", 1);
    named == caller || caller.starts_with(&format!("{role}/"))
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (2..=64).contains(&name.len()) && name.chars().all(legal)
}

/// The actions that a session policy allows on everything.
fn actions_of(policy: &str) -> Result<Vec<String>, Refusal> {
    let bad = |why: &str| Refusal::new(400, "MalformedPolicyDocument", why);
    if policy.chars().count() > 2_048 {
        return Err(bad("the session policy has more than 2048 characters"));
    }
    let policy: Value = serde_json::from_str(policy).map_err(|_| bad("it is no JSON"))?;
    let actions = policy.pointer("/Statement/0/Action").and_then(Value::as_array);
    let actions = actions.ok_or_else(|| bad("it has no statement with actions"))?;
    Ok(actions.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
