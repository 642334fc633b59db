//! What is wrong with a playbook, found by reading it.

mod answers;
mod flow;
mod options;
mod params;
mod reach;
mod spelling;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rhai::{AST, ASTNode, Engine, Expr, Stmt};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::header::Header;
use stanch_engine_core::operation::Operations;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::suggest;

use crate::calls::{Call, calls};
use crate::error::{Diagnostic, DiagnosticSeverity, position};
use crate::interrupt::Interrupt;
use crate::program::{Program, compile, header};
use crate::{host, sandbox};

/// Verbs that name an operation as their argument of this number.
const NAMES_OPERATION: [(&str, usize); 4] =
    [("aws", 0), ("change", 0), ("probe", 0), ("collect", 1)];

/// What a playbook writes where an operation can't be text.
const DYNAMIC: &str = "// check: dynamic";

/// Functions whose closure may not take steps.
const COMPARING: [&str; 5] = ["sort", "sort_by", "order", "order_by", "dedup"];

/// What Rhai calls by name without registering it.
const BUILT_IN: [&str; 9] =
    ["Fn", "call", "curry", "type_of", "is_def_var", "is_def_fn", "is_shared", "print", "debug"];

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// The header, when it can be read.
    pub header: Option<Header>,
    /// The operations that the playbook can come to.
    pub operations: BTreeSet<String>,
    /// What is wrong, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Whether the playbook can be published.
    pub fn is_fit(&self) -> bool {
        self.diagnostics.iter().all(|d| d.severity == DiagnosticSeverity::Warning)
    }
}

/// Reads a playbook and its libraries without running anything.
pub fn check(bundle: &Bundle, operations: &dyn Operations) -> Checked {
    let interrupt = Interrupt::default();
    let engine = sandbox::engine(&interrupt);
    let mut checked = Checked::default();
    let mut texts: Vec<(&str, AST)> = Vec::new();
    let files = std::iter::once(("", &bundle.main));
    for (file, text) in files.chain(bundle.imports.iter().map(|(path, text)| (path.as_str(), text)))
    {
        match compile(&engine, text) {
            Ok(ast) => texts.push((file, ast)),
            Err(error) => {
                checked.diagnostics.extend(error.0.into_iter().map(|d| d.in_file(file)));
            }
        }
    }
    if let Some((_, main)) = texts.iter().find(|(file, _)| file.is_empty()) {
        match header(main) {
            Ok(header) => checked.header = Some(header),
            Err(wrong) => checked.diagnostics.push(wrong),
        }
    }
    checked.operations = reach::operations(&texts, operations);
    let known = Known::of(&engine, &texts);
    for (file, ast) in &texts {
        let text = if file.is_empty() { Some(&bundle.main) } else { bundle.imports.get(*file) };
        let text = text.map_or("", |text| &**text);
        let found = Reader { known: &known, file, text, ast, operations }.read();
        checked.diagnostics.extend(found.into_iter().map(|d| d.in_file(file)));
    }
    if checked.is_fit()
        && let Err(error) = Program::compile(bundle, &interrupt)
    {
        checked.diagnostics.extend(error.0);
    }
    checked.diagnostics.sort_by(|a, b| place(a).cmp(&place(b)));
    checked
}

fn place(d: &Diagnostic) -> (&str, u16, u16) {
    (&d.file, d.position.line, d.position.column)
}

type Arities = HashMap<String, BTreeSet<usize>>;

/// The functions that there are.
struct Known<'a> {
    registered: Arities,
    /// Of each file, the functions that it defines.
    defined: BTreeMap<&'a str, Arities>,
}

impl<'a> Known<'a> {
    fn of(engine: &Engine, texts: &[(&'a str, AST)]) -> Self {
        let mut registered = Arities::new();
        let signature =
            |f: rhai::FuncInfo| Some((f.metadata.name.to_string(), f.metadata.num_params));
        for (name, arity) in engine.collect_fn_metadata(None, signature, true) {
            registered.entry(name).or_default().insert(arity);
        }
        let defined = texts.iter().map(|(file, ast)| {
            let mut arities = Arities::new();
            for function in ast.iter_functions() {
                arities.entry(function.name.to_owned()).or_default().insert(function.params.len());
            }
            (*file, arities)
        });
        Self { registered, defined: defined.collect() }
    }
}

/// Reads one file.
struct Reader<'a> {
    known: &'a Known<'a>,
    file: &'a str,
    text: &'a str,
    ast: &'a AST,
    operations: &'a dyn Operations,
}

impl Reader<'_> {
    fn read(&self) -> Vec<Diagnostic> {
        let calls = calls(self.ast);
        let aliases = aliases(self.ast);
        let stepping = self.stepping_functions();
        let mut found = Vec::new();
        for call in &calls {
            found.extend(self.check_name(call, &aliases));
            found.extend(self.check_operation(call));
            found.extend(self.check_waiter(call));
            found.extend(self.check_hiding(call));
            found.extend(check_comparer(call, &stepping));
            found.extend(options::check(call));
            found.extend(check_probe(call));
        }
        found.extend(spelling::check_scope(self.ast));
        found.extend(answers::check(self.ast, self.operations));
        found.extend(flow::check(self.ast));
        found
    }

