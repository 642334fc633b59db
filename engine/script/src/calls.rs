//! The calls in a text, found without running it.

use rhai::{AST, ASTNode, Expr, FnPtr, Position, Stmt};

/// A call of a function or a method.
pub(crate) struct Call {
    /// The function's name.
    pub(crate) name: String,
    /// The alias of the library that it is called in, if it is.
    pub(crate) alias: Option<String>,
    /// Whether it was written `x.name(…)`; `x` is not among the arguments then.
    pub(crate) is_method: bool,
    /// Whether it stands as the member `inverse` of a map: a change that undoes another.
    pub(crate) is_inverse: bool,
    /// The arguments.
    pub(crate) args: Vec<Expr>,
    /// Where.
    pub(crate) at: Position,
}

impl Call {
    /// The text of an argument that is a literal string.
    pub(crate) fn literal(&self, number: usize) -> Option<&str> {
        match self.args.get(number)? {
            Expr::StringConstant(text, _) => Some(text),
            _ => None,
        }
    }

    /// How many arguments a function of this name must take.
    pub(crate) fn arity(&self) -> usize {
        self.args.len() + usize::from(self.is_method)
    }

    /// The members of an argument that is written as a map.
    pub(crate) fn members(&self, number: usize) -> Option<Vec<String>> {
        members_of(self.args.get(number)?)
    }

    /// The names of the anonymous functions among the arguments.
    pub(crate) fn closures(&self) -> Vec<String> {
        let mut names = Vec::new();
        for arg in &self.args {
            arg.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
                if let Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) = path.last()
                    && let Some(pointer) = value.read_lock::<FnPtr>()
                {
                    names.push(pointer.fn_name().to_owned());
                }
                true
            });
        }
        names
    }
}

/// The members of what is written as a map.
pub(crate) fn members_of(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Map(map, _) => Some(map.0.iter().map(|(name, _)| name.name.to_string()).collect()),
        Expr::DynamicConstant(value, _) => {
            let map = value.as_map_ref().ok()?;
            Some(map.keys().map(ToString::to_string).collect())
        }
        _ => None,
    }
}

/// The name and the arguments of a call of a verb.
pub(crate) fn arguments(expr: &Expr) -> Option<(&str, &[Expr])> {
    match expr {
        Expr::FnCall(call, _) if call.namespace.is_empty() => Some((&call.name, &call.args)),
        Expr::Stmt(block) => match block.statements() {
            [Stmt::FnCall(call, _)] if call.namespace.is_empty() => Some((&call.name, &call.args)),
            _ => None,
        },
        _ => None,
    }
}

/// Every call of a text; of its functions too, with the name of the function around each.
pub(crate) fn calls(ast: &AST) -> Vec<Call> {
    let mut calls = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        let (call, at, is_method) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at))) => (call, *at, false),
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => (call, *at, true),
            Some(ASTNode::Stmt(Stmt::FnCall(call, at))) => (call, *at, false),
            _ => return true,
        };
        if !call.is_operator_call() {
            let alias = call.namespace.path.first().map(|first| first.as_str().to_owned());
            let (name, args) = (call.name.to_string(), call.args.to_vec());
            let is_inverse = is_member(path, "inverse");
            calls.push(Call { name, alias, is_method, is_inverse, args, at });
        }
        true
    });
    calls
}

/// Whether the last node stands as the member `name` of a map.
fn is_member(path: &[ASTNode], name: &str) -> bool {
    let [.., ASTNode::Expr(Expr::Map(map, _)), ASTNode::Expr(child)] = path else { return false };
    map.0.iter().any(|(member, value)| member.name == name && std::ptr::eq(value, *child))
}
