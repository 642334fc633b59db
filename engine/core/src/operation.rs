//! What a reader of playbooks must know of the operations of an API.

use serde_json::Value;

use crate::effect::Effect;
use crate::guard::target::{Targets, Wants};

/// The IAM actions that a call needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamActions {
    /// The actions, as policies write them.
    pub actions: Vec<String>,
    /// Whether nobody looked them up: an action mostly bears its operation's name.
    pub is_assumed: bool,
}

/// What a change gets where a playbook leaves it without a probe or an inverse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Whether it gets a probe.
    pub probe: bool,
    /// Whether it gets an inverse.
    pub inverse: bool,
    /// The operations that this comes to: reads of the state, and inverses.
    pub operations: Vec<String>,
}

/// The operations that playbooks may name, as `service:Operation`.
pub trait Operations: Send + Sync {
    /// How far an operation reaches.
    ///
    /// # Errors
    /// In words, when there is no such operation, with the nearest name that there is.
    fn effect(&self, operation: &str) -> Result<Effect, String>;

    /// Checks parameters without sending anything.
    ///
    /// # Errors
    /// In words, every mistake with the path of the value.
    fn check(&self, operation: &str, params: &Value) -> Result<(), Vec<String>>;

    /// The operation that a waiter such as `ec2:InstanceStopped` asks.
    ///
    /// # Errors
    /// In words, when there is no such waiter, with the nearest name that there is.
    fn waiter(&self, waiter: &str) -> Result<String, String>;

    /// The IAM actions that a call of an operation needs; nothing when there is no such operation.
    fn iam_actions(&self, operation: &str) -> Option<IamActions>;

    /// The operation that is asked whether a call took place whose answer was lost, where there is
    /// one.
    fn looked_up_by(&self, operation: &str) -> Option<String> {
        let _ = operation;
        None
    }

    /// The operations that the guard may call with the role that reads, before a change by an
    /// operation, where its rules want that.
    fn asked_before(&self, operation: &str, wants: &Wants) -> Vec<String> {
        let (_, _) = (operation, wants);
        Vec::new()
    }

    /// What a call of an operation would touch, as far as its parameters say; nothing when there
    /// is no such operation.
    fn targets(
        &self,
        operation: &str,
        params: &Value,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Option<Targets> {
        let (_, _, _, _) = (operation, params, account, region);
        None
    }

    /// What a change by an operation gets where a playbook says nothing: nothing, unless there is
    /// a catalogue.
    fn completion(&self, operation: &str) -> Completion {
        let _ = operation;
        Completion::default()
    }

    /// That an operation's answer can have a member: the path from the answer to it, an item of a
    /// list as `[]`.
    ///
    /// # Errors
    /// In words, with the nearest name that there is. Nothing is said of an unknown operation.
    fn answers(&self, operation: &str, path: &[&str]) -> Result<(), String> {
        let (_, _) = (operation, path);
        Ok(())
    }

    /// An answer of the right shape to a call that was not made: every modelled member is there,
    /// and is null.
    fn blank_answer(&self, operation: &str) -> Value;
}