    /// That the function exists and takes so many arguments.
    fn check_name(&self, call: &Call, aliases: &BTreeMap<String, String>) -> Option<Diagnostic> {
        if BUILT_IN.contains(&call.name.as_str()) || call.name.starts_with("anon$") {
            return None;
        }
        let mut arities = BTreeSet::new();
        let mut names: Vec<&str> = Vec::new();
        let mut gather =
            |from: &'_ Arities| arities.extend(from.get(&call.name).into_iter().flatten().copied());
        if let Some(alias) = &call.alias {
            let Some(path) = aliases.get(alias) else {
                let message = format!(
                    "nothing is imported as `{alias}`{}",
                    suggest::hint(alias, aliases.keys().map(String::as_str))
                );
                return Some(Diagnostic::error(position(call.at), message));
            };
            let library = self.known.defined.get(path.as_str())?;
            gather(library);
            names.extend(library.keys().map(String::as_str));
        } else {
            let own = self.known.defined.get(self.file)?;
            gather(own);
            gather(&self.known.registered);
            names.extend(own.keys().chain(self.known.registered.keys()).map(String::as_str));
        }
        let fits = arities.contains(&call.arity())
            || (call.is_method && arities.contains(&call.args.len()));
        if fits {
            return None;
        }
        let name = &call.name;
        let message = if arities.is_empty() {
            let readable = names.into_iter().filter(|n| n.starts_with(|c: char| c.is_alphabetic()));
            format!("there is no verb or function `{name}`{}", suggest::hint(name, readable))
        } else {
            let counts: Vec<_> = arities.iter().map(usize::to_string).collect();
            format!("`{name}` takes {} arguments, not {}", counts.join(" or "), call.arity())
        };
        Some(Diagnostic::error(position(call.at), message))
    }

    /// That the operation exists, and is one that the verb is for.
    fn check_operation(&self, call: &Call) -> Vec<Diagnostic> {
        let Some((_, number)) = NAMES_OPERATION.iter().find(|(verb, _)| *verb == call.name) else {
            return Vec::new();
        };
        if call.alias.is_some() || call.is_method {
            return Vec::new();
        }
        let at = position(call.at);
        let Some(operation) = call.literal(*number) else {
            let verb = &call.name;
            let message = format!(
                "`{verb}` names its operation by a value, so that nobody can read what it does, nor which \
                 policy it needs: write it as text, or `{DYNAMIC}` beside it or above it"
            );
            return match self.is_dynamic(call) {
                true => Vec::new(),
                false => vec![Diagnostic::error(at, message)],
            };
        };
        let effect = match self.operations.effect(operation) {
            Ok(effect) => effect,
            Err(why) => return vec![Diagnostic::error(at, why)],
        };
        let mut found = Vec::new();
        found.extend(unfit(call, operation, effect).map(|message| Diagnostic::error(at, message)));
        let lacking = incomplete(call, operation, effect, self.operations);
        found.extend(lacking.map(|message| Diagnostic::warning(at, message)));
        found.extend(params::check(call, *number + 1, operation, self.operations));
        found
    }

    /// Whether the text says of a call that what it names can't be read.
    fn is_dynamic(&self, call: &Call) -> bool {
        let line = call.at.line().unwrap_or(1);
        let mut lines = self.text.lines().skip(line.saturating_sub(2)).take(line.min(2));
        lines.any(|line| line.contains(DYNAMIC))
    }

    /// That the waiter exists, and that its parameters fit the operation that it asks.
    fn check_waiter(&self, call: &Call) -> Vec<Diagnostic> {
        if call.name != "wait_for" || call.alias.is_some() || call.is_method {
            return Vec::new();
        }
        let Some(waiter) = call.literal(0) else { return Vec::new() };
        match self.operations.waiter(waiter) {
            Ok(operation) => params::check(call, 1, &operation, self.operations),
            Err(why) => vec![Diagnostic::error(position(call.at), why)],
        }
    }

