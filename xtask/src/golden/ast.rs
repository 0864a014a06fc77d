//! Programs as data: the `ast` of a case (SPEC section 16.1) as Rust enums.

use super::fault::{Result, failed};
use serde_json::{Map, Value as Json};

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    Set {
        targets: Vec<Expr>,
        to: Expr,
    },
    Do(Expr),
    For {
        target: Expr,
        iter: Expr,
        body: Vec<Stmt>,
    },
    With {
        contexts: Vec<Expr>,
        body: Vec<Stmt>,
    },
    If {
        condition: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    Break,
    Import(String),
    /// A kind of statement this reader does not know, by its keys.
    Unknown(String),
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Lit {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
}

/// The arguments of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallArgs {
    pub args: Vec<Expr>,
    pub kw: Vec<(String, Expr)>,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Lit(Lit),
    Var(String),
    /// A dotted name in a module, such as `torch.float64`.
    Name(String),
    Attr(Box<Expr>, String),
    Call(String, CallArgs),
    Method(Box<Expr>, String, CallArgs),
    Apply(Box<Expr>, CallArgs),
    Bin(String, Box<Expr>, Box<Expr>),
    Un(String, Box<Expr>),
    Cmp(String, Box<Expr>, Box<Expr>),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Index(Box<Expr>, Box<Expr>),
    Slice(Box<[Option<Expr>; 3]>),
    ListComp {
        item: Box<Expr>,
        target: Box<Expr>,
        iter: Box<Expr>,
    },
    Star(Box<Expr>),
    /// Condition, value if true, value if false. This and what follows occurs in text only.
    IfElse(Box<[Expr; 3]>),
    Lambda(Vec<String>, Box<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// A kind of expression this reader does not know, by its keys.
    Unknown(String),
}

/// The statements of a program.
pub fn program(json: &Json) -> Result<Vec<Stmt>> {
    array(json, "program")?.iter().map(stmt).collect()
}

fn stmt(json: &Json) -> Result<Stmt> {
    let o = object(json, "statement")?;
    Ok(if let Some(targets) = o.get("set") {
        Stmt::Set { targets: exprs(targets)?, to: child(o, "to")? }
    } else if let Some(e) = o.get("do") {
        Stmt::Do(expr(e)?)
    } else if let Some(target) = o.get("for") {
        Stmt::For { target: expr(target)?, iter: child(o, "in")?, body: program(field(o, "body")?)? }
    } else if let Some(contexts) = o.get("with") {
        Stmt::With { contexts: exprs(contexts)?, body: program(field(o, "body")?)? }
    } else if let Some(text) = o.get("import") {
        Stmt::Import(text.as_str().unwrap_or_default().to_string())
    } else {
        Stmt::Unknown(keys(o))
    })
}

/// One expression. The key that names its kind is looked for in an order in which no kind hides another:
/// `call`, `method`, `apply`, `attr`, `index` come before `var`, which a list comprehension has too.
pub fn expr(json: &Json) -> Result<Expr> {
    let o = object(json, "expression")?;
    Ok(if let Some(v) = o.get("lit") {
        Expr::Lit(literal(v)?)
    } else if let Some(name) = o.get("call") {
        Expr::Call(text(name)?, call_args(o)?)
    } else if let Some(name) = o.get("method") {
        Expr::Method(boxed(o, "of")?, text(name)?, call_args(o)?)
    } else if o.contains_key("apply") {
        Expr::Apply(boxed(o, "apply")?, call_args(o)?)
    } else if let Some(name) = o.get("attr") {
        Expr::Attr(boxed(o, "of")?, text(name)?)
    } else if let Some(op) = o.get("bin") {
        Expr::Bin(text(op)?, boxed(o, "l")?, boxed(o, "r")?)
    } else if let Some(op) = o.get("cmp") {
        Expr::Cmp(text(op)?, boxed(o, "l")?, boxed(o, "r")?)
    } else if let Some(op) = o.get("un") {
        Expr::Un(text(op)?, boxed(o, "v")?)
    } else if let Some(items) = o.get("tuple") {
        Expr::Tuple(exprs(items)?)
    } else if let Some(items) = o.get("list") {
        Expr::List(exprs(items)?)
    } else if o.contains_key("index") {
        Expr::Index(boxed(o, "of")?, boxed(o, "index")?)
    } else if let Some(parts) = o.get("slice") {
        slice(parts)?
    } else if o.contains_key("listcomp") {
        let (item, target, iter) = (boxed(o, "listcomp")?, boxed(o, "var")?, boxed(o, "in")?);
        Expr::ListComp { item, target, iter }
    } else if let Some(name) = o.get("name") {
        Expr::Name(text(name)?)
    } else if let Some(name) = o.get("var") {
        Expr::Var(text(name)?)
    } else if o.contains_key("star") {
        Expr::Star(boxed(o, "star")?)
    } else {
        Expr::Unknown(keys(o))
    })
}

fn literal(v: &Json) -> Result<Lit> {
    Ok(match v {
        Json::Null => Lit::None,
        Json::Bool(b) => Lit::Bool(*b),
        Json::String(s) => Lit::Str(s.clone()),
        Json::Number(n) => match n.as_i64().map(i128::from).or(n.as_u64().map(i128::from)) {
            Some(i) => Lit::Int(i),
            None => Lit::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        _ => return failed(format!("ast: not a literal: {v}")),
    })
}

fn call_args(o: &Map<String, Json>) -> Result<CallArgs> {
    let args = exprs(field(o, "args")?)?;
    let kw = match o.get("kw") {
        None => Vec::new(),
        Some(kw) => {
            object(kw, "keywords")?.iter().map(|(k, v)| Ok((k.clone(), expr(v)?))).collect::<Result<_>>()?
        }
    };
    Ok(CallArgs { args, kw })
}

fn slice(parts: &Json) -> Result<Expr> {
    let part = |v: &Json| if v.is_null() { Ok(None) } else { expr(v).map(Some) };
    match array(parts, "slice")?.as_slice() {
        [a, b, c] => Ok(Expr::Slice(Box::new([part(a)?, part(b)?, part(c)?]))),
        other => failed(format!("ast: a slice has 3 parts, not {}", other.len())),
    }
}

fn exprs(json: &Json) -> Result<Vec<Expr>> {
    array(json, "list of expressions")?.iter().map(expr).collect()
}

fn child(o: &Map<String, Json>, key: &str) -> Result<Expr> {
    expr(field(o, key)?)
}

fn boxed(o: &Map<String, Json>, key: &str) -> Result<Box<Expr>> {
    child(o, key).map(Box::new)
}

fn field<'a>(o: &'a Map<String, Json>, key: &str) -> Result<&'a Json> {
    o.get(key).ok_or_else(|| super::fault::Fault::Failed(format!("ast: no `{key}` beside {}", keys(o))))
}

fn text(json: &Json) -> Result<String> {
    match json.as_str() {
        Some(s) => Ok(s.to_string()),
        None => failed(format!("ast: expected text, found {json}")),
    }
}

fn array<'a>(json: &'a Json, what: &str) -> Result<&'a Vec<Json>> {
    json.as_array().ok_or_else(|| super::fault::Fault::Failed(format!("ast: {what} is not a list: {json}")))
}

fn object<'a>(json: &'a Json, what: &str) -> Result<&'a Map<String, Json>> {
    json.as_object()
        .ok_or_else(|| super::fault::Fault::Failed(format!("ast: {what} is not an object: {json}")))
}

fn keys(o: &Map<String, Json>) -> String {
    let keys: Vec<&str> = o.keys().map(String::as_str).collect();
    format!("node {{{}}}", keys.join(", "))
}
