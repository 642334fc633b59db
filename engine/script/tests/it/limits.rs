//! Texts that would never end, or bring the process down.

use stanch_engine_core::playbook::Bundle;
use stanch_engine_script::{Interrupt, Program, Standing, advance};

use crate::play::{HEADER, Play, run_id, scope, started};

#[test]
fn a_loop_without_an_end_is_stopped_and_no_catch_hears_of_it() {
    for script in [
        "loop {}",
        "try { loop {} } catch { log(\"caught\"); }",
        "try { [1].map(|x| { loop {} }); } catch { log(\"caught\"); }",
        "loop { try { [1].map(|x| { loop {} }); } catch { } }",
        "parallel([|| { loop {} }, || 1])",
    ] {
        let play = Play::start(script);
        let Standing::Limit(limit) = &play.standing else {
            panic!("{script}: {:?}", play.standing)
        };
        assert!(limit.contains("loop without an end"), "{limit}");
        assert!(play.asked.is_empty(), "{script}");
    }
}

#[test]
fn recursion_without_an_end_is_an_error_and_not_the_end_of_the_process() {
    for script in [
        "fn f(n) { f(n + 1) } f(0)",
        "fn f(n) { 1 + f(n + 1) } f(0)",
        "fn f(n) { [1].map(|x| f(n + 1)) } f(0)",
        "fn f(n) { try { f(n + 1) } catch { throw 1; } } f(0)",
        "fn f(n) { if true { switch n { _ => { for i in 0..1 { let x = [#{ a: f(n + 1) }]; } } } } } f(0)",
        "fn f(n) { `${f(n + 1)}${[f(n), #{ a: f(n + 1) }]}` } f(0)",
    ] {
        let play = Play::start(script);
        assert!(matches!(play.standing, Standing::Failed(_)), "{script}: {:?}", play.standing);
    }
}

#[test]
fn recursion_inside_a_branch_is_an_error_too() {
    let play = Play::start("fn f(n) { [1].map(|x| f(n + 1)) } parallel([|| f(0), || 2])");
    assert!(matches!(play.standing, Standing::Failed(_)));
}

#[test]
fn a_text_that_nests_without_an_end_does_not_compile() {
    for text in
        ["(".repeat(10_000), "[".repeat(10_000), "if true {".repeat(10_000), "-".repeat(10_000)]
    {
        let bundle = Bundle { main: format!("{HEADER}{text}"), imports: Default::default() };
        assert!(Program::compile(&bundle, &Interrupt::default()).is_err());
    }
}

#[test]
fn a_run_may_have_so_many_steps_and_no_more() {
    let play = Play::start("for i in 0..20_000 { log(`${i}`); }");
    let Standing::Limit(limit) = &play.standing else { panic!("{:?}", play.standing) };
    assert!(limit.contains("10000 steps"), "{limit}");
    assert_eq!(play.asked.len(), 10_000);
}

#[test]
fn arguments_have_a_size() {
    let play = Play::start(
        "let s = \"x\"; while s.len() < 300_000 { s += s; } action(\"t.a\", #{ s: s })",
    );
    assert!(play.error().1.contains("evidence"));
}

#[test]
fn too_many_branches_are_refused() {
    let play = Play::start("let a = []; for i in 0..65 { a.push(|| 1); } parallel(a)");
    assert!(play.error().1.contains("64"));
}

#[test]
fn a_script_that_does_not_come_back_can_be_stopped() {
    let bundle = Bundle {
        main: format!("{HEADER}try {{ loop {{}} }} catch {{}}"),
        imports: Default::default(),
    };
    let interrupt = Interrupt::default();
    let program = Program::compile(&bundle, &interrupt).unwrap();
    interrupt.raise();
    let journal = [started(&scope())];
    let turn = advance(&program, run_id(), &journal, Default::default()).unwrap();
    let Standing::Limit(limit) = turn.standing else { panic!("{:?}", turn.standing) };
    assert!(limit.contains("too long"), "{limit}");
}
