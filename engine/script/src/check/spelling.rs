//! Names of members that are written out: those of options, and those of what a run begins with.

use rhai::{AST, ASTNode, Expr, Stmt};
use stanch_engine_core::alert::ALERT_MEMBERS;
use stanch_engine_core::suggest;

use crate::calls::Call;
use crate::error::{Diagnostic, position};

/// The members of the variable `incident`.
const INCIDENT_MEMBERS: &[&str] = &["account", "id", "severity", "status", "title"];

/// What any action may be told.
const STEP: [&str; 6] = ["account", "attempts", "on_error", "region", "role", "timeout"];

/// Which argument of a verb holds its options, and what may be in them.
fn options_of(verb: &str) -> Option<(usize, Vec<&'static str>)> {
    let with_step = |more: &[&'static str]| STEP.iter().chain(more).copied().collect();
    Some(match verb {
        "aws" => (2, with_step(&["paginate"])),
        "ssm_automation" => (2, with_step(&["version"])),
        "http" => (2, with_step(&["body", "headers", "retry", "effect"])),
        "action" | "wait_for" => (2, with_step(&[])),
        "collect" => (3, vec!["account", "regions", "role", "since"]),
        "approval" => (1, vec!["plan", "approvers", "quorum", "expires", "escalate", "form"]),
        "change" => (
            2,
            vec!["account", "region", "probe", "inverse", "before", "given", "settles", "notes"],
        ),
        "probe" => (3, vec!["account", "region", "errors", "passes_on", "within", "every"]),
        "plan" => (1, vec!["purpose"]),
        "each" => (1, vec!["canary", "max_concurrency", "max_errors", "waves"]),
        "wait_signal" => (1, vec!["timeout"]),
        "run_playbook" => (2, vec!["timeout"]),
        "wait_until" => (1, vec!["every", "timeout"]),
        _ => return None,
    })
}

/// Options of a verb that it does not have.
pub(super) fn check_options(call: &Call) -> Vec<Diagnostic> {
    let Some((number, known)) = options_of(&call.name) else { return Vec::new() };
    if call.alias.is_some() || call.is_method {
        return Vec::new();
    }
    let written = call.members(number).unwrap_or_default();
    let unknown = written.iter().filter(|name| !known.contains(&name.as_str()));
    unknown
        .map(|name| {
            let hint = suggest::hint(name, known.iter().copied());
            let message = format!(
                "`{}` has no option `{name}`{hint}: it has {}",
                call.name,
                known.join(", ")
            );
            Diagnostic::error(position(call.at), message)
        })
        .collect()
}

/// Members that an alert or an incident does not have.
pub(super) fn check_scope(ast: &AST) -> Vec<Diagnostic> {
    let hidden = redefined(ast);
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Expr(Expr::Dot(dot, ..))) = path.last()
            && let Expr::Variable(variable, ..) = &dot.lhs
            && let Some((member, at)) = first_property(&dot.rhs)
        {
            let variable = variable.1.as_str();
            let members = match variable {
                "alert" => ALERT_MEMBERS,
                "incident" => INCIDENT_MEMBERS,
                _ => return true,
            };
            if !hidden.iter().any(|name| name == variable) && !members.contains(&member) {
                let hint = suggest::hint(member, members.iter().copied());
                let message = format!("`{variable}` has no `{member}`{hint}");
                found.push(Diagnostic::error(position(at), message));
            }
        }
        true
    });
    found
}

/// The first member of `x.a.b`, without `x`.
fn first_property(expr: &Expr) -> Option<(&str, rhai::Position)> {
    match expr {
        Expr::Property(property, at) => Some((property.2.as_str(), *at)),
        Expr::Dot(dot, ..) | Expr::Index(dot, ..) => first_property(&dot.lhs),
        _ => None,
    }
}

/// Names that the text gives to something else.
fn redefined(ast: &AST) -> Vec<String> {
    let mut names: Vec<String> =
        ast.iter_functions().flat_map(|f| f.params).map(|name| (*name).to_owned()).collect();
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(var, ..))) => names.push(var.0.as_str().to_owned()),
            Some(ASTNode::Stmt(Stmt::For(each, ..))) => names.push(each.0.as_str().to_owned()),
            _ => {}
        }
        true
    });
    names
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use stanch_engine_core::approval::ApprovalOptions;
    use stanch_engine_core::command::{CollectOptions, StepOptions};
    use stanch_engine_core::each::EachOptions;
    use stanch_engine_core::plan::{Change, Plan, Probe};

    use super::*;

    /// The members that a type has, by its own words.
    fn members<T: DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>("{\"?\": 1}").err().unwrap().to_string();
        let (_, names) = error.split_once("expected ").unwrap();
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn is_all_of<T: DeserializeOwned>(verb: &str, elsewhere: &[&str]) {
        let (_, mut known) = options_of(verb).unwrap();
        known.extend(elsewhere);
        known.sort_unstable();
        let mut members = members::<T>();
        members.sort();
        assert_eq!(known, members, "{verb}");
    }

    #[test]
    fn the_options_are_those_that_the_engine_reads() {
        is_all_of::<StepOptions>("action", &[]);
        is_all_of::<CollectOptions>("collect", &[]);
        is_all_of::<ApprovalOptions>("approval", &[]);
        is_all_of::<Change>("change", &["document", "operation", "params"]);
        is_all_of::<Probe>("probe", &["operation", "params", "expression"]);
        is_all_of::<Plan>("plan", &["items"]);
        is_all_of::<EachOptions>("each", &[]);
    }
}
