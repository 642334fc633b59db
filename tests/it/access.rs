//! Who may call what, held against the table of `docs/access.md`.

use std::path::Path;

use reqwest::Method;
use serde_json::json;
use stanch_engine_server::access::{Needs, RULES};

use crate::caller::Caller;
use crate::stage::{Plan, Stage};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/access.md");

/// Who calls, in the order of the table's columns.
const CALLERS: [&str; 7] =
    ["nobody", "a group", "viewer", "responder", "approver", "author", "admin"];

/// A line of the table: the call, and whether it is let through for each caller.
struct Line {
    method: Method,
    path: String,
    open: Vec<bool>,
}

fn table() -> Vec<Line> {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `") && line.contains(" /"));
    let line = |row: &str| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (method, path) = cells[0].trim_matches('`').split_once(' ').unwrap();
        let open: Vec<_> = cells[1..].iter().map(|cell| *cell == "yes").collect();
        assert_eq!(open.len(), CALLERS.len(), "{row}");
        assert!(cells[1..].iter().all(|cell| ["yes", "no", "proof"].contains(cell)), "{row}");
        Line { method: method.parse().unwrap(), path: path.to_owned(), open }
    };
    rows.map(line).collect()
}

async fn callers(stage: &Stage) -> Vec<Caller> {
    let mut callers = vec![Caller::new(&stage.url, "stk_none")];
    for role in ["incident-lead", "viewer", "responder", "approver", "author", "admin"] {
        callers.push(stage.person(&format!("the-{role}"), &[role]).await);
    }
    callers
}

/// The path with something that is not there in place of its parameters.
pub(crate) fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "none".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_let_through_for_those_that_the_table_says_and_for_nobody_else() {
    let stage = Plan::new().set().await;
    let callers = callers(&stage).await;
    let table = table();
    let mut named: Vec<_> = table.iter().map(|l| format!("{} {}", l.method, l.path)).collect();
    let mut known: Vec<_> = RULES.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    named.sort();
    known.sort();
    assert_eq!(named, known, "the table has a line for each call");
    let api = table.iter().filter_map(|line| Some((line, line.path.strip_prefix("/v1")?)));
    let mut asked = 0;
    // What proves itself is tried where it is proven: webhooks, links, and what Slack sends.
    let proves = |line: &Line| {
        let rule = RULES.iter().find(|rule| line.method == rule.method && rule.path == line.path);
        rule.is_some_and(|rule| rule.needs == Needs::Proof)
    };
    for (line, path) in api.filter(|(line, _)| !proves(line)) {
        for ((caller, who), open) in callers.iter().zip(CALLERS).zip(&line.open) {
            let body = (line.method == Method::POST).then(|| json!({"unheard-of": true}));
            let path = filled(path);
            let answer = caller.try_ask(line.method.clone(), &path, body.as_ref()).await;
            let (status, said) = answer.unwrap();
            let refused = if who == "nobody" { 401 } else { 403 };
            let what = format!("{} {path} by {who}: {status} {said}", line.method);
            assert_eq!(*open, ![401, 403].contains(&status), "{what}");
            assert!(*open || status == refused, "{what}");
            assert_ne!(status, 405, "{what}");
            assert!(status < 500, "{what}");
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
}

/// Every file of Rust, by its name without the ending.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            found.push((stem, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Whether a text has a test of this name.
fn has_test(text: &str, name: &str) -> bool {
    let is_it = |line: &str| line.contains(&format!("fn {name}("));
    let lines: Vec<_> = text.lines().collect();
    lines.windows(2).any(|two| {
        is_it(two[1]) && (two[0].contains("#[test]") || two[0].contains("#[tokio::test"))
    })
}

#[test]
fn every_attack_that_is_listed_is_tried_by_the_test_that_is_named() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let list = page.split("## Attacks").nth(1).unwrap().split("## The table").next().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut all = Vec::new();
    for folder in ["tests/it", "engine", "plugins"] {
        sources(&root.join(folder), &mut all);
    }
    let mut named = 0;
    for row in list.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let last = row.trim_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<_> = last.split('`').filter_map(|word| word.split_once("::")).collect();
        assert!(!tests.is_empty() || last.contains("the same"), "no test is named: {row}");
        for (module, name) in tests {
            let is_there = all.iter().any(|(stem, text)| stem == module && has_test(text, name));
            assert!(is_there, "there is no test `{module}::{name}`");
            named += 1;
        }
    }
    assert!(named > 40, "{named} are too few to be all");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_rule_is_refused_before_anything_is_read() {
    let stage = Plan::new().set().await;
    let (status, problem) = stage.admin.try_ask(Method::PUT, "/runs", None).await.unwrap();
    assert_eq!((status, &problem["code"]), (405, &json!("ST0302")), "{problem}");
    let (status, problem) = stage.admin.try_ask(Method::GET, "/nowhere", None).await.unwrap();
    assert_eq!(status, 404, "{problem}");
    // Who may not, is not told what is wrong with the body.
    let vic = stage.person("vic", &["viewer"]).await;
    let (status, problem) = vic.post_refused("/runs", &json!({"unheard-of": 1})).await;
    assert_eq!(status, 403, "{problem}");
}
