//! A playbook, compiled: its header, its text and its libraries, ready to run on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{
    AST, ASTNode, Engine, EvalAltResult, Expr, Module, ModuleResolver, ParseError, ParseErrorType,
    Scope, Stmt,
};
use stanch_engine_core::command::Position;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::header::{Header, HeaderError};
use stanch_engine_core::limits;
use stanch_engine_core::playbook::Bundle;

use crate::codec;
use crate::error::{Diagnostic, PlaybookError, position};
use crate::interrupt::Interrupt;
use crate::sandbox;

/// A compiled playbook. It belongs to the thread that compiled it.
pub struct Program {
    /// The name of its text, see [`Bundle::digest`].
    pub digest: Sha256,
    /// What its header says.
    pub header: Header,
    pub(crate) engine: Engine,
    pub(crate) ast: AST,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("digest", &self.digest)
            .field("header", &self.header)
            .finish()
    }
}

impl Program {
    /// Compiles a playbook with its libraries. Its runs stop when `interrupt` is raised.
    ///
    /// # Errors
    /// [`PlaybookError`] with every mistake that was found, by line and column.
    pub fn compile(bundle: &Bundle, interrupt: &Interrupt) -> Result<Rc<Self>, PlaybookError> {
        let mut engine = sandbox::engine(interrupt);
        let ast = compile(&engine, &bundle.main)?;
        let header = header(&ast)?;
        let shelf = Shelf::default();
        engine.set_module_resolver(shelf.clone());
        let mut libraries = Libraries { bundle, shelf, open: Vec::new() };
        for (path, _) in imports(&ast) {
            libraries.load(&engine, &path)?;
        }
        Ok(Rc::new(Self { digest: bundle.digest(), header, engine, ast }))
    }
}

/// Gathers a playbook's text and all that it imports. `find` gives the text of an import's path.
///
/// # Errors
/// [`PlaybookError`] where a text does not compile or an import is not there.
pub fn bundle(
    main: &str,
    mut find: impl FnMut(&str) -> Option<String>,
) -> Result<Bundle, PlaybookError> {
    let engine = sandbox::engine(&Interrupt::default());
    let mut imported = BTreeMap::new();
    let mut open: Vec<(String, String)> = vec![(String::new(), main.to_owned())];
    while let Some((file, text)) = open.pop() {
        let ast = compile(&engine, &text).map_err(|error| in_file(error, &file))?;
        for (path, at) in imports(&ast) {
            if imported.contains_key(&path) {
                continue;
            }
            let Some(text) = find(&path) else {
                let message = format!("there is no `{path}.rhai` to import");
                return Err(Diagnostic::error(position(at), message).in_file(&file).into());
            };
            open.push((path.clone(), text.clone()));
            imported.insert(path, text);
        }
    }
    Ok(Bundle { main: main.to_owned(), imports: imported })
}

pub(crate) fn compile(engine: &Engine, text: &str) -> Result<AST, PlaybookError> {
    if text.len() > limits::PLAYBOOK_BYTES {
        let message =
            format!("the text is {} bytes, and may be {}", text.len(), limits::PLAYBOOK_BYTES);
        return Err(Diagnostic::error(Default::default(), message).into());
    }
    engine.compile(text).map_err(|ParseError(kind, at)| {
        let hint = match &*kind {
            // AWS uses some of Rhai's words as names of members.
            ParseErrorType::Reserved(word) => {
                format!(": where it is a member's name, write `x[\"{word}\"]`")
            }
            _ => String::new(),
        };
        Diagnostic::error(position(at), format!("{kind}{hint}")).into()
    })
}

fn in_file(error: PlaybookError, file: &str) -> PlaybookError {
    PlaybookError(error.0.into_iter().map(|d| d.in_file(file)).collect())
}

/// Reads the constant `PLAYBOOK` without running anything.
pub(crate) fn header(ast: &AST) -> Result<Header, Diagnostic> {
    let value = ast
        .iter_literal_variables(true, false)
        .find_map(|(name, _, value)| (name == "PLAYBOOK").then_some(value));
    let json = value.ok_or(HeaderError::Missing).and_then(|value| {
        codec::to_json(&value).map_err(|error| HeaderError::Malformed(error.to_string()))
    });
    json.and_then(|json| Header::read(json.value())).map_err(|error| {
        let at = place_in_header(ast, &error.to_string());
        Diagnostic::error(at.unwrap_or(Position { line: 1, column: 1 }), error.to_string())
    })
}

