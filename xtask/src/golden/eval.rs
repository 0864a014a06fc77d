//! The interpreter: walks the statements and expressions of a program.

use super::ast::{CallArgs, Expr, Lit, Stmt};
use super::fault::{Fault, Result, failed, unsupported};
use super::value::{Args, Context, Value, rows};
use super::{index, names, operators, parse};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

/// Whether a loop goes on after a statement.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    Next,
    Break,
}

/// A function written in the program.
struct Lambda {
    parameters: Vec<String>,
    body: Expr,
}

/// The variables of a running program.
pub struct Interpreter {
    vars: HashMap<String, Value>,
    context: Rc<Context>,
}

impl Interpreter {
    /// A fresh program with these variables; `data` is the folder of the image sets.
    pub fn new(vars: HashMap<String, Value>, data: Option<PathBuf>) -> Interpreter {
        Interpreter { vars, context: Rc::new(Context { numpy: names::numpy::global_stream(), data }) }
    }

    /// Runs a program.
    pub fn run(&mut self, body: &[Stmt]) -> Result<()> {
        self.block(body).map(drop)
    }

    fn block(&mut self, body: &[Stmt]) -> Result<Flow> {
        for stmt in body {
            if self.statement(stmt)? == Flow::Break {
                return Ok(Flow::Break);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, stmt: &Stmt) -> Result<Flow> {
        match stmt {
            Stmt::Do(e) => drop(self.eval(e)?),
            Stmt::Set { targets, to } => {
                let value = self.eval(to)?;
                targets.iter().try_for_each(|target| self.assign(target, value.clone()))?;
            }
            Stmt::For { target, iter, body } => {
                let items = self.eval(iter)?;
                each(&items, &mut |item| {
                    self.assign(target, item)?;
                    Ok(self.block(body)? == Flow::Next)
                })?;
            }
            Stmt::If { condition, then, otherwise } => {
                let branch = if self.eval(condition)?.truth()? { then } else { otherwise };
                return self.block(branch);
            }
            Stmt::Break => return Ok(Flow::Break),
            Stmt::With { contexts, body } => return self.with(contexts, body),
            // The table knows the names that a program imports; an unknown one is met where it is used.
            Stmt::Import(_) => {}
            Stmt::Unknown(what) => return unsupported(format!("statement {what}")),
        }
        Ok(Flow::Next)
    }

    fn with(&mut self, contexts: &[Expr], body: &[Stmt]) -> Result<Flow> {
        let Some((first, rest)) = contexts.split_first() else { return self.block(body) };
        match self.eval(first)?.class() {
            "no_grad" => rekindle_tensor::no_grad(|| self.with(rest, body)),
            "enable_grad" => rekindle_tensor::enable_grad(|| self.with(rest, body)),
            other => unsupported(format!("with {other}")),
        }
    }

    fn assign(&mut self, target: &Expr, value: Value) -> Result<()> {
        match target {
            Expr::Var(name) => {
                self.vars.insert(name.clone(), value);
                Ok(())
            }
            Expr::Tuple(targets) | Expr::List(targets) => {
                let items = iterate(&value)?;
                if items.len() != targets.len() {
                    return failed(format!("cannot unpack {} values into {}", items.len(), targets.len()));
                }
                targets.iter().zip(items).try_for_each(|(t, item)| self.assign(t, item))
            }
            Expr::Attr(of, name) => {
                let of = self.eval(of)?;
                if let (Value::Object(o), Value::Tensor(t)) = (&of, &value)
                    && o.class == "Module"
                {
                    return names::nn::set_member(o, name, t);
                }
                self.call_named(&format!("{}.{name}=", of.class()), vec![of, value], Vec::new()).map(drop)
            }
            Expr::Index(of, at) => {
                let (of, at) = (self.eval(of)?, self.eval(at)?);
                index::set(&of, &at, &value)
            }
            other => unsupported(format!("assignment to {other:?}")),
        }
    }

    /// The value of an expression.
    pub fn eval(&mut self, e: &Expr) -> Result<Value> {
        match e {
            Expr::Lit(lit) => Ok(literal(lit)),
            Expr::Var(name) => self.variable(name),
            Expr::Name(name) => names::constant(name).map_or_else(|| function(name), Ok),
            Expr::Attr(of, name) => {
                let of = self.eval(of)?;
                self.attribute(of, name)
            }
            Expr::Call(name, args) => {
                let (positional, keywords) = self.arguments(args)?;
                match self.vars.get(name).cloned() {
                    Some(value) => self.apply(value, positional, keywords),
                    None => self.call_named(name, positional, keywords),
                }
            }
            Expr::Method(of, name, args) => {
                let of = self.eval(of)?;
                let class = of.class();
                let (mut positional, keywords) = self.arguments(args)?;
                positional.insert(0, of);
                self.call_named(&format!("{class}.{name}"), positional, keywords)
            }
            Expr::Apply(of, args) => {
                let of = self.eval(of)?;
                let (positional, keywords) = self.arguments(args)?;
                self.apply(of, positional, keywords)
            }
            other => self.eval_data(other),
        }
    }

    /// Expressions that call nothing by name.
    fn eval_data(&mut self, e: &Expr) -> Result<Value> {
        match e {
            Expr::Bin(op, l, r) if op == "and" || op == "or" => {
                let left = self.eval(l)?;
                if left.truth()? == (op == "or") { Ok(left) } else { self.eval(r) }
            }
            Expr::IfElse(parts) => {
                let [condition, yes, no] = &**parts;
                if self.eval(condition)?.truth()? { self.eval(yes) } else { self.eval(no) }
            }
            Expr::Lambda(parameters, body) => {
                let lambda = Lambda { parameters: parameters.clone(), body: (**body).clone() };
                Ok(Value::object("lambda", lambda))
            }
            Expr::Dict(pairs) => {
                let mut out = Vec::new();
                for (key, value) in pairs {
                    let Value::Str(key) = self.eval(key)? else {
                        return unsupported("dict with other than text keys");
                    };
                    out.push((key.to_string(), self.eval(value)?));
                }
                Ok(Value::Dict(Rc::new(out)))
            }
            Expr::Bin(op, l, r) => operators::binary(op, &self.eval(l)?, &self.eval(r)?),
            Expr::Cmp(op, l, r) => operators::compare(op, &self.eval(l)?, &self.eval(r)?),
            Expr::Un(op, v) => operators::unary(op, &self.eval(v)?),
            Expr::Tuple(items) => self.items(items).map(Value::tuple),
            Expr::List(items) => self.items(items).map(Value::list),
            Expr::Index(of, at) => {
                let (of, at) = (self.eval(of)?, self.eval(at)?);
                index::get(&of, &at)
            }
            Expr::Slice(parts) => {
                let parts: Result<Vec<Value>> =
                    parts.iter().map(|p| p.as_ref().map_or(Ok(Value::None), |p| self.eval(p))).collect();
                Ok(Value::object("slice", index::Slice(parts?)))
            }
            Expr::ListComp { item, target, iter } => {
                let mut out = Vec::new();
                let items = self.eval(iter)?;
                each(&items, &mut |value| {
                    self.assign(target, value)?;
                    out.push(self.eval(item)?);
                    Ok(true)
                })?;
                Ok(Value::list(out))
            }
            other => unsupported(format!("expression {other:?}")),
        }
    }

    fn variable(&self, name: &str) -> Result<Value> {
        match self.vars.get(name) {
            Some(value) => Ok(value.clone()),
            None => function(name),
        }
    }

    /// Whether a variable of this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.vars.contains_key(name)
    }

    fn attribute(&mut self, of: Value, name: &str) -> Result<Value> {
        if let Value::Object(o) = &of
            && o.class == "Module"
        {
            return names::nn::member(o, name);
        }
        self.call_named(&format!("{}.{name}", of.class()), vec![of], Vec::new())
    }

    fn items(&mut self, items: &[Expr]) -> Result<Vec<Value>> {
        let mut out = Vec::new();
        for item in items {
            match item {
                Expr::Star(inner) => out.extend(iterate(&self.eval(inner)?)?),
                item => out.push(self.eval(item)?),
            }
        }
        Ok(out)
    }

    #[allow(clippy::type_complexity)] // Positional and keyword arguments, used once.
    fn arguments(&mut self, args: &CallArgs) -> Result<(Vec<Value>, Vec<(String, Value)>)> {
        let positional = self.items(&args.args)?;
        let keywords = args.kw.iter().map(|(k, e)| Ok((k.clone(), self.eval(e)?))).collect::<Result<_>>()?;
        Ok((positional, keywords))
    }

    /// Calls a value: a function of the table, or an object with `__call__`.
    pub fn apply(&mut self, f: Value, mut args: Vec<Value>, keywords: Vec<(String, Value)>) -> Result<Value> {
        match &f {
            Value::Function(name) => self.call_named(&name.clone(), args, keywords),
            Value::Object(o) if o.class == "lambda" => {
                let inner = o.inner.borrow();
                let Some(Lambda { parameters, body }) = inner.downcast_ref() else {
                    return failed("not a lambda");
                };
                // Parameters live among the other variables: no program here reuses their names.
                for (name, value) in parameters.iter().zip(args) {
                    self.vars.insert(name.clone(), value);
                }
                self.eval(body)
            }
            other => {
                let name = format!("{}.__call__", other.class());
                args.insert(0, f);
                self.call_named(&name, args, keywords)
            }
        }
    }

    /// Calls a function by name: of the table, or one that needs the interpreter.
    fn call_named(&mut self, name: &str, args: Vec<Value>, keywords: Vec<(String, Value)>) -> Result<Value> {
        match (name, args.as_slice()) {
            ("eval", [Value::Str(text)]) => return self.eval(&parse::expression(text)?),
            ("map", [f, items]) => {
                let call = |item| self.apply(f.clone(), vec![item], Vec::new());
                return Ok(Value::list(iterate(items)?.into_iter().map(call).collect::<Result<_>>()?));
            }
            ("torch.optim.lr_scheduler.LambdaLR", _) => return self.lambda_lr(args, keywords),
            _ => {}
        }
        self.call_table(name, args, keywords)
    }

    /// The library cannot call a function of the program, so it gets the function's values step by step.
    fn lambda_lr(&mut self, mut args: Vec<Value>, mut keywords: Vec<(String, Value)>) -> Result<Value> {
        let keyword = keywords.iter_mut().find(|(k, _)| k == "lr_lambda").map(|(_, v)| v);
        let Some(f) = keyword.or(args.get_mut(1)) else { return failed("LambdaLR: no lr_lambda") };
        let values = (0..1000).map(|t| self.apply(f.clone(), vec![Value::Int(t)], Vec::new()));
        *f = Value::list(values.collect::<Result<_>>()?);
        self.call_table("torch.optim.lr_scheduler.LambdaLR", args, keywords)
    }

    /// Calls a function of the table. An argument that the function does not take is as unknown as a function
    /// that is not there.
    fn call_table(&mut self, name: &str, args: Vec<Value>, keywords: Vec<(String, Value)>) -> Result<Value> {
        let Some(f) = names::function(name, &args) else { return unsupported(name) };
        let mut args = Args::new(name, args, keywords, self.context.clone());
        let result = f(&mut args);
        match (args.left_over(), result) {
            (Some(argument), Ok(_)) => unsupported(argument),
            (_, result) => result,
        }
    }
}

fn function(name: &str) -> Result<Value> {
    if names::function(name, &[]).is_some() {
        return Ok(Value::Function(name.into()));
    }
    if name.contains('.') { unsupported(name) } else { Err(Fault::Failed(format!("no variable `{name}`"))) }
}

fn literal(lit: &Lit) -> Value {
    match lit {
        Lit::None => Value::None,
        Lit::Bool(b) => Value::Bool(*b),
        Lit::Int(i) => Value::Int(*i),
        Lit::Float(x) => Value::Float(*x),
        Lit::Str(s) => Value::str(s),
    }
}

/// Calls `f` with each item until it says stop. A loader makes its batches as the loop goes.
pub fn each(value: &Value, f: &mut dyn FnMut(Value) -> Result<bool>) -> Result<()> {
    if let Value::Object(o) = value
        && let Some(result) = names::data::each_batch(o, f)
    {
        return result;
    }
    for item in iterate(value)? {
        if !f(item)? {
            break;
        }
    }
    Ok(())
}

/// All the items that `for` would see.
pub fn iterate(value: &Value) -> Result<Vec<Value>> {
    if let Some(items) = value.as_items() {
        return Ok(items);
    }
    match value {
        Value::Array(t) => match rows(t) {
            Some(rows) => {
                Ok(rows.into_iter().map(|r| r.as_tensor().cloned().map_or(r, Value::Array)).collect())
            }
            None => failed("iteration over a 0-d array"),
        },
        Value::Tensor(t) => rows(t).map_or_else(|| failed("iteration over a 0-d tensor"), Ok),
        Value::Dict(d) => Ok(d.iter().map(|(k, _)| Value::str(k)).collect()),
        Value::Object(o) => {
            let name = format!("{}.__iter__", o.class);
            let Some(f) = names::function(&name, &[]) else { return unsupported(name) };
            let mut args = Args::special(&name, vec![value.clone()]);
            f(&mut args)?.as_items().map_or_else(|| failed(format!("{name} gave no items")), Ok)
        }
        other => failed(format!("{} is not iterable", other.class())),
    }
}
