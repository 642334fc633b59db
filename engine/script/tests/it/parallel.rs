//! Branches beside each other.

use serde_json::json;

use crate::play::{Play, echo};

#[test]
fn branches_wait_beside_each_other_and_answers_come_in_any_order() {
    let script = r#"parallel([
        || { let a = action("t.a", #{n: 1}); action("t.b", #{n: a.n + 10}).n },
        || { let a = action("t.c", #{n: 2}); action("t.d", #{n: a.n + 10}).n },
    ])"#;
    for order in [["1.0.1", "1.0.2", "1.1.1", "1.1.2"], ["1.1.1", "1.0.1", "1.1.2", "1.0.2"]] {
        let mut play = Play::start(script);
        assert_eq!(play.open.len(), 2);
        for key in order {
            let value = echo(&play.open[&key.into()]);
            play.answer(key, value);
        }
        assert_eq!(play.result(), json!([11, 12]));
        play.check_every_prefix();
    }
}

#[test]
fn branches_do_not_share_what_they_captured() {
    let script = r#"let x = 0;
        parallel([
            || { x += 1; action("t.a", #{n: x}).n },
            || { let y = action("t.b", #{n: x}).n; x += 10; action("t.c", #{n: x}).n },
        ])"#;
    let play = Play::start(script).finish(echo);
    assert_eq!(play.result(), json!([1, 10]));
    play.check_every_prefix();
}

#[test]
fn branches_read_the_runs_variables() {
    let play = Play::start(r#"parallel([|| alert.account, || inputs.n, || subject().id])"#);
    assert_eq!(play.result(), json!(["111122223333", 1, "AKIA1"]));
}

#[test]
fn branches_nest() {
    let script = r#"parallel([
        || parallel([|| action("t.a", #{n: 1}).n, || action("t.b", #{n: 2}).n]),
        || action("t.c", #{n: 3}).n,
    ])"#;
    let play = Play::start(script);
    let keys: Vec<_> = play.open.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["1.0.1.0.1", "1.0.1.1.1", "1.1.1"]);
    let play = play.finish(echo);
    assert_eq!(play.result(), json!([[1, 2], 3]));
    play.check_every_prefix();
}

#[test]
fn when_one_branch_fails_the_others_still_come_to_their_end() {
    let script = r#"let r = (); try { parallel([|| action("t.a", #{}), || action("t.b", #{})]) } catch (e) { r = e.code; } r"#;
    let mut play = Play::start(script);
    play.fail("1.0.1", "Boom");
    assert_eq!(play.open.len(), 1);
    play.answer("1.1.1", json!(1));
    assert_eq!(play.result(), json!("Boom"));
    play.check_every_prefix();
}

#[test]
fn no_branches_are_no_work() {
    assert_eq!(Play::start("parallel([])").result(), json!([]));
}

#[test]
fn what_is_no_closure_is_refused() {
    assert!(Play::start("parallel([1])").error().1.contains("closures"));
}

#[test]
fn branches_may_call_functions_and_libraries() {
    let lib = "fn twice(n) { action(\"t.a\", #{n: n}).n + action(\"t.b\", #{n: n}).n }";
    let script = "import \"lib/two\" as two; fn own(n) { action(\"t.c\", #{n: n}).n }
        parallel([|| two::twice(1), || own(5)])";
    let play = Play::start_with(script, &[("lib/two", lib)]).finish(echo);
    assert_eq!(play.result(), json!([2, 5]));
    play.check_every_prefix();
}