/// The place in the header that an error is about: the member or value that it quotes, else the
/// header itself.
fn place_in_header(ast: &AST, error: &str) -> Option<Position> {
    let (expr, at) = ast.statements().iter().find_map(|statement| match statement {
        Stmt::Var(var, _, at) if var.0.as_str() == "PLAYBOOK" => Some((&var.1, *at)),
        _ => None,
    })?;
    let quoted: Vec<&str> = error.split('`').skip(1).step_by(2).take(1).collect();
    Some(position(quoted.first().and_then(|quoted| place_of(expr, quoted)).unwrap_or(at)))
}

fn place_of(expr: &Expr, quoted: &str) -> Option<rhai::Position> {
    match expr {
        Expr::Map(map, _) => map.0.iter().find_map(|(name, value)| {
            let is_it = name.as_str() == quoted;
            is_it.then_some(name.pos).or_else(|| place_of(value, quoted))
        }),
        Expr::Array(items, _) => items.iter().find_map(|item| place_of(item, quoted)),
        Expr::StringConstant(text, at) => (text.as_str() == quoted).then_some(*at),
        _ => None,
    }
}

/// The paths that a text imports, with their places.
pub(crate) fn imports(ast: &AST) -> Vec<(String, rhai::Position)> {
    let mut paths = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, at))) = path.last() {
            match &import.0 {
                Expr::StringConstant(text, _) => paths.push((text.to_string(), *at)),
                _ => paths.push((String::new(), *at)),
            }
        }
        true
    });
    paths
}

/// The libraries that are loaded, by the path in the `import` statement.
#[derive(Clone, Default)]
struct Shelf(Rc<RefCell<BTreeMap<String, Rc<Module>>>>);

impl ModuleResolver for Shelf {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        at: rhai::Position,
    ) -> Result<Rc<Module>, Box<EvalAltResult>> {
        let missing = || EvalAltResult::ErrorModuleNotFound(path.to_owned(), at).into();
        self.0.borrow().get(path).cloned().ok_or_else(missing)
    }
}

struct Libraries<'a> {
    bundle: &'a Bundle,
    shelf: Shelf,
    open: Vec<String>,
}

impl Libraries<'_> {
    /// Loads a library and, before it, what it imports itself.
    fn load(&mut self, engine: &Engine, path: &str) -> Result<(), PlaybookError> {
        if self.shelf.0.borrow().contains_key(path) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == path) {
            let message = format!("`{path}` imports itself, by way of {}", self.open.join(", "));
            return Err(Diagnostic::error(Default::default(), message).in_file(path).into());
        }
        let Some(text) = self.bundle.imports.get(path) else {
            let message = format!("there is no `{path}.rhai` to import");
            return Err(Diagnostic::error(Default::default(), message).into());
        };
        let ast = compile(engine, text).map_err(|error| in_file(error, path))?;
        only_definitions(&ast).map_err(|d| PlaybookError::from(d.in_file(path)))?;
        self.open.push(path.to_owned());
        for (inner, _) in imports(&ast) {
            self.load(engine, &inner)?;
        }
        self.open.pop();
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(|error| {
            Diagnostic::error(position(error.position()), error.to_string()).in_file(path)
        })?;
        self.shelf.0.borrow_mut().insert(path.to_owned(), module.into());
        Ok(())
    }
}

/// A library defines functions and constants; whatever else it did at its top would be done once
/// a thread and not once a run.
pub(crate) fn only_definitions(ast: &AST) -> Result<(), Diagnostic> {
    for statement in ast.statements() {
        match statement {
            Stmt::Noop(..) | Stmt::Import(..) | Stmt::Export(..) => {}
            Stmt::Var(var, flags, _)
                if flags.contains(rhai::ASTFlags::CONSTANT) && var.1.is_constant() => {}
            other => {
                let message = "a library may only define functions and literal constants";
                return Err(Diagnostic::error(position(other.position()), message));
            }
        }
    }
    Ok(())
}
