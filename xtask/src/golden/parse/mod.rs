//! A reader for the part of Python that golden files carry as text: the training programs of trajectories, the
//! cases that have no `ast`, `keep_expr`, and the table of output expressions. It yields the same tree as the
//! `ast` of a case.
//!
//! ```text
//! program  := statement*
//! statement:= simple (";" simple)* NEWLINE | ("for" .. | "if" .. | "with" ..) ":" block
//! block    := simple (";" simple)* NEWLINE | NEWLINE INDENT statement* DEDENT
//! simple   := targets "=" .. "=" tuple | target "+=" expression | "break" | import | tuple
//! ```

mod expr;
mod tokens;

use super::ast::{Expr, Stmt};
use super::fault::{Fault, Result, failed};
use expr::Parser;
use tokens::Token;

/// Parses one expression.
pub fn expression(text: &str) -> Result<Expr> {
    let mut p = Parser::new(tokens::tokens(text)?);
    let parsed = p.tuple().and_then(|e| {
        p.eat_token(&Token::Newline);
        if p.at_end() { Ok(e) } else { p.unexpected() }
    });
    parsed.map_err(|fault| Fault::Failed(format!("`{text}`: {fault}")))
}

/// Parses a program.
pub fn program(text: &str) -> Result<Vec<Stmt>> {
    let mut p = Parser::new(tokens::tokens(text)?);
    let mut body = Vec::new();
    while !p.at_end() {
        statement(&mut p, &mut body)?;
    }
    Ok(body)
}

fn statement(p: &mut Parser, body: &mut Vec<Stmt>) -> Result<()> {
    if p.eat_word("for") {
        let target = p.target()?;
        if !p.eat_word("in") {
            return p.unexpected();
        }
        let iter = p.tuple()?;
        body.push(Stmt::For { target, iter, body: block(p)? });
    } else if p.eat_word("if") {
        let condition = p.expression()?;
        let then = block(p)?;
        let otherwise = if p.eat_word("else") { block(p)? } else { Vec::new() };
        body.push(Stmt::If { condition, then, otherwise });
    } else if p.eat_word("with") {
        let contexts = match p.tuple()? {
            Expr::Tuple(items) => items,
            one => vec![one],
        };
        body.push(Stmt::With { contexts, body: block(p)? });
    } else {
        return line(p, body);
    }
    Ok(())
}

/// The body of a compound statement: the rest of its line, or the indented lines below.
fn block(p: &mut Parser) -> Result<Vec<Stmt>> {
    p.expect(":")?;
    let mut body = Vec::new();
    if !p.eat_token(&Token::Newline) {
        line(p, &mut body)?;
        return Ok(body);
    }
    if !p.eat_token(&Token::Indent) {
        return p.unexpected();
    }
    while !p.eat_token(&Token::Dedent) {
        statement(p, &mut body)?;
    }
    Ok(body)
}

/// Simple statements up to the end of the line.
fn line(p: &mut Parser, body: &mut Vec<Stmt>) -> Result<()> {
    loop {
        body.push(simple(p)?);
        let more = p.eat(";");
        if p.eat_token(&Token::Newline) || (p.at_end() && !more) {
            return Ok(());
        }
        if !more {
            return p.unexpected();
        }
    }
}

fn simple(p: &mut Parser) -> Result<Stmt> {
    if p.eat_word("break") {
        return Ok(Stmt::Break);
    }
    if matches!(p.peek(), Some(Token::Ident(w)) if w == "import" || w == "from") {
        let mut text = String::new();
        while !matches!(p.peek(), None | Some(Token::Newline | Token::Op(";"))) {
            text += &if let Ok(name) = p.name() { format!("{name} ") } else { punctuation(p)? };
        }
        return Ok(Stmt::Import(text.trim().into()));
    }
    let first = p.tuple()?;
    if let Some(op) = p.eat_any(&["+=", "-=", "*=", "/=", "//=", "%=", "@=", "**="]) {
        let op = op.trim_end_matches('=').to_string();
        let to = Expr::Bin(op, Box::new(first.clone()), Box::new(p.tuple()?));
        return Ok(Stmt::Set { targets: vec![first], to });
    }
    let mut chain = vec![first];
    while p.eat("=") {
        chain.push(p.tuple()?);
    }
    match (chain.pop(), chain) {
        (Some(value), targets) if targets.is_empty() => Ok(Stmt::Do(value)),
        (Some(to), targets) => Ok(Stmt::Set { targets, to }),
        _ => failed("an empty statement"),
    }
}

fn punctuation(p: &mut Parser) -> Result<String> {
    match p.eat_any(&[".", ",", "*", "(", ")"]) {
        Some(op) => Ok(op),
        None => p.unexpected(),
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
            r#"{"method":"reshape","of":{"method":"max","of":{"var":"y"},"args":[],"kw":{}},
                "args":[{"lit":1}],"kw":{}}"#,
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
        same(
            "[t[0] for t in dl]",
            r#"{"listcomp":{"index":{"lit":0},"of":{"var":"t"}},"var":{"var":"t"},"in":{"var":"dl"}}"#,
        );
    }

    #[test]
    fn bad_text_is_an_error() {
        for text in ["", "1 +", "f(1", "a b", "x[", "'open", "a ? b"] {
            assert!(expression(text).is_err(), "{text}");
        }
        for text in ["for x y: z", "if a\n  b", "x = = 1", "a\n  b"] {
            assert!(program(text).is_err(), "{text}");
        }
    }

    #[test]
    fn blocks_follow_indentation() {
        let text =
            "a=b=1; c,d=2,3\nfor i,(t,) in x:\n    s+=i\n    if s==2: break\nfor j in x: f(j); g(*j)\ny\n";
        let kinds: Vec<String> =
            program(text).unwrap().iter().map(|s| format!("{s:?}").chars().take(3).collect()).collect();
        assert_eq!(kinds, ["Set", "Set", "For", "For", "Do("]);
        let body = |s: &Stmt| if let Stmt::For { body, .. } = s { body.len() } else { 0 };
        assert_eq!(program(text).unwrap().iter().map(body).collect::<Vec<_>>(), [0, 0, 2, 2, 0]);
    }
}
