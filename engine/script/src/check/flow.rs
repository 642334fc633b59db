//! Where a playbook's way ends although its text goes on, and answers of people that it does not
//! hear.

use rhai::{AST, ASTNode, Expr, Stmt, StmtBlock};

use crate::error::{Diagnostic, position};

/// How a question to people may end, as a playbook sees it.
const OUTCOMES: [&str; 3] = ["approved", "rejected", "expired"];

/// Verbs after which nothing of a text is carried out.
const ENDING: [&str; 2] = ["fail", "continue_as_new"];

/// Statements that are never come to, and approvals of which an outcome has no consequence.
pub(super) fn check(ast: &AST) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for body in bodies(ast) {
        let mut top: Vec<Stmt> = Vec::new();
        body.walk(&mut |path: &[ASTNode]| {
            if let [ASTNode::Stmt(statement)] = path {
                top.push((*statement).clone());
            }
            for block in path.last().map(blocks).unwrap_or_default() {
                in_sequence(block.statements(), &mut found);
            }
            if let Some(ASTNode::Stmt(statement)) = path.last() {
                found.extend(unheard(statement));
            }
            true
        });
        in_sequence(&top, &mut found);
    }
    found
}

/// The text without its functions, and each of these alone: what is walked does not say where one
/// ends and the next begins.
fn bodies(ast: &AST) -> Vec<AST> {
    let mut top = ast.clone();
    top.clear_functions();
    let mut bodies = vec![top];
    for function in ast.iter_functions() {
        let mut alone = ast.clone_functions_only();
        alone.retain_functions(|_, _, name, arity| {
            name == function.name && arity == function.params.len()
        });
        bodies.push(alone);
    }
    bodies
}

/// The blocks right within a node.
fn blocks<'a>(node: &'a ASTNode<'a>) -> Vec<&'a StmtBlock> {
    match node {
        ASTNode::Stmt(Stmt::Block(block)) => vec![block],
        ASTNode::Stmt(Stmt::If(flow, _) | Stmt::TryCatch(flow, _)) => {
            vec![&flow.body, &flow.branch]
        }
        ASTNode::Stmt(Stmt::While(flow, _) | Stmt::Do(flow, ..)) => vec![&flow.body],
        ASTNode::Stmt(Stmt::For(each, _)) => vec![&each.2.body],
        ASTNode::Expr(Expr::Stmt(block)) => vec![block],
        _ => Vec::new(),
    }
}

fn in_sequence(statements: &[Stmt], found: &mut Vec<Diagnostic>) {
    for (one, next) in statements.iter().zip(statements.iter().skip(1)) {
        if ends(one) && !next.is_noop() {
            let message = "nothing comes to here: the statement before it is an end";
            found.push(Diagnostic::warning(position(next.position()), message));
            return;
        }
        if let Some(("approval", call)) = called(one) {
            let message = "what people answer to this `approval` has no consequence: look at its \
                           `outcome`";
            found.push(Diagnostic::warning(position(call), message));
        }
    }
}

/// Whether nothing after a statement of the same block is carried out.
fn ends(statement: &Stmt) -> bool {
    match statement {
        Stmt::Return(..) | Stmt::BreakLoop(..) => true,
        Stmt::If(flow, _) => always(&flow.body) && always(&flow.branch),
        Stmt::Block(block) => always(block),
        _ => called(statement).is_some_and(|(name, _)| ENDING.contains(&name)),
    }
}

/// The verb that a statement calls, with nothing done about its value.
fn called(statement: &Stmt) -> Option<(&str, rhai::Position)> {
    match statement {
        Stmt::FnCall(call, at) if call.namespace.is_empty() => Some((&call.name, *at)),
        Stmt::Expr(expr) => match &**expr {
            Expr::FnCall(call, at) if call.namespace.is_empty() => Some((&call.name, *at)),
            _ => None,
        },
        _ => None,
    }
}

fn always(block: &StmtBlock) -> bool {
    block.statements().last().is_some_and(ends)
}

/// A `switch` over the outcome of an approval that leaves one out.
fn unheard(statement: &Stmt) -> Option<Diagnostic> {
    let Stmt::Switch(switch, at) = statement else { return None };
    let (over, cases) = &**switch;
    let has_all = cases.def_case.is_some() || cases.cases.len() >= OUTCOMES.len();
    (is_outcome(over) && !has_all).then(|| {
        let message = format!(
            "an approval ends {}: {} of these have a case here, and there is no `_`",
            OUTCOMES.join(", "),
            cases.cases.len()
        );
        Diagnostic::warning(position(*at), message)
    })
}

fn is_outcome(expr: &Expr) -> bool {
    let Expr::Dot(dot, ..) = expr else { return false };
    matches!(&dot.rhs, Expr::Property(property, _) if property.2 == "outcome")
}