    /// That a verb is called where it can be read.
    fn check_hiding(&self, call: &Call) -> Option<Diagnostic> {
        let verbs = || NAMES_OPERATION.iter().map(|(verb, _)| *verb);
        let at = position(call.at);
        if call.name == "Fn" && call.literal(0).is_some_and(|name| verbs().any(|v| v == name)) {
            let message = "a verb behind a function pointer can't be read: call it by its name";
            return Some(Diagnostic::error(at, message));
        }
        if call.is_method && verbs().any(|v| v == call.name) {
            let name = &call.name;
            let message = format!("`x.{name}(…)` hides the call: write `{name}(x, …)`");
            return Some(Diagnostic::error(at, message));
        }
        None
    }

    /// The functions of this file that take steps, by themselves or through others of the file.
    fn stepping_functions(&self) -> BTreeSet<String> {
        let mut called: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for function in self.ast.iter_functions() {
            let mut alone = self.ast.clone_functions_only();
            alone.retain_functions(|_, _, name, arity| {
                name == function.name && arity == function.params.len()
            });
            let names = calls(&alone).into_iter().map(|call| call.name);
            called.entry(function.name.to_owned()).or_default().extend(names);
        }
        let mut stepping: BTreeSet<String> =
            host::STEPPING.iter().map(|verb| (*verb).to_owned()).collect();
        loop {
            let more: Vec<_> = called
                .iter()
                .filter(|(name, calls)| !stepping.contains(*name) && !calls.is_disjoint(&stepping))
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return stepping;
            }
            stepping.extend(more);
        }
    }
}

/// The paths of the imports, by their alias.
fn aliases(ast: &AST) -> BTreeMap<String, String> {
    let mut aliases = BTreeMap::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(file, _) = &import.0
        {
            aliases.insert(import.1.as_str().to_owned(), file.to_string());
        }
        true
    });
    aliases
}

/// Why an operation is not one that the verb is for.
fn unfit(call: &Call, operation: &str, effect: Effect) -> Option<String> {
    match (call.name.as_str(), effect) {
        ("probe" | "collect", Effect::Read) | ("change", Effect::Change | Effect::Destroy) => None,
        ("probe" | "collect", _) => {
            Some(format!("`{}` only looks, and `{operation}` does not", call.name))
        }
        ("change", _) => Some(format!("`{operation}` changes nothing: use `aws`")),
        _ => None,
    }
}

/// What a change lacks that people would want before they approve it.
fn incomplete(
    call: &Call,
    operation: &str,
    effect: Effect,
    known: &dyn Operations,
) -> Option<String> {
    if call.name == "aws" && effect.is_guarded() {
        return Some(format!(
            "`{operation}` changes something: outside of a plan it asks for an approval of its own, without a probe and without an inverse"
        ));
    }
    if call.name != "change" || call.is_inverse {
        return None;
    }
    let members = match call.args.len() {
        0..=2 => Vec::new(),
        _ => call.members(2)?,
    };
    let lacks = |name: &str| !members.iter().any(|member| member == name);
    let gets = known.completion(operation);
    match (lacks("probe") && !gets.probe, lacks("inverse") && !gets.inverse) {
        (true, true) => Some(format!(
            "the change `{operation}` has no probe (UNVERIFIED) and no inverse (FINAL)"
        )),
        (true, false) => Some(format!("the change `{operation}` has no probe: it is UNVERIFIED")),
        (false, true) if effect == Effect::Change => Some(format!(
            "the change `{operation}` has no inverse: it is FINAL, unless it is one itself"
        )),
        _ => None,
    }
}

/// That a probe which is written out can fail.
fn check_probe(call: &Call) -> Option<Diagnostic> {
    if call.name != "probe" || call.alias.is_some() || call.is_method {
        return None;
    }
    let wrong = stanch_engine_core::probe::check(call.literal(2)?).err()?;
    Some(Diagnostic::error(position(call.at), wrong.to_string()))
}

/// That a comparer takes no steps.
fn check_comparer(call: &Call, stepping: &BTreeSet<String>) -> Option<Diagnostic> {
    let takes_steps = COMPARING.contains(&call.name.as_str())
        && call.closures().iter().any(|closure| stepping.contains(closure));
    takes_steps.then(|| {
        let message = format!(
            "a step inside the comparer of `{}` can't be replayed: take the steps in a `for` loop first",
            call.name
        );
        Diagnostic::error(position(call.at), message)
    })
}
