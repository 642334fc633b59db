//! What reading a playbook finds, and where.

use serde_json::Value;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::operation::{IamActions, Operations};
use stanch_engine_core::playbook::Bundle;
use stanch_engine_script::{Checked, DiagnosticSeverity, check};

use crate::play::HEADER;

/// A small API.
struct Api;

impl Operations for Api {
    fn effect(&self, operation: &str) -> Result<Effect, String> {
        match operation {
            "iam:GetUser" | "iam:ListAccessKeys" => Ok(Effect::Read),
            "iam:UpdateAccessKey" => Ok(Effect::Change),
            "ec2:TerminateInstances" => Ok(Effect::Destroy),
            _ => Err(format!("there is no operation `{operation}`")),
        }
    }

    fn check(&self, _: &str, params: &Value) -> Result<(), Vec<String>> {
        let mut mistakes = Vec::new();
        if params.get("Bad").is_some() {
            mistakes.push("there is no parameter `Bad`".to_owned());
        }
        if params.get("Deep").is_some_and(|deep| deep[1]["X"].is_null()) {
            mistakes.push("`Deep[1].X` is missing".to_owned());
        }
        if params.get("Union").is_some_and(|union| union["A"].is_null()) {
            mistakes.push("`Union` takes exactly one of A, B".to_owned());
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    fn answers(&self, operation: &str, path: &[&str]) -> Result<(), String> {
        match (operation, path) {
            ("iam:GetUser", ["User"] | ["User", "Arn" | "Tags"] | ["User", "Tags", "[]"])
            | ("iam:GetUser", ["User", "Tags", "[]", "Key"]) => Ok(()),
            ("iam:GetUser", path) => Err(format!("no {}", path.join("."))),
            _ => Ok(()),
        }
    }

    fn waiter(&self, waiter: &str) -> Result<String, String> {
        match waiter {
            "iam:UserExists" => Ok("iam:GetUser".to_owned()),
            _ => Err(format!("there is no waiter `{waiter}`")),
        }
    }

    fn iam_actions(&self, _: &str) -> Option<IamActions> {
        None
    }

    fn blank_answer(&self, _: &str) -> Value {
        Value::Null
    }
}

fn read(text: &str, imports: &[(&str, &str)]) -> Checked {
    let imports = imports.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
    check(&Bundle { main: format!("{HEADER}{text}"), imports }, &Api)
}

fn found(text: &str) -> Vec<String> {
    read(text, &[]).diagnostics.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn finds(text: &str, place: &str, word: &str) {
    let found = found(text);
    assert!(found.iter().any(|f| f.starts_with(place) && f.contains(word)), "{text}: {found:?}");
}

#[test]
fn a_fit_playbook_is_found_fit() {
    let text = r#"
        fn key(k) { change("iam:UpdateAccessKey", #{ Status: "Inactive" }, #{
            probe: probe("iam:ListAccessKeys", #{ UserName: k }, "x"),
            inverse: change("iam:UpdateAccessKey", #{ Status: "Active" }) }) }
        let user = aws("iam:GetUser", #{ UserName: subject().id });
        let cut = plan([key(user)]);
        let gate = approval(`Cut ${user}?`, #{ plan: cut });
        if gate.outcome == "approved" { execute(cut); }
        let names = ["b", "a"].map(|n| n.to_upper());
        names.sort(|a, b| if a < b { -1 } else { 1 });
        [1, 2].for_each(|| log(`${this}`));
        type_of(names) + names.len()
    "#;
    assert_eq!(found(text), Vec::<String>::new());
    let checked = read(text, &[]);
    assert_eq!(checked.header.unwrap().name, "p");
    assert_eq!(checked.operations.len(), 3);
}

#[test]
fn an_unknown_verb_is_found_at_its_place_with_the_nearest_one() {
    finds("\n  aproval(\"x\");", "3:3: error", "did you mean `approval`");
    finds("fn f() { exekute(1) }", "2:10: error", "execute");
    finds("let x = \"a\"; x.strats_with(\"b\")", "2:16: error", "starts_with");
}

#[test]
fn a_wrong_number_of_arguments_is_found() {
    finds("notify(\"x\")", "2:1: error", "takes 2 arguments, not 1");
    finds("fn f(a, b) { a } f(1)", "2:18: error", "takes 2 arguments");
}

#[test]
fn operations_are_known_and_fit_their_verb() {
    finds("aws(\"iam:GetUsr\", #{})", "2:1: error", "iam:GetUsr");
    finds("probe(\"iam:UpdateAccessKey\", #{}, \"x\")", "2:1: error", "only looks");
    finds("probe(\"iam:GetUser\", #{}, \"!x\")", "2:1: error", "empty answer");
    finds("collect(\"x\", \"ec2:TerminateInstances\", #{})", "2:1: error", "only looks");
    finds("change(\"iam:GetUser\", #{})", "2:1: error", "changes nothing");
    finds("wait_for(\"iam:UserExist\", #{})", "2:1: error", "iam:UserExist");
    finds("wait_for(\"iam:UserExists\", #{ Bad: 1 })", "2:1: error", "no parameter `Bad`");
    finds("aws(\"iam:GetUser\", #{ Bad: 1 })", "2:1: error", "no parameter `Bad`");
}

#[test]
fn what_people_would_want_before_they_approve_is_warned_of() {
    finds("aws(\"iam:UpdateAccessKey\", #{})", "2:1: warning", "outside of a plan");
    finds("change(\"iam:UpdateAccessKey\", #{})", "2:1: warning", "UNVERIFIED");
    finds("change(\"iam:UpdateAccessKey\", #{}, #{ probe: 1 })", "2:1: warning", "FINAL");
}

#[test]
fn a_hidden_call_is_found() {
    finds("Fn(\"aws\").call(\"iam:GetUser\", #{})", "2:1: error", "function pointer");
    finds("\"iam:GetUser\".aws(#{})", "2:15: error", "hides the call");
    finds("let op = \"iam:GetUser\"; aws(op, #{})", "2:25", "by a value");
    for meant in ["aws(op, #{}) // check: dynamic", "// check: dynamic\naws(op, #{})"] {
        assert_eq!(found(&format!("let op = \"iam:GetUser\";\n{meant}")), Vec::<String>::new());
    }
    finds("let op = 1;\n// check: dynamic\nlog(\"x\");\naws(op, #{})", "5:", "by a value");
}

#[test]
fn a_step_inside_a_comparer_is_found() {
    finds("let a = [2, 1]; a.sort(|x, y| now() == x)", "2:19: error", "comparer");
    let through = "fn f(x) { aws(\"iam:GetUser\", #{}) } let a = [2, 1]; a.sort(|x, y| f(x) == y)";
    finds(through, "2:55: error", "comparer");
}

#[test]
fn a_syntax_error_is_found_at_its_place() {
    finds("let x = 1;\nlet y = = 2;", "3:9: error", "");
}

#[test]
fn libraries_are_read_too() {
    let checked = read(
        "import \"lib/a\" as a; a::f(1); a::g(1); b::f(1);",
        &[("lib/a", "fn f(x) { aws(\"iam:GetUser\", #{}); nope() }")],
    );
    let found: Vec<_> = checked.diagnostics.iter().map(ToString::to_string).collect();
    assert!(
        found.iter().any(|f| f.starts_with("lib/a:1:36: error") && f.contains("nope")),
        "{found:?}"
    );
    assert!(found.iter().any(|f| f.contains("`g`")), "{found:?}");
    assert!(found.iter().any(|f| f.contains("imported as `b`")), "{found:?}");
    assert!(checked.diagnostics.iter().all(|d| d.severity == DiagnosticSeverity::Error));
    assert!(checked.operations.contains("iam:GetUser"));
}

#[test]
fn a_missing_header_is_found() {
    let checked = check(&Bundle { main: "1".into(), imports: Default::default() }, &Api);
    assert!(!checked.is_fit());
    assert!(checked.diagnostics[0].message.contains("header"));
}

#[test]
fn a_member_that_an_answer_can_not_have_is_found_where_it_is_read() {
    for (text, place, word) in [
        ("aws(\"iam:GetUser\").Usr.Arn", "2:20", "no Usr"),
        ("let x = aws(\"iam:GetUser\");\nx.User.Arnn", "3:8", "no User.Arnn"),
        (
            "let x = aws(\"iam:GetUser\");\nlog(`${x.User.Tags[0].Kex}`)",
            "3:23",
            "no User.Tags.[].Kex",
        ),
        ("let x = aws(\"iam:GetUser\");\nfor i in 0..2 { x.User.Tags[i].Kex }", "3:", "[].Kex"),
        ("let x = aws(\"iam:GetUser\", #{}, #{});\nif x[\"User\"].Arnn == 1 {}", "3:", "Arnn"),
    ] {
        finds(text, place, word);
    }
    for text in [
        "let x = aws(\"iam:GetUser\"); x.User.Tags[0].Key + x.User.Arn",
        "let x = aws(\"iam:GetUser\"); x.User.Tags.map(|t| t.Nothing)",
        "let x = aws(\"iam:GetUser\"); x = #{}; x.Nothing",
        "let x = aws(\"iam:GetUser\"); x.Nothing = 1; x.Nothing",
        "fn f(x) { x.Nothing } let x = aws(\"iam:GetUser\"); f(x)",
        "let x = aws(\"iam:GetUser\"); if true { let x = #{}; x.Nothing }",
        "let x = aws(\"iam:GetUser\", #{}, #{ on_error: \"return\" }); x.error.code",
        "let x = aws(\"iam:GetUser\", #{}, #{ paginate: 5 }); x.cut_off",
        "let x = aws(\"iam:GetUser\", #{}, #{ regions: [\"a\"] }); x.regions.a",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn parameters_are_checked_as_far_as_they_are_written() {
    finds("aws(\"iam:GetUser\", #{ UserName: subject().id,\n Bad: 1 })", "2:", "`Bad`");
    finds("aws(\"iam:GetUser\", #{\n Deep: [#{},\n #{ Y: 1 }] })", "4:2", "`Deep[1].X` is missing");
    for text in [
        "let v = 1; aws(\"iam:GetUser\", #{ Deep: [#{}, #{ X: v }] })",
        "let v = 1; aws(\"iam:GetUser\", #{ Union: #{ A: v } })",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn options_are_found_at_their_own_place() {
    for (option, word) in [
        ("regoin: \"x\"", "did you mean `region`"),
        ("timeout: 5", "`timeout`"),
        ("timeout: \"5 apples\"", "5 apples"),
        ("paginate: 0", "a number of items"),
        ("regions: 7", "a list of names"),
        ("retry: \"always\"", "never"),
        ("retry: #{ attempts: 1000 }", "from 1 to 100"),
        ("on_error: \"ignore\"", "ignore"),
    ] {
        finds(&format!("aws(\"iam:GetUser\", #{{}}, #{{\n {option} }})"), "3:2", word);
    }
    for quorum in ["0", "21"] {
        let text = format!("approval(\"May I?\", #{{ quorum: {quorum} }}).outcome");
        finds(&text, "2:", "between 1 and 20");
    }
    assert_eq!(found("approval(\"May I?\", #{ quorum: 2 }).outcome"), Vec::<String>::new());
    finds("wait_for(\"iam:UserExists\", #{}, #{ evry: \"1s\" })", "2:", "did you mean `every`");
    finds("ssm_command(\"D\", \"id\", #{ instance: \"i\" })", "2:", "did you mean `instances`");
    finds("ssm_command(\"D\", \"id\", #{ require: \"most\" })", "2:", "\"any\"");
    finds("http(\"PUT\", \"https://a.example\", #{ retry: \"once\" })", "2:", "\"token\"");
    for retry in ["\"token\"", "\"never\"", "#{ attempts: 3 }"] {
        let text = format!("http(\"PUT\", \"https://a.example\", #{{ retry: {retry} }})");
        assert_eq!(found(&text), Vec::<String>::new());
    }
}

#[test]
fn what_is_never_come_to_is_found() {
    finds("return 1;\nlog(\"x\");", "3:1: warning", "nothing comes to here");
    finds("fn f() { fail(\"x\"); log(\"y\"); } f()", "2:21: warning", "nothing comes to here");
    finds("let c = || { throw 1; log(\"y\") }; c.call()", "2:23: warning", "nothing comes to here");
    finds("while true { break; log(\"y\"); }", "2:21: warning", "nothing comes to here");
    let both = "if alert == () { return 1; } else { return 2; }\nlog(\"x\");";
    finds(both, "3:1: warning", "nothing comes to here");
    for goes_on in ["if alert == () { return 1; }\nlog(\"x\");", "fn f() { return 1; } f(); f()"] {
        assert_eq!(found(goes_on), Vec::<String>::new(), "{goes_on}");
    }
}

#[test]
fn an_outcome_of_an_approval_that_is_not_heard_is_found() {
    finds("approval(\"May I?\");\nlog(\"x\");", "2:1: warning", "no consequence");
    let two = "let gate = approval(\"May I?\");\nswitch gate.outcome {\n \"approved\" => log(\"y\"),\n \
               \"rejected\" => log(\"n\"),\n}";
    finds(two, "3:1: warning", "approved, rejected, expired: 2 of these");
    for heard in [
        two.replace(",\n}", ",\n \"expired\" => log(\"late\"),\n}"),
        two.replace(",\n}", ",\n _ => log(\"no\"),\n}"),
    ] {
        assert_eq!(found(&heard), Vec::<String>::new(), "{heard}");
    }
}
