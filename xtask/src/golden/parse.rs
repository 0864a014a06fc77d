//! A reader for the few Python expressions that golden files carry as text: `keep_expr`, the optimiser of
//! a trajectory, and the table of output expressions. It yields the same tree as the `ast` of a case.
//!
//! ```text
//! compare := sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum)?
//! sum     := term (("+" | "-") term)*
//! term    := unary (("*" | "/" | "//" | "%" | "@") unary)*
//! unary   := "-" unary | power
//! power   := postfix ("**" unary)?
//! postfix := atom ("." name | "(" args ")" | "[" index "]")*
//! ```

use super::ast::{CallArgs, Expr, Lit};
use super::fault::{Result, failed};

/// The modules whose dotted names are looked up in the table, as in `add_ast.py`.
const MODULES: [&str; 6] = ["torch", "nn", "F", "np", "math", "sklearn"];

/// Parses one expression.
pub fn expression(text: &str) -> Result<Expr> {
    let mut p = Parser { text, tokens: tokens(text)?, at: 0 };
    let e = p.compare()?;
    if p.at < p.tokens.len() { p.unexpected() } else { Ok(e) }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Ident(String),
    Lit(Lit),
    Op(&'static str),
}

const OPS: [&str; 24] = [
    "**", "//", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "@", "(", ")", "[", "]", ".", ",",
    ":", "=", "~", "!",
];

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let used = if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit()))
        {
            let n = number_length(rest);
            out.push(Token::Lit(number(&rest[..n])?));
            n
        } else if c.is_alphabetic() || c == '_' {
            let n = rest.find(|d: char| !d.is_alphanumeric() && d != '_').unwrap_or(rest.len());
            out.push(word(&rest[..n]));
            n
        } else if c == '\'' || c == '"' {
            let Some(n) = rest[1..].find(c) else { return failed(format!("open string in `{text}`")) };
            out.push(Token::Lit(Lit::Str(rest[1..=n].to_string())));
            n + 2
        } else if let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) {
            out.push(Token::Op(op));
            op.len()
        } else {
            return failed(format!("cannot read `{rest}` in `{text}`"));
        };
        rest = rest[used..].trim_start();
    }
    Ok(out)
}

fn number_length(s: &str) -> usize {
    let b = s.as_bytes();
    let mut n = 0;
    while n < b.len() {
        let exponent_sign = (b[n] == b'-' || b[n] == b'+') && n > 0 && matches!(b[n - 1], b'e' | b'E');
        if !(b[n].is_ascii_digit() || matches!(b[n], b'.' | b'e' | b'E' | b'_') || exponent_sign) {
            break;
        }
        n += 1;
    }
    n
}

fn number(s: &str) -> Result<Lit> {
    let plain = s.replace('_', "");
    match (plain.parse::<i128>(), plain.parse::<f64>()) {
        (Ok(i), _) => Ok(Lit::Int(i)),
        (_, Ok(x)) => Ok(Lit::Float(x)),
        _ => failed(format!("not a number: `{s}`")),
    }
}

