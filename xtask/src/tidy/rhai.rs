//! What the checks know of a playbook: its functions.

use super::rust::Function;

/// The functions of a playbook.
pub fn functions(text: &str) -> Vec<Function> {
    let code = code(text);
    let mut functions = Vec::new();
    let mut open: Option<(Function, i32)> = None;
    for (index, line) in code.lines().enumerate() {
        let number = index + 1;
        if open.is_none() {
            open = name(line).map(|name| (Function { name, lines: number..=number }, 0));
        }
        let Some((mut function, mut depth)) = open.take() else { continue };
        depth += count(line, '{') - count(line, '}');
        let ended = depth <= 0 && line.contains('}');
        function.lines = *function.lines.start()..=number;
        if ended {
            functions.push(function);
        } else {
            open = Some((function, depth));
        }
    }
    functions
}

fn name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let rest = line.strip_prefix("private ").unwrap_or(line).strip_prefix("fn ")?;
    Some(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
}

fn count(line: &str, wanted: char) -> i32 {
    line.chars().filter(|c| *c == wanted).fold(0, |sum, _| sum + 1)
}

/// The text with strings and comments blanked out, line for line.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let until: &[char] = match (c, chars.peek()) {
            ('"' | '`' | '\'', _) => &[c],
            ('/', Some('/')) => &['\n'],
            ('/', Some('*')) => &['*', '/'],
            _ => {
                code.push(c);
                continue;
            }
        };
        blank(&mut chars, until, &mut code);
    }
    code
}

/// Skips to the end of a string or a comment and keeps its line breaks.
fn blank(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, until: &[char], code: &mut String) {
    let mut tail: Vec<char> = Vec::new();
    while let Some(c) = chars.next() {
        if c == '\n' {
            code.push(c);
        }
        if c == '\\' && until != ['\n'] {
            code.extend(chars.next().filter(|c| *c == '\n'));
            continue;
        }
        tail.push(c);
        if tail.ends_with(until) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_their_lines_and_strings_do_not_count() {
        let text = "\
/* fn no() { */
fn a(x) {
    // }
    let text = \"}\";
    if x { `}${x}` }
}
private fn b() { 1 }
let x = #{ fn_: 1 };
";
        let found = functions(text);
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.lines.clone())).collect();
        assert_eq!(found, [("a", 2..=6), ("b", 7..=7)]);
    }
}
