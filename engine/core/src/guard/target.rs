//! What a call would touch, as far as its parameters say.

use serde_json::Value;

/// What a call would touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// What is called, for messages: `iam:DeleteRole`.
    pub operation: String,
    /// The service in ARNs: `iam`. Nothing for what is not AWS.
    pub service: Option<String>,
    /// The account that is called.
    pub account: Option<String>,
    /// The resources that the parameters name, as ARNs. A part of the place that is not known is `*`,
    /// and may be any.
    pub arns: Vec<String>,
    /// Every text of which nobody knows what it names.
    pub words: Vec<String>,
    /// Whether it goes to whatever fits when it is made, and nothing says now what that will be.
    pub is_open: bool,
    /// Whether the call only adds something new: it deletes and weakens nothing, and replaces
    /// nothing but what [`Targets::new_objects`] names.
    pub only_adds: bool,
    /// The objects that it adds, as ARNs: the bucket and the key.
    pub new_objects: Vec<String>,
}

impl Targets {
    /// The targets of a call that nothing is known of: every text of its input is looked at.
    pub fn unknown(operation: &str, account: Option<&str>, input: &Value) -> Self {
        let mut words = Vec::new();
        texts(input, &mut words);
        let (operation, account) = (operation.to_owned(), account.map(str::to_owned));
        Self { operation, account, words, ..Self::default() }
    }
}

/// Every text in a value, names of members among them.
pub fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                found.push(name.clone());
                texts(member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What AWS said when it was asked about targets and about the runner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// The ARNs and ids of whoever runs Stanch.
    pub runner: Vec<String>,
    /// The ids of what Stanch runs on: an instance, a task.
    pub hosts: Vec<String>,
    /// The ids of the account that Stanch runs in, and of the organizational units around it, when
    /// the call is about an organization.
    pub home: Vec<String>,
    /// What the call reaches without naming it, as ARNs or ids: the roles that a policy is attached
    /// to, the users in a group, the accounts under a policy.
    pub reached: Vec<String>,
    /// The keys that evidence is encrypted with.
    pub evidence_keys: Vec<String>,
    /// The objects that are there and would be replaced.
    pub replaced: Vec<String>,
    /// The organizational units that the account is in, the nearest first.
    pub ous: Vec<String>,
    /// The targets' ARNs with their paths.
    pub arns: Vec<String>,
    /// The tags of the targets.
    pub tags: Vec<(String, String)>,
}

/// What a rule must be told before it can be judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The organizational units of the account.
    pub ous: bool,
    /// The paths of roles and users.
    pub paths: bool,
    /// The tags of the targets.
    pub tags: bool,
    /// Whether the call replaces an object that is there.
    pub replaced: bool,
    /// The buckets of which it is told what they are encrypted with.
    pub encrypted: Vec<String>,
}