fn word(s: &str) -> Token {
    match s {
        "None" => Token::Lit(Lit::None),
        "True" => Token::Lit(Lit::Bool(true)),
        "False" => Token::Lit(Lit::Bool(false)),
        _ => Token::Ident(s.to_string()),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn unexpected<T>(&self) -> Result<T> {
        match self.tokens.get(self.at) {
            Some(t) => failed(format!("unexpected {t:?} in `{}`", self.text)),
            None => failed(format!("`{}` ends too early", self.text)),
        }
    }

    /// Takes the operator if it is next.
    fn eat(&mut self, op: &str) -> bool {
        let hit = matches!(self.tokens.get(self.at), Some(Token::Op(o)) if *o == op);
        self.at += usize::from(hit);
        hit
    }

    fn eat_any(&mut self, ops: &[&'static str]) -> Option<String> {
        ops.iter().find(|op| self.eat(op)).map(|op| op.to_string())
    }

    fn expect(&mut self, op: &str) -> Result<()> {
        if self.eat(op) { Ok(()) } else { self.unexpected() }
    }

    fn compare(&mut self) -> Result<Expr> {
        let left = self.sum()?;
        match self.eat_any(&["==", "!=", "<=", ">=", "<", ">"]) {
            Some(op) => Ok(Expr::Cmp(op, Box::new(left), Box::new(self.sum()?))),
            None => Ok(left),
        }
    }

    fn sum(&mut self) -> Result<Expr> {
        let mut left = self.term()?;
        while let Some(op) = self.eat_any(&["+", "-"]) {
            left = Expr::Bin(op, Box::new(left), Box::new(self.term()?));
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Expr> {
        let mut left = self.unary()?;
        while let Some(op) = self.eat_any(&["//", "*", "/", "%", "@"]) {
            left = Expr::Bin(op, Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr> {
        match self.eat_any(&["-", "+", "~"]) {
            Some(op) => Ok(Expr::Un(op, Box::new(self.unary()?))),
            None => self.power(),
        }
    }

    fn power(&mut self) -> Result<Expr> {
        let base = self.postfix()?;
        if self.eat("**") {
            return Ok(Expr::Bin("**".into(), Box::new(base), Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Result<Expr> {
        let mut e = self.atom()?;
        loop {
            e = if self.eat(".") {
                let Some(Token::Ident(name)) = self.tokens.get(self.at).cloned() else {
                    return self.unexpected();
                };
                self.at += 1;
                attribute(e, name)
            } else if self.eat("(") {
                call(e, self.arguments()?)
            } else if self.eat("[") {
                let index = self.index()?;
                self.expect("]")?;
                Expr::Index(Box::new(e), Box::new(index))
            } else {
                return Ok(e);
            };
        }
    }

    fn atom(&mut self) -> Result<Expr> {
        if self.eat("(") {
            return self.items(")").map(|(mut items, comma)| {
                if items.len() == 1 && !comma { items.remove(0) } else { Expr::Tuple(items) }
            });
        }
        if self.eat("[") {
            return self.items("]").map(|(items, _)| Expr::List(items));
        }
        let e = match self.tokens.get(self.at) {
            Some(Token::Lit(v)) => Expr::Lit(v.clone()),
            Some(Token::Ident(name)) => Expr::Var(name.clone()),
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(e)
    }

    /// Expressions between commas up to `close`, and whether a comma came last.
    fn items(&mut self, close: &str) -> Result<(Vec<Expr>, bool)> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat(close) {
            if !items.is_empty() && !comma {
                return self.unexpected();
            }
            items.push(self.compare()?);
            comma = self.eat(",");
        }
        Ok((items, comma))
    }

    fn arguments(&mut self) -> Result<CallArgs> {
        let mut call = CallArgs::default();
        while !self.eat(")") {
            let named = matches!(self.tokens.get(self.at + 1), Some(Token::Op("=")));
            match self.tokens.get(self.at).cloned() {
                Some(Token::Ident(name)) if named => {
                    self.at += 2;
                    call.kw.push((name, self.compare()?));
                }
                _ => call.args.push(self.compare()?),
            }
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(call)
    }

    fn index(&mut self) -> Result<Expr> {
        let mut parts = [None, None, None];
        let mut colons = 0;
        loop {
            let stop = matches!(self.tokens.get(self.at), Some(Token::Op(":" | "]")) | None);
            if !stop {
                parts[colons] = Some(self.compare()?);
            }
            if colons == 2 || !self.eat(":") {
                break;
            }
            colons += 1;
        }
        match (colons, parts) {
            (0, [Some(e), ..]) => Ok(e),
            (0, _) => self.unexpected(),
            (_, parts) => Ok(Expr::Slice(Box::new(parts))),
        }
    }
}

/// `e.name`; inside a module it stays one dotted name.
fn attribute(e: Expr, name: String) -> Expr {
    match e {
        Expr::Name(module) => Expr::Name(format!("{module}.{name}")),
        Expr::Var(module) if MODULES.contains(&module.as_str()) => Expr::Name(format!("{module}.{name}")),
        e => Expr::Attr(Box::new(e), name),
    }
}

/// `e(..)`: a call of a named function, of a method, or of a value.
fn call(e: Expr, args: CallArgs) -> Expr {
    match e {
        Expr::Name(name) | Expr::Var(name) => Expr::Call(name, args),
        Expr::Attr(of, method) => Expr::Method(of, method, args),
        e => Expr::Apply(Box::new(e), args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::ast;

    fn same(text: &str, json: &str) {
        let tree = ast::expr(&serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(expression(text).unwrap(), tree, "{text}");
    }

    #[test]
    fn text_and_ast_give_the_same_tree() {
        same("y != 0", r#"{"cmp":"!=","l":{"var":"y"},"r":{"lit":0}}"#);
        same("x.grad", r#"{"attr":"grad","of":{"var":"x"}}"#);
        same("p['0.weight']", r#"{"index":{"lit":"0.weight"},"of":{"var":"p"}}"#);
        same(
            "2*a**-1",
            r#"{"bin":"*","l":{"lit":2},"r":{"bin":"**","l":{"var":"a"},"r":{"un":"-","v":{"lit":1}}}}"#,
        );
        same(
            "y.max().reshape(1)",
            r#"{"method":"reshape","of":{"method":"max","of":{"var":"y"},"args":[],"kw":{}},"args":[{"lit":1}],"kw":{}}"#,
        );
        same(
            "torch.optim.SGD(net.parameters(),lr=.1,nesterov=True)",
            r#"{"call":"torch.optim.SGD","args":[{"method":"parameters","of":{"var":"net"},"args":[],"kw":{}}],
                "kw":{"lr":{"lit":0.1},"nesterov":{"lit":true}}}"#,
        );
        same(
            "st[24:24+64]",
            r#"{"index":{"slice":[{"lit":24},{"bin":"+","l":{"lit":24},"r":{"lit":64}},null]},"of":{"var":"st"}}"#,
        );
        same(
            "f(1,(2,),[3,4])",
            r#"{"call":"f","args":[{"lit":1},{"tuple":[{"lit":2}]},{"list":[{"lit":3},{"lit":4}]}],"kw":{}}"#,
        );
    }

    #[test]
    fn bad_text_is_an_error() {
        for text in ["", "1 +", "f(1", "a b", "x[", "'open", "a ? b"] {
            assert!(expression(text).is_err(), "{text}");
        }
    }
}
