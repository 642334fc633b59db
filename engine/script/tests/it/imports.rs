//! Libraries.

use std::collections::BTreeMap;

use serde_json::json;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_script::{Interrupt, Program, bundle};

use crate::play::{HEADER, Play, echo};

fn errors(main: &str, imports: &[(&str, &str)]) -> String {
    let imports: BTreeMap<_, _> =
        imports.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
    let bundle = Bundle { main: format!("{HEADER}{main}"), imports };
    Program::compile(&bundle, &Interrupt::default()).unwrap_err().to_string()
}

#[test]
fn a_library_takes_steps_for_the_run_that_calls_it() {
    let lib = "import \"lib/b\" as b; const N = 2; fn f(x) { b::g(x) + global::N }";
    let inner = "fn g(x) { action(\"t.a\", #{n: x}).n }";
    let play =
        Play::start_with("import \"lib/a\" as a; a::f(40)", &[("lib/a", lib), ("lib/b", inner)])
            .finish(echo);
    assert_eq!(play.result(), json!(42));
    play.check_every_prefix();
}

#[test]
fn a_library_that_does_something_when_it_is_loaded_is_refused() {
    for lib in ["let x = 1;", "action(\"t.a\", #{});", "const T = now();"] {
        let error = errors("import \"lib/a\" as a;", &[("lib/a", lib)]);
        assert!(error.contains("lib/a") && error.contains("may only define"), "{error}");
    }
}

#[test]
fn what_is_not_there_or_imports_itself_is_named() {
    assert!(errors("import \"lib/x\" as x;", &[]).contains("lib/x"));
    let circle = [("lib/a", "import \"lib/b\" as b;"), ("lib/b", "import \"lib/a\" as a;")];
    assert!(errors("import \"lib/a\" as a;", &circle).contains("imports itself"));
}

#[test]
fn a_bundle_holds_all_that_is_imported_and_nothing_else() {
    let find = |path: &str| match path {
        "lib/a" => Some("import \"lib/b\" as b; fn f() { 1 }".to_owned()),
        "lib/b" => Some("fn g() { 2 }".to_owned()),
        _ => None,
    };
    let whole = bundle("import \"lib/a\" as a; a::f()", find).unwrap();
    assert_eq!(whole.imports.keys().collect::<Vec<_>>(), ["lib/a", "lib/b"]);
    let error = bundle("\n  import \"lib/c\" as c;", find).unwrap_err().to_string();
    assert!(error.starts_with("2:") && error.contains("lib/c"), "{error}");
}

#[test]
fn a_text_that_does_not_compile_says_where() {
    let error = errors("let x = ;\n", &[]);
    assert!(error.starts_with("2:9"), "{error}");
    let error = errors("import \"lib/a\" as a;", &[("lib/a", "fn f( {")]);
    assert!(error.starts_with("lib/a:1:"), "{error}");
}

#[test]
fn a_header_must_be_a_literal() {
    let compile = |main: &str| {
        let bundle = Bundle { main: main.into(), imports: Default::default() };
        Program::compile(&bundle, &Interrupt::default())
    };
    assert!(compile("1").unwrap_err().to_string().contains("header"));
    let computed = "const PLAYBOOK = #{ name: \"a\" + \"b\", title: \"t\" };";
    assert!(compile(computed).unwrap_err().to_string().contains("header"));
    assert_eq!(
        compile("const PLAYBOOK = #{ name: \"a\", title: \"t\" };").unwrap().header.name,
        "a"
    );
}
