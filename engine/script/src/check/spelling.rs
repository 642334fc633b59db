//! Names of members of what a run begins with.

use rhai::{AST, ASTNode, Expr, Stmt};
use stanch_engine_core::alert::ALERT_MEMBERS;
use stanch_engine_core::suggest;

use crate::error::{Diagnostic, position};

/// The members of the variable `incident`.
const INCIDENT_MEMBERS: &[&str] = &["account", "id", "severity", "status", "title"];

/// Members that an alert or an incident does not have.
pub(super) fn check_scope(ast: &AST) -> Vec<Diagnostic> {
    let hidden = redefined(ast);
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Expr(Expr::Dot(dot, ..))) = path.last()
            && let Expr::Variable(variable, ..) = &dot.lhs
            && let Some((member, at)) = first_property(&dot.rhs)
        {
            let variable = variable.1.as_str();
            let members = match variable {
                "alert" => ALERT_MEMBERS,
                "incident" => INCIDENT_MEMBERS,
                _ => return true,
            };
            if !hidden.iter().any(|name| name == variable) && !members.contains(&member) {
                let hint = suggest::hint(member, members.iter().copied());
                let message = format!("`{variable}` has no `{member}`{hint}");
                found.push(Diagnostic::error(position(at), message));
            }
        }
        true
    });
    found
}

/// The first member of `x.a.b`, without `x`.
fn first_property(expr: &Expr) -> Option<(&str, rhai::Position)> {
    match expr {
        Expr::Property(property, at) => Some((property.2.as_str(), *at)),
        Expr::Dot(dot, ..) | Expr::Index(dot, ..) => first_property(&dot.lhs),
        _ => None,
    }
}

/// Names that the text gives to something else.
fn redefined(ast: &AST) -> Vec<String> {
    let mut names: Vec<String> =
        ast.iter_functions().flat_map(|f| f.params).map(|name| (*name).to_owned()).collect();
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(var, ..))) => names.push(var.0.as_str().to_owned()),
            Some(ASTNode::Stmt(Stmt::For(each, ..))) => names.push(each.0.as_str().to_owned()),
            _ => {}
        }
        true
    });
    names
}
