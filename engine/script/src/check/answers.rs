//! Members that are read of an answer: as far as the text shows whose answer it is, they are ones
//! that it can have.

use std::collections::BTreeMap;

use rhai::{AST, ASTFlags, ASTNode, Expr, Position, Stmt};
use stanch_engine_core::operation::Operations;

use crate::calls::{arguments, members_of};
use crate::error::{Diagnostic, position};

/// One step from a value to a part of it.
enum Part<'a> {
    Member(&'a str, Position),
    Item,
    /// A method, or an index that only a run knows: nothing is known of what follows.
    Other,
}

/// Members that an answer can't have. Followed are `aws(…).A.B` and `let x = aws(…); x.A[0].B`,
/// where the name `x` is given to nothing else in the whole text.
pub(super) fn check(ast: &AST, operations: &dyn Operations) -> Vec<Diagnostic> {
    let known = answers(ast);
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        let Some(ASTNode::Expr(whole @ (Expr::Dot(..) | Expr::Index(..)))) = path.last() else {
            return true;
        };
        // The rest of a chain is no chain of its own.
        if let [.., ASTNode::Expr(Expr::Dot(parent, ..) | Expr::Index(parent, ..)), _] = path
            && std::ptr::eq(&raw const parent.rhs, *whole)
        {
            return true;
        }
        let (start, parts) = chain(whole);
        let source = match start {
            Expr::Variable(variable, ..) => known.get(variable.1.as_str()).cloned(),
            call => source(call),
        };
        found.extend(source.and_then(|source| mistake(&source, &parts, operations)));
        true
    });
    found
}

/// An operation whose answer is read, and what its options add to the answer.
#[derive(Clone)]
struct Source {
    operation: String,
    returns_errors: bool,
    is_paged: bool,
}

fn mistake(source: &Source, parts: &[Part<'_>], operations: &dyn Operations) -> Option<Diagnostic> {
    let mut path = Vec::new();
    for part in parts {
        let (name, at) = match part {
            Part::Member(name, at) => (*name, *at),
            Part::Item => ("[]", Position::NONE),
            Part::Other => return None,
        };
        let is_added = path.is_empty()
            && (source.returns_errors && name == "error" || source.is_paged && name == "cut_off");
        if is_added {
            return None;
        }
        path.push(name);
        if let Err(why) = operations.answers(&source.operation, &path) {
            return Some(Diagnostic::error(position(at), format!("{}: {why}", source.operation)));
        }
    }
    None
}

/// What begins a chain, and its steps.
fn chain(expr: &Expr) -> (&Expr, Vec<Part<'_>>) {
    let mut leaves = Vec::new();
    flatten(expr, false, &mut leaves);
    let mut leaves = leaves.into_iter();
    let start = leaves.next().map_or(expr, |(start, _)| start);
    let parts = leaves.map(|(leaf, is_index)| match (leaf, is_index) {
        (Expr::Property(property, at), false) => Part::Member(property.2.as_str(), *at),
        (Expr::StringConstant(name, at), true) => Part::Member(name.as_str(), *at),
        (Expr::IntegerConstant(..), true) => Part::Item,
        (Expr::Variable(..), true) => Part::Item,
        _ => Part::Other,
    });
    (start, parts.collect())
}

/// The leaves of a chain in order, each with whether it is an index.
fn flatten<'a>(expr: &'a Expr, is_index: bool, leaves: &mut Vec<(&'a Expr, bool)>) {
    match expr {
        Expr::Dot(pair, ..) => {
            flatten(&pair.lhs, is_index, leaves);
            flatten(&pair.rhs, false, leaves);
        }
        Expr::Index(pair, flags, _) => {
            flatten(&pair.lhs, is_index, leaves);
            match &pair.rhs {
                rest @ (Expr::Dot(..) | Expr::Index(..)) if !flags.contains(ASTFlags::BREAK) => {
                    flatten(rest, true, leaves);
                }
                index => leaves.push((index, true)),
            }
        }
        leaf => leaves.push((leaf, is_index)),
    }
}

/// The operation whose answer a call gives, if it can be read.
fn source(expr: &Expr) -> Option<Source> {
    let (name, args) = arguments(expr)?;
    let (operation, options) = match name {
        "aws" => (args.first()?, args.get(2)),
        _ => return None,
    };
    let Expr::StringConstant(operation, _) = operation else { return None };
    let options = match options {
        None => Vec::new(),
        Some(options) => members_of(options)?,
    };
    let has = |wanted: &str| options.iter().any(|name| name == wanted);
    if has("regions") {
        return None;
    }
    let (returns_errors, is_paged) = (has("on_error"), has("paginate"));
    Some(Source { operation: operation.to_string(), returns_errors, is_paged })
}

/// The variables that hold an answer and nothing else.
fn answers(ast: &AST) -> BTreeMap<String, Source> {
    let mut found = BTreeMap::new();
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    let mut give = |name: &str| *given.entry(name.to_owned()).or_default() += 1;
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(var, ..))) => {
                give(var.0.as_str());
                if let Some(source) = source(&var.1) {
                    found.insert(var.0.as_str().to_owned(), source);
                }
            }
            Some(ASTNode::Stmt(Stmt::For(each, ..))) => {
                give(each.0.as_str());
                if let Some(counter) = &each.1 {
                    give(counter.as_str());
                }
            }
            Some(ASTNode::Stmt(Stmt::TryCatch(caught, _))) => {
                if let Expr::Variable(name, ..) = &caught.expr {
                    give(name.1.as_str());
                }
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                let (start, _) = chain(&assignment.1.lhs);
                if let Expr::Variable(variable, ..) = start {
                    give(variable.1.as_str());
                }
            }
            _ => {}
        }
        true
    });
    let parameters = ast.iter_functions().flat_map(|function| function.params);
    let parameters: Vec<&str> = parameters.collect();
    found.retain(|name, _| given.get(name) == Some(&1) && !parameters.contains(&name.as_str()));
    found
}
