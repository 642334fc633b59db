//! A source of alerts that its user wrote: a function from a payload to what it says, and one that
//! says whether a payload is its own. It sees the payload and nothing else.

use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Scope};
use serde_json::Value;
use stanch_engine_core::command::Position;
use stanch_engine_core::limits;

use crate::error::{Diagnostic, PlaybookError, uncaught};
use crate::plain;
use crate::program::{compile, only_definitions};
use crate::sandbox;

/// The function that reads a payload.
const ALERTS: &str = "alerts";

/// The function that says what an alert shares with others.
const KEYS: &str = "keys";

/// The function that recognises one.
const MATCHES: &str = "matches";

/// A compiled source. It belongs to the thread that compiled it.
pub struct SourceScript {
    engine: Engine,
    ast: AST,
    has_matches: bool,
    /// The function that it is asked by.
    entry: &'static str,
    /// Where that stands.
    at: Position,
}

/// Why a script gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {message}")]
pub struct SourceFailure {
    /// Where in its text.
    pub position: Position,
    /// What, in words.
    pub message: String,
}

impl std::fmt::Debug for SourceScript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceScript").field("at", &self.at).finish_non_exhaustive()
    }
}

impl SourceScript {
    /// Compiles a source. `may_go_on` is asked between its operations, and stops it by saying no.
    ///
    /// # Errors
    /// [`PlaybookError`] by line and column: it does not compile, does more at its top than
    /// define, imports, or has no `fn alerts(payload)`.
    pub fn compile(
        text: &str,
        may_go_on: impl Fn() -> bool + 'static,
    ) -> Result<Self, PlaybookError> {
        let message = "there is no `fn alerts(payload)`, which reads a payload: it gives an alert or a \
                       list of them, as maps";
        Self::compile_for(text, may_go_on, ALERTS, message)
    }

    /// Compiles a rule of correlation, which is asked by `keys`.
    ///
    /// # Errors
    /// [`PlaybookError`] by line and column, as of a source.
    pub fn compile_keys(
        text: &str,
        may_go_on: impl Fn() -> bool + 'static,
    ) -> Result<Self, PlaybookError> {
        let message = "there is no `fn keys(alert)`, which gives what an alert shares with others of \
                       its incident";
        Self::compile_for(text, may_go_on, KEYS, message)
    }

    fn compile_for(
        text: &str,
        may_go_on: impl Fn() -> bool + 'static,
        entry: &'static str,
        lacks: &str,
    ) -> Result<Self, PlaybookError> {
        let engine = sandbox::reader(may_go_on);
        let ast = compile(&engine, text)?;
        only_definitions(&ast)?;
        let arity = |name: &str| {
            let named = ast.iter_functions().find(|function| function.name == name);
            named.map(|function| function.params.len())
        };
        for name in [entry, MATCHES] {
            if arity(name).is_some_and(|count| count != 1) {
                let message = format!("`{name}` takes one parameter");
                return Err(Diagnostic::error(place(text, name), message).into());
            }
        }
        if arity(entry).is_none() {
            return Err(Diagnostic::error(Position { line: 1, column: 1 }, lacks).into());
        }
        let has_matches = arity(MATCHES).is_some();
        Ok(Self { engine, ast, has_matches, entry, at: place(text, entry) })
    }

    /// Whether it can say of a payload that it is its own.
    pub fn has_matches(&self) -> bool {
        self.has_matches
    }

    /// Whether a payload is its own; one without `matches` never says so.
    ///
    /// # Errors
    /// [`SourceFailure`] when `matches` fails, or gives no boolean.
    pub fn matches(&self, payload: &Value) -> Result<bool, SourceFailure> {
        if !self.has_matches {
            return Ok(false);
        }
        let found = self.call(MATCHES, payload)?;
        found.as_bool().map_err(|kind| {
            let message = format!("`matches` gives true or false, not a value of type {kind}");
            SourceFailure { position: self.at, message }
        })
    }

    /// What it makes of a payload: a value of JSON.
    ///
    /// # Errors
    /// [`SourceFailure`] when `alerts` fails, or gives what JSON has no form for.
    pub fn alerts(&self, payload: &Value) -> Result<Value, SourceFailure> {
        self.call_value(payload)
    }

    /// What its function makes of a value: a value of JSON.
    ///
    /// # Errors
    /// [`SourceFailure`] when it fails, or gives what JSON has no form for.
    pub fn call_value(&self, value: &Value) -> Result<Value, SourceFailure> {
        let found = self.call(self.entry, value)?;
        let name = self.entry;
        plain::to_json(&found).map_err(|error| self.wrong(format!("what `{name}` gives: {error}")))
    }

    /// A failure over what `alerts` gave.
    pub fn wrong(&self, message: impl Into<String>) -> SourceFailure {
        SourceFailure { position: self.at, message: message.into() }
    }

    /// An error in words. Some have no place: they get that of `alerts`.
    fn failure(&self, error: &EvalAltResult) -> SourceFailure {
        let said = uncaught(error);
        let most = limits::SOURCE_OPERATIONS;
        let message = match (said.code.as_str(), said.message.as_str()) {
            ("stopped", _) => "it computed for too long".to_owned(),
            (_, "Too many operations") => format!("it took more than {most} operations"),
            _ => said.message,
        };
        let position = if said.position.line == 0 { self.at } else { said.position };
        SourceFailure { position, message }
    }

