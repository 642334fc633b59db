//! `docs/operations.md`: what is known of the operations that responders call, from the
//! catalogues. `STANCH_WRITE_DOCS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use stanch_plugins_aws::{Aws, AwsSettings};

use crate::{lookups, undo};

const LIST: &str = include_str!("../../catalogue/responders.txt");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");

const HEAD: &str = "\
# Operations

What Stanch knows of the operations that the canonical playbooks call, beyond what AWS's models say.
`stanch aws describe SERVICE:OPERATION` says it of any operation, and more of each. This page is
written by a test from `plugins/aws/catalogue/`.

- **Effect**: `read` only looks; `notify` tells somebody; `change` can be changed back by another
  call; `destroy` can't.
- **IAM actions**: what a policy must allow for the call; *assumed* where nobody has looked up
  whether it is another one than the operation's name.
- **After an unknown outcome**: what is done when a call was sent and no answer came. A look-up that
  can't tell is followed by a person.
- **Done**: codes that say, of a repetition, that the earlier attempt took place.
- **Seen by**: the read that shows the state before and the effect, or why nothing does.
- **Undone by**: the call that takes it back, or why it is FINAL.
- **Undo tried against**: whom the change, its probe and its undo were tried against, by
  `plugins/aws/tests/it/undo.rs`: moto, which others wrote, or the sandbox where moto lacks it and
  the sandbox keeps state. Every entry is also held against samples of AWS's answers. A look-up says
  by itself whom it was tried against.
";

/// A column: its heading, and what it says of an operation that was described.
type Column = (&'static str, fn(&Value) -> String);

const COLUMNS: [Column; 8] = [
    ("Operation", |op| format!("`{}`", text(&op["operation"]))),
    ("Effect", |op| text(&op["effect"])),
    ("IAM actions", |op| {
        let assumed = if op["iam_actions_are_assumed"] == true { " *assumed*" } else { "" };
        format!("{}{assumed}", codes(&op["iam_actions"]))
    }),
    ("After an unknown outcome", |op| match op["look_up_tried"].as_str() {
        Some(tried) => format!("{} (tried against {tried})", text(&op["repeat_rule"])),
        None => text(&op["repeat_rule"]),
    }),
    ("Done", |op| codes(&op["already_done_codes"])),
    ("Seen by", |op| match &op["undo"]["unverified"] {
        Value::String(why) => format!("UNVERIFIED: {why}"),
        _ => codes(&Value::from_iter(op["undo"]["read"].as_str())),
    }),
    ("Undone by", |op| match &op["undo"]["final"] {
        Value::String(why) => format!("FINAL: {why}"),
        _ => {
            let calls = op["undo"]["inverse"].as_array().into_iter().flatten();
            let mut calls: Vec<_> = calls.map(|inverse| inverse["call"].clone()).collect();
            calls.dedup();
            codes(&Value::Array(calls))
        }
    }),
    ("Undo tried against", |op| text(&op["undo_tried"])),
];

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn codes(value: &Value) -> String {
    let words = value.as_array().into_iter().flatten();
    words.map(|word| format!("`{}`", text(word))).collect::<Vec<_>>().join(", ")
}

/// How much of the undo catalogue is tried, and what is not.
fn summary(undos: &BTreeMap<String, String>) -> String {
    let count = |place: &str| undos.values().filter(|tried| *tried == place).count();
    let untried = undos.iter().filter_map(|(operation, tried)| {
        Some((operation, tried.strip_prefix(undo::account::NONE)?))
    });
    let untried: Vec<_> = untried.collect();
    let mut text = format!(
        "\nOf the {} entries of the undo catalogue {} are tried against moto, {} against the sandbox, \
         and {} against neither:\n\n",
        undos.len(),
        count("moto"),
        count("the sandbox"),
        untried.len()
    );
    for (operation, why) in untried {
        writeln!(text, "- `{operation}`: {why}").unwrap();
    }
    text
}

fn page() -> String {
    let aws = Aws::open(&AwsSettings::default()).unwrap();
    let mut page = HEAD.to_owned();
    let (look_ups, undos) = (lookups::tried(), undo::account::tried());
    page.push_str(&summary(&undos));
    let mut service = "";
    for operation in LIST.lines().filter(|line| !line.starts_with('#')) {
        let own = operation.split(':').next().unwrap();
        if own != service {
            service = own;
            let headings = COLUMNS.map(|(heading, _)| heading).join(" | ");
            let rule = COLUMNS.map(|_| "---").join("|");
            write!(page, "\n## {service}\n\n| {headings} |\n|{rule}|\n").unwrap();
        }
        let mut described = aws.describe(operation).unwrap();
        described["look_up_tried"] = look_ups.get(operation).cloned().into();
        described["undo_tried"] = undos.get(operation).cloned().into();
        let cells = COLUMNS.map(|(_, cell)| cell(&described)).join(" | ");
        writeln!(page, "| {cells} |").unwrap();
    }
    page
}

#[test]
fn the_page_of_operations_is_current() {
    let (path, page) = (Path::new(PAGE), page());
    if std::env::var_os("STANCH_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/operations.md is old: run this test with STANCH_WRITE_DOCS=1");
}
