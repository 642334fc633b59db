//! A journal that the playbook does not keep to.

use serde_json::json;
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::{Standing, advance};

use crate::play::{Play, compile, echo, run_id};

/// Replays the journal of one script under another.
fn replay_under(script: &str, other: &str) -> Standing {
    let play = Play::start(script).finish(echo);
    let program = compile(other, &[]);
    advance(&program, run_id(), &play.journal, Timestamp::default()).unwrap().standing
}

#[test]
fn another_step_at_the_same_place_is_seen_and_shown() {
    let standing = replay_under(r#"action("t.a", #{n: 1})"#, r#"action("t.b", #{n: 1})"#);
    let Standing::Diverged(divergence) = standing else { panic!("{standing:?}") };
    let shown = divergence.to_string();
    assert!(shown.contains("t.a") && shown.contains("t.b") && shown.contains("step 1"), "{shown}");
}

#[test]
fn other_arguments_are_another_step() {
    let standing = replay_under(r#"action("t.a", #{n: 1})"#, r#"action("t.a", #{n: 2})"#);
    assert!(matches!(standing, Standing::Diverged(_)));
}

#[test]
fn a_step_that_nothing_asks_for_any_more_is_seen() {
    let standing =
        replay_under(r#"action("t.a", #{}); action("t.b", #{})"#, r#"action("t.a", #{})"#);
    let Standing::Diverged(divergence) = standing else { panic!("{standing:?}") };
    assert_eq!(divergence.asked, None);
    assert_eq!(&*divergence.key.0, "2");
}

#[test]
fn a_divergence_is_heard_of_by_no_catch() {
    let other = r#"try { [1].map(|x| action("t.b", #{})); } catch { log("caught"); }"#;
    let standing = replay_under(r#"action("t.a", #{})"#, other);
    assert!(matches!(standing, Standing::Diverged(_)));
}

#[test]
fn a_divergence_in_one_branch_stops_the_run() {
    let standing = replay_under(
        r#"parallel([|| action("t.a", #{}), || action("t.b", #{})])"#,
        r#"parallel([|| action("t.a", #{}), || action("t.c", #{})])"#,
    );
    assert!(matches!(standing, Standing::Diverged(_)));
}

#[test]
fn a_comment_or_a_name_is_no_divergence() {
    let standing = replay_under(
        r#"let a = action("t.a", #{n: 1}); a.n"#,
        "// a comment\nlet b = action(\"t.a\", #{ n: 1 });\nb.n",
    );
    assert_eq!(standing, Standing::Finished(stanch_engine_core::json::Json::of(&json!(1))));
}