    fn call(&self, name: &str, payload: &Value) -> Result<Dynamic, SourceFailure> {
        let arguments = (plain::of_json(payload),);
        let (mut scope, options) = (Scope::new(), CallFnOptions::new().eval_ast(true));
        let called =
            self.engine.call_fn_with_options(options, &mut scope, &self.ast, name, arguments);
        called.map_err(|error: Box<EvalAltResult>| self.failure(&error))
    }
}

/// Where a function is defined.
fn place(text: &str, name: &str) -> Position {
    let begins = |line: &str| {
        let rest = line.trim_start().strip_prefix("fn ")?.trim_start().strip_prefix(name)?;
        rest.trim_start().starts_with('(').then_some(line.len() - line.trim_start().len() + 1)
    };
    let found = text.lines().zip(1_u16..).find_map(|(line, number)| Some((number, begins(line)?)));
    let (line, column) = found.unwrap_or((1, 1));
    Position { line, column: u16::try_from(column).unwrap_or(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compiled(text: &str) -> SourceScript {
        SourceScript::compile(text, || true).unwrap()
    }

    fn failed(text: &str) -> String {
        let script = compiled(text);
        script.alerts(&json!({"a": 1})).unwrap_err().to_string()
    }

    #[test]
    fn a_payload_goes_in_and_json_comes_out() {
        let text = "const KIND = \"x\";\nfn matches(payload) { payload?.tool == \"t\" }\n\
                    fn alerts(payload) { payload.all.map(|one| #{ id: one.n, kind: global::KIND }) }";
        let script = compiled(text);
        let payload = json!({"tool": "t", "all": [{"n": 1, "$n": 1.5}, {"n": null}]});
        assert_eq!(script.matches(&payload), Ok(true));
        assert_eq!(script.matches(&json!({"tools": 1})), Ok(false));
        let expected = json!([{"id": 1, "kind": "x"}, {"id": null, "kind": "x"}]);
        assert_eq!(script.alerts(&payload), Ok(expected));
    }

    #[test]
    fn what_a_payload_lacks_is_nothing_and_can_be_asked_for() {
        let text = "fn alerts(payload) { [payload.b, payload?.b?.c, payload.a] }";
        assert_eq!(compiled(text).alerts(&json!({"a": 1})), Ok(json!([null, null, 1])));
        assert!(failed("fn alerts(p) {\n  p.b.c\n}").starts_with("2:"));
    }

    #[test]
    fn an_error_names_its_line() {
        assert_eq!(failed("fn alerts(p) {\n\n  throw \"no alert\"\n}"), "3:3: no alert");
        let inner = failed("fn helper(x) {\n  x.nothing()\n}\nfn alerts(p) { helper(p) }");
        assert!(inner.starts_with("2:5: ") && inner.contains("nothing"), "{inner}");
        assert!(failed("fn alerts(p) { 1..2 }").starts_with("1:1: what `alerts` gives"));
        let word = compiled("fn alerts(p) { 1 }\nfn matches(p) { 1 }").matches(&json!({}));
        assert!(word.unwrap_err().message.contains("true or false"));
    }

    #[test]
    fn what_is_no_source_is_refused_with_its_place() {
        for (text, part) in [
            ("fn alerts(p) {", "1:"),
            ("let x = 1;\nfn alerts(p) { x }", "1:1"),
            ("import \"lib\" as lib;\nfn alerts(p) { 1 }", "import"),
            ("fn matches(p) { true }", "fn alerts(payload)"),
            ("fn matches(p) { true }\nfn alerts(p, q) { 1 }", "2:1"),
        ] {
            let error = SourceScript::compile(text, || true).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn there_is_no_way_out_and_no_verb() {
        for call in [
            "aws(\"iam:ListUsers\", #{})",
            "http(\"GET\", \"http://x\", #{})",
            "now()",
            "timestamp()",
            "eval(\"1\")",
            "sleep(1)",
            "open_file(\"/etc/passwd\")",
            "log(\"x\")",
        ] {
            let text = format!("fn alerts(p) {{ {call} }}");
            let gone = SourceScript::compile(&text, || true);
            let gave = gone.map(|script| script.alerts(&json!({})));
            assert!(!matches!(gave, Ok(Ok(_))), "{call}");
        }
    }

    #[test]
    fn it_ends() {
        let endless = failed("fn alerts(p) {\n  loop { }\n}");
        assert!(endless.starts_with("1:1: it took more than 1000000 operations"), "{endless}");
        let deep = failed("fn f(n) { f(n + 1) }\nfn alerts(p) { f(0) }");
        assert!(deep.contains("Stack overflow"), "{deep}");
        for grows in [
            "let s = \"x\"; loop { s += s; }",
            "let a = [1]; loop { a += a; }",
            "let m = #{}; for i in 0..2_000_000 { m[i.to_string()] = i; } m",
        ] {
            let why = failed(&format!("fn alerts(p) {{ {grows} }}"));
            assert!(why.starts_with("1:"), "{why}");
        }
        let stopped = SourceScript::compile("fn alerts(p) { loop { } }", || false).unwrap();
        let why = stopped.alerts(&json!({})).unwrap_err();
        assert_eq!(why.message, "it computed for too long");
    }

    #[test]
    fn nothing_stays_from_one_payload_to_the_next() {
        let text = "fn alerts(p) { p.seen = if p.seen == () { 1 } else { p.seen + 1 }; p.seen }";
        let (script, payload) = (compiled(text), json!({}));
        assert_eq!(script.alerts(&payload), Ok(json!(1)));
        assert_eq!(script.alerts(&payload), Ok(json!(1)));
    }
}
