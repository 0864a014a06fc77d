//! Expressions.

use super::tokens::Token;
use crate::golden::ast::{CallArgs, Expr};
use crate::golden::fault::{Result, failed};

/// The modules whose dotted names are looked up in the table, as in `add_ast.py`.
const MODULES: [&str; 6] = ["torch", "nn", "F", "np", "math", "sklearn"];

/// A position in a list of tokens.
pub struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    pub fn new(tokens: Vec<Token>) -> Parser {
        Parser { tokens, at: 0 }
    }

    pub fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub fn unexpected<T>(&self) -> Result<T> {
        match self.peek() {
            Some(t) => failed(format!("unexpected {t:?}")),
            None => failed("the text ends too early"),
        }
    }

    /// Takes the token if it is next.
    pub fn eat_token(&mut self, token: &Token) -> bool {
        let hit = self.peek() == Some(token);
        self.at += usize::from(hit);
        hit
    }

    /// Takes the operator if it is next.
    pub fn eat(&mut self, op: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Op(o)) if *o == op);
        self.at += usize::from(hit);
        hit
    }

    /// Takes the keyword if it is next.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Ident(w)) if w == word);
        self.at += usize::from(hit);
        hit
    }

    pub fn eat_any(&mut self, ops: &[&'static str]) -> Option<String> {
        ops.iter().find(|op| self.eat(op)).map(|op| op.to_string())
    }

    pub fn expect(&mut self, op: &str) -> Result<()> {
        if self.eat(op) { Ok(()) } else { self.unexpected() }
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { self.unexpected() }
    }

    pub fn name(&mut self) -> Result<String> {
        let Some(Token::Ident(name)) = self.peek().cloned() else { return self.unexpected() };
        self.at += 1;
        Ok(name)
    }

    /// Expressions with commas between them; more than one, or a comma at the end, is a tuple.
    pub fn tuple(&mut self) -> Result<Expr> {
        let first = self.starred()?;
        if !matches!(self.peek(), Some(Token::Op(","))) {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.eat(",") {
            let ends =
                matches!(self.peek(), None | Some(Token::Newline | Token::Op("=" | ")" | "]" | ":" | ";")));
            if ends {
                break;
            }
            items.push(self.starred()?);
        }
        Ok(Expr::Tuple(items))
    }

    fn starred(&mut self) -> Result<Expr> {
        if self.eat("*") { Ok(Expr::Star(Box::new(self.expression()?))) } else { self.expression() }
    }

    /// `a if c else b`, `lambda x: ..`, or what binds tighter.
    pub fn expression(&mut self) -> Result<Expr> {
        if self.eat_word("lambda") {
            let mut parameters = Vec::new();
            while !self.eat(":") {
                parameters.push(self.name()?);
                self.eat(",");
            }
            return Ok(Expr::Lambda(parameters, Box::new(self.expression()?)));
        }
        let value = self.or()?;
        if !self.eat_word("if") {
            return Ok(value);
        }
        let condition = self.or()?;
        self.expect_word("else")?;
        Ok(Expr::IfElse(Box::new([condition, value, self.expression()?])))
    }

    fn or(&mut self) -> Result<Expr> {
        let mut left = self.and()?;
        while self.eat_word("or") {
            left = Expr::Bin("or".into(), Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr> {
        let mut left = self.not()?;
        while self.eat_word("and") {
            left = Expr::Bin("and".into(), Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr> {
        if self.eat_word("not") { Ok(Expr::Un("not".into(), Box::new(self.not()?))) } else { self.compare() }
    }

    fn compare(&mut self) -> Result<Expr> {
        let left = self.sum()?;
        let op = match self.eat_any(&["==", "!=", "<=", ">=", "<", ">"]) {
            Some(op) => op,
            None if self.eat_word("is") => if self.eat_word("not") { "is not" } else { "is" }.to_string(),
            None => return Ok(left),
        };
        Ok(Expr::Cmp(op, Box::new(left), Box::new(self.sum()?)))
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
                attribute(e, self.name()?)
            } else if self.eat("(") {
                call(e, self.arguments()?)
            } else if self.eat("[") {
                let index = self.index()?;
                Expr::Index(Box::new(e), Box::new(index))
            } else {
                return Ok(e);
            };
        }
    }

    fn atom(&mut self) -> Result<Expr> {
        if self.eat("(") {
            let (mut items, comma) = self.items(")")?;
            return Ok(if items.len() == 1 && !comma { items.remove(0) } else { Expr::Tuple(items) });
        }
        if self.eat("[") {
            let (mut items, comma) = self.items("]")?;
            // A lone comprehension in brackets is the list itself.
            let comprehension = items.len() == 1 && !comma && matches!(items[0], Expr::ListComp { .. });
            return Ok(if comprehension { items.remove(0) } else { Expr::List(items) });
        }
        if self.eat("{") {
            return self.dict();
        }
        let e = match self.peek() {
            Some(Token::Lit(v)) => Expr::Lit(v.clone()),
            Some(Token::Ident(name)) => Expr::Var(name.clone()),
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(e)
    }

    fn dict(&mut self) -> Result<Expr> {
        let mut pairs = Vec::new();
        while !self.eat("}") {
            let key = self.expression()?;
            self.expect(":")?;
            pairs.push((key, self.expression()?));
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Expr::Dict(pairs))
    }

    /// Expressions between commas up to `close`, and whether a comma came last. A comprehension may be one.
    fn items(&mut self, close: &str) -> Result<(Vec<Expr>, bool)> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat(close) {
            if !items.is_empty() && !comma {
                return self.unexpected();
            }
            let item = self.starred()?;
            items.push(self.comprehension(item)?);
            comma = self.eat(",");
        }
        Ok((items, comma))
    }

    /// `item for target in iter`, if that is what follows.
    fn comprehension(&mut self, item: Expr) -> Result<Expr> {
        if !self.eat_word("for") {
            return Ok(item);
        }
        let target = self.target()?;
        self.expect_word("in")?;
        let iter = self.or()?;
        Ok(Expr::ListComp { item: Box::new(item), target: Box::new(target), iter: Box::new(iter) })
    }

    /// The targets of a loop: `i` or `a, b` or `(i,)`, up to the word `in`.
    pub fn target(&mut self) -> Result<Expr> {
        let first = self.postfix()?;
        let mut items = vec![first];
        let mut comma = false;
        while self.eat(",") {
            comma = true;
            if matches!(self.peek(), Some(Token::Ident(w)) if w == "in") {
                break;
            }
            items.push(self.postfix()?);
        }
        Ok(if comma { Expr::Tuple(items) } else { items.remove(0) })
    }

    fn arguments(&mut self) -> Result<CallArgs> {
        let mut call = CallArgs::default();
        while !self.eat(")") {
            let named = matches!(self.tokens.get(self.at + 1), Some(Token::Op("=")));
            match self.peek().cloned() {
                Some(Token::Ident(name)) if named => {
                    self.at += 2;
                    call.kw.push((name, self.expression()?));
                }
                _ => {
                    let item = self.starred()?;
                    call.args.push(self.comprehension(item)?);
                }
            }
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(call)
    }

    /// What stands between the brackets of an index: one part, or several as a tuple.
    fn index(&mut self) -> Result<Expr> {
        let mut parts = vec![self.index_part()?];
        let mut comma = false;
        while self.eat(",") {
            comma = true;
            parts.push(self.index_part()?);
        }
        self.expect("]")?;
        Ok(if comma { Expr::Tuple(parts) } else { parts.remove(0) })
    }

    fn index_part(&mut self) -> Result<Expr> {
        let mut parts = [None, None, None];
        let mut colons = 0;
        loop {
            let stop = matches!(self.peek(), Some(Token::Op(":" | "]" | ",")) | None);
            if !stop {
                parts[colons] = Some(self.expression()?);
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
