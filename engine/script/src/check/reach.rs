//! Which operations a playbook can come to: those of its own text, and of the library functions
//! that it calls, and of what these call. A library's other functions ask for nothing.

use std::collections::{BTreeMap, BTreeSet};

use rhai::AST;
use stanch_engine_core::operation::Operations;

use super::{NAMES_OPERATION, aliases};
use crate::calls::{Call, calls};

/// A text or one of its functions.
type Piece<'t> = (&'t str, Option<String>);

/// The operations that the playbook among these texts can come to.
pub(super) fn operations(texts: &[(&str, AST)], known: &dyn Operations) -> BTreeSet<String> {
    let by_file: BTreeMap<&str, &AST> = texts.iter().map(|(file, ast)| (*file, ast)).collect();
    let mut open: Vec<Piece<'_>> = vec![("", None)];
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(piece) = open.pop() {
        let Some((file, ast)) = by_file.get_key_value(piece.0) else { continue };
        if !seen.insert(piece.clone()) {
            continue;
        }
        let aliases = aliases(ast);
        let calls = calls(&only(ast, piece.1.as_deref()));
        found.extend(calls.iter().flat_map(|call| operations_of(call, known)));
        for call in &calls {
            let there = match &call.alias {
                Some(alias) => aliases.get(alias).and_then(|path| by_file.get_key_value(&**path)),
                None => Some((file, ast)),
            };
            open.extend(there.map(|(file, _)| (*file, Some(call.name.clone()))));
        }
        // A closure runs wherever it is handed to.
        let closures = ast.iter_functions().filter(|f| f.name.starts_with("anon$"));
        open.extend(closures.map(|closure| (*file, Some(closure.name.to_owned()))));
    }
    found
}

/// A text without its functions, or one of them without the text.
fn only(ast: &AST, function: Option<&str>) -> AST {
    let Some(wanted) = function else {
        let mut top = ast.clone();
        top.clear_functions();
        return top;
    };
    let mut alone = ast.clone_functions_only();
    alone.retain_functions(|_, _, name, _| name == wanted);
    alone
}

/// The operations that a call comes to, whether it names them or not.
fn operations_of(call: &Call, known: &dyn Operations) -> Vec<String> {
    if call.is_method || call.alias.is_some() {
        return Vec::new();
    }
    let name = call.name.as_str();
    let named = NAMES_OPERATION.iter().find(|(verb, _)| *verb == name);
    let named = named.and_then(|(_, number)| call.literal(*number)).map(str::to_owned);
    let options = match name {
        "aws" => call.members(2),
        "collect" => call.members(3),
        _ => None,
    };
    let asks_for_regions = options.is_some_and(|names| names.iter().any(|name| name == "regions"));
    if name == "accounts" {
        return LISTS_ACCOUNTS.map(str::to_owned).to_vec();
    }
    let more = match name {
        "ssm_automation" => Some("ssm:StartAutomationExecution".to_owned()),
        "ssm_command" => Some("ssm:SendCommand".to_owned()),
        "wait_for" => call.literal(0).and_then(|waiter| known.waiter(waiter).ok()),
        _ => asks_for_regions.then(|| "ec2:DescribeRegions".to_owned()),
    };
    // What a change is left without comes from the catalogue, with calls of its own.
    let left_out = || {
        let said = call.members(2).unwrap_or_default();
        ["probe", "inverse"].into_iter().any(|name| !said.iter().any(|member| member == name))
    };
    let added = named.as_deref().filter(|_| name == "change" && !call.is_inverse && left_out());
    let added = added.map(|operation| known.completion(operation).operations);
    let added = added.into_iter().flatten();
    let mut all: Vec<String> = named.clone().into_iter().chain(more).chain(added).collect();
    for (followed, by) in FOLLOWED {
        if all.iter().any(|operation| operation == followed) && name != "probe" {
            all.extend(by.iter().map(|operation| (*operation).to_owned()));
        }
    }
    all
}

/// By which operations `accounts` finds them.
const LISTS_ACCOUNTS: [&str; 3] = [
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
];

/// Operations that are followed to their end, and by which others.
const FOLLOWED: [(&str, &[&str]); 2] = [
    ("ssm:StartAutomationExecution", &["ssm:DescribeDocument", "ssm:GetAutomationExecution"]),
    (
        "ssm:SendCommand",
        &[
            "ssm:DescribeDocument",
            "ssm:GetCommandInvocation",
            "ssm:ListCommandInvocations",
            "ssm:ListCommands",
        ],
    ),
];
