//! What the checks know of a Rust file: its words, its functions, and which lines are tests.
//!
//! It reads tokens, not syntax: comments and strings are no words, and what stands inside a macro
//! counts as well.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Group, LexError, TokenStream, TokenTree};

/// A Rust file.
#[derive(Debug, Default)]
pub struct Rust {
    /// Its words and punctuation marks in order, without comments and literals.
    pub tokens: Vec<Token>,
    /// Its functions.
    pub functions: Vec<Function>,
    /// Lines of items under `#[cfg(test)]`.
    pub tests: Vec<RangeInclusive<usize>>,
}

/// A word or a punctuation mark.
#[derive(Debug)]
pub struct Token {
    /// What it says.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its lines, from `fn` to the closing brace.
    pub lines: RangeInclusive<usize>,
}

impl Function {
    /// How many lines it has.
    pub fn length(&self) -> usize {
        self.lines.end() + 1 - self.lines.start()
    }
}

/// A text that is not made of Rust's tokens.
#[derive(Debug)]
pub struct NotRust {
    /// The line, from 1, at which that shows.
    pub line: usize,
}

impl Rust {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, NotRust> {
        let stream: TokenStream =
            text.parse().map_err(|e: LexError| NotRust { line: e.span().start().line })?;
        let mut rust = Self::default();
        rust.read(stream);
        Ok(rust)
    }

    /// Whether a line belongs to an item under `#[cfg(test)]`.
    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// The lines at which these tokens follow one another.
    pub fn find<'a>(&'a self, words: &'a [&'a str]) -> impl Iterator<Item = usize> + 'a {
        let here =
            move |window: &&[Token]| window.iter().zip(words).all(|(t, word)| t.text == *word);
        let windows = self.tokens.windows(words.len()).filter(here);
        windows.filter_map(|window| window.first().map(|token| token.line))
    }

    fn read(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        for (index, tree) in trees.iter().enumerate() {
            let rest = trees.get(index + 1..).unwrap_or_default();
            self.notice(tree, rest);
            match tree {
                TokenTree::Group(group) => self.enter(group),
                TokenTree::Ident(ident) => self.push(ident.to_string(), tree),
                TokenTree::Punct(punct) => self.push(punct.to_string(), tree),
                TokenTree::Literal(_) => {}
            }
        }
    }

    fn enter(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        let line = group.span_open().start().line;
        self.tokens.push(Token { text: open.to_owned(), line });
        self.read(group.stream());
        let line = group.span_close().start().line;
        self.tokens.push(Token { text: close.to_owned(), line });
    }

    fn push(&mut self, text: String, tree: &TokenTree) {
        self.tokens.push(Token { text, line: tree.span().start().line });
    }

    /// Notes a function or a test item that begins here.
    fn notice(&mut self, tree: &TokenTree, rest: &[TokenTree]) {
        let start = tree.span().start().line;
        match (tree, rest) {
            (TokenTree::Ident(word), [TokenTree::Ident(name), after @ ..]) if word == "fn" => {
                if let Some(End::Body(end)) = end(after) {
                    self.functions.push(Function { name: name.to_string(), lines: start..=end });
                }
            }
            (TokenTree::Punct(mark), [TokenTree::Group(attribute), after @ ..])
                if mark.as_char() == '#' && is_cfg_test(attribute) =>
            {
                if let Some(End::Body(end) | End::Semicolon(end)) = end(after) {
                    self.tests.push(start..=end);
                }
            }
            _ => {}
        }
    }
}

enum End {
    Body(usize),
    Semicolon(usize),
}

/// Where the item that begins here ends.
fn end(trees: &[TokenTree]) -> Option<End> {
    trees.iter().find_map(|tree| match tree {
        TokenTree::Group(g) if g.delimiter() == Delimiter::Brace => {
            Some(End::Body(g.span_close().end().line))
        }
        TokenTree::Punct(p) if p.as_char() == ';' => Some(End::Semicolon(p.span().end().line)),
        _ => None,
    })
}

fn is_cfg_test(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//! A comment that says unsafe.
fn long(
    a: fn(u8) -> [u8; 2],
) {
    \"unsafe\";
}
trait T { fn none(&self); }
#[cfg(test)]
mod tests {
    fn inner() {}
}
";

    #[test]
    fn functions_have_their_lines() {
        let rust = Rust::parse(TEXT).unwrap();
        let names: Vec<&str> = rust.functions.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["long", "inner"]);
        assert_eq!(rust.functions[0].lines, 2..=6);
        assert_eq!(rust.functions[0].length(), 5);
    }

    #[test]
    fn comments_and_strings_are_no_words() {
        let rust = Rust::parse(TEXT).unwrap();
        assert_eq!(rust.find(&["unsafe"]).count(), 0);
        assert_eq!(rust.find(&["mod", "tests"]).collect::<Vec<_>>(), [9]);
    }

    #[test]
    fn items_under_cfg_test_are_tests() {
        let rust = Rust::parse(TEXT).unwrap();
        assert_eq!(rust.tests, [8..=11]);
        assert!(rust.is_test(10) && !rust.is_test(7));
    }
}
