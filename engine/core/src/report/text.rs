//! A document as Markdown and as HTML. Whatever it holds is text: nothing of it becomes markup.

use std::fmt::Write as _;

use super::document::Block;

/// Characters of a cell that stays in one line, and of a word that is not broken: a moment has as many.
const SHORT: usize = 24;

/// How a report looks, on a screen and on paper. Where it is narrow, each row of a table is a card of its
/// own: columns of three letters can't be read.
const STYLE: &str = "
:root { color-scheme: light dark; --text: #1b1f24; --ground: #fff; --head: #f3f5f7; --line: #d0d7de; }
@media screen and (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --ground: #15181c; --head: #22272d; --line: #454c54; } }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 72rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
main { overflow-x: auto; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; border-bottom: 1px solid var(--line); margin-top: 2rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top; overflow-wrap: normal; }
th { background: var(--head); } th[scope=row] { width: 10rem; }
.short { white-space: nowrap; } .long { overflow-wrap: anywhere; min-width: 9rem; }
@media screen and (max-width: 60rem) {
  body { font-size: 1rem; margin: 1rem auto; }
  th[scope=row] { width: 35%; }
  .rows thead { display: none; }
  .rows, .rows tbody, .rows tr, .rows td { display: block; }
  .rows tr { border: 1px solid var(--line); margin: .75rem 0; padding: .25rem 0; }
  .rows td { border: 0; overflow-wrap: anywhere; min-width: 0; }
  .rows .short { display: inline-block; }
  .rows td:not([data-head=''])::before { content: attr(data-head) ': '; font-weight: 600; }
}
@media print {
  @page { size: A4; margin: 18mm 14mm; }
  body { font-size: 9.5pt; max-width: none; margin: 0; padding: 0; }
  thead { display: table-header-group; }
  tr, h1, h2, h3 { break-inside: avoid; } h1, h2, h3 { break-after: avoid; }
  th { background: none; }
}
";

/// The document as HTML, whole, without a script or anything from elsewhere.
pub fn html(title: &str, blocks: &[Block]) -> String {
    let mut out =
        String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
    out.push_str("style-src 'unsafe-inline'\">\n");
    out.push_str(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
    );
    escape_html(&mut out, title);
    let _ = writeln!(out, "</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>");
    for block in blocks {
        html_block(&mut out, block);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn html_block(out: &mut String, block: &Block) {
    match block {
        Block::Heading(level, text) => html_element(out, &format!("h{level}"), text),
        Block::Paragraph(text) => html_element(out, "p", text),
        Block::List(items) => {
            out.push_str("<ul>\n");
            items.iter().for_each(|item| html_element(out, "li", item));
            out.push_str("</ul>\n");
        }
        Block::Table(heads, rows) => html_table(out, heads, rows),
    }
}

/// A table; one without heads is of pairs, each a name and what it is.
fn html_table(out: &mut String, heads: &[&str], rows: &[Vec<String>]) {
    let are_pairs = heads.iter().all(|head| head.is_empty());
    match are_pairs {
        true => out.push_str("<table>\n"),
        false => {
            out.push_str("<table class=\"rows\">\n<thead><tr>");
            heads.iter().for_each(|head| cell(out, "th scope=\"col\"", head));
            out.push_str("</tr></thead>\n");
        }
    }
    out.push_str("<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (at, text) in row.iter().enumerate() {
            match heads.get(at).filter(|_| !are_pairs) {
                Some(head) => {
                    let class = class(text);
                    cell(out, &format!("td class=\"{class}\" data-head=\"{head}\""), text);
                }
                None if at == 0 => cell(out, "th scope=\"row\"", text),
                None => cell(out, "td", text),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

/// How wide a cell must be: as its line, as its words, or as wide as there is room.
fn class(text: &str) -> &'static str {
    let is_long = |text: &str| text.chars().nth(SHORT).is_some();
    match text.split_whitespace().any(is_long) {
        true => "long",
        false if is_long(text) => "words",
        false => "short",
    }
}

/// A cell; what its tag says is ours.
fn cell(out: &mut String, tag: &str, text: &str) {
    let _ = write!(out, "<{tag}>");
    escape_html(out, text);
    let _ = write!(out, "</{}>", tag.split(' ').next().unwrap_or(tag));
}

fn html_element(out: &mut String, name: &str, text: &str) {
    let _ = write!(out, "<{name}>");
    escape_html(out, text);
    let _ = writeln!(out, "</{name}>");
}

fn escape_html(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// What changes how the text around it looks, and is not seen itself: control characters but for the
/// end of a line, and the turns of direction of Unicode.
pub fn is_hidden(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n')
}

/// The document as Markdown, with tables as GitHub has them.
pub fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for (at, block) in blocks.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        match block {
            Block::Heading(level, text) => {
                (0..*level).for_each(|_| out.push('#'));
                let _ = writeln!(out, " {}", escaped(text));
            }
            Block::Paragraph(text) => {
                let _ = writeln!(out, "{}", escaped(text));
            }
            Block::List(items) => {
                for item in items {
                    let _ = writeln!(out, "- {}", escaped(item));
                }
            }
            Block::Table(heads, rows) => {
                markdown_row(&mut out, heads.iter().map(|head| escaped(head)));
                markdown_row(&mut out, heads.iter().map(|_| "---".to_owned()));
                for row in rows {
                    markdown_row(&mut out, row.iter().map(|cell| escaped(cell)));
                }
            }
        }
    }
    out
}

fn markdown_row(out: &mut String, cells: impl Iterator<Item = String>) {
    out.push('|');
    for cell in cells {
        let _ = write!(out, " {cell} |");
    }
    out.push('\n');
}

/// Text in one line of Markdown: no mark of it is one, and no HTML passes through.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    // What looks like an address becomes a link without a mark: it stays text.
    out.replace("://", ":&#47;&#47;").replace("www.", "www&#46;").replace('@', "&#64;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str =
        "<script>alert(1)</script> | [x](javascript:alert) ![i](https://x/y) `a` \u{202e}evil\n# h";

    fn all() -> Vec<Block> {
        vec![
            Block::Heading(1, NASTY.to_owned()),
            Block::Paragraph(NASTY.to_owned()),
            Block::List(vec![NASTY.to_owned()]),
            Block::Table(vec!["a", "b"], vec![vec![NASTY.to_owned(), "x".to_owned()]]),
        ]
    }

    #[test]
    fn nothing_of_a_text_becomes_markup_in_html() {
        let page = html(NASTY, &all());
        assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 5);
        // Tags are ours alone.
        let own = [
            "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "main", "h1", "p", "ul",
            "li", "table", "thead", "tbody", "tr", "th", "td",
        ];
        for tag in page.split('<').skip(1) {
            let name: String =
                tag.trim_start_matches('/').chars().take_while(|c| !" >".contains(*c)).collect();
            assert!(own.contains(&name.as_str()), "<{name}");
        }
    }

    #[test]
    fn nothing_of_a_text_becomes_markup_in_markdown() {
        let page = markdown(&all());
        assert!(!page.contains('<') && !page.contains("](") && !page.contains("://"), "{page}");
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
        for row in rows {
            let bare = row.replace("\\|", "").matches('|').count();
            assert_eq!(bare, 3, "{row}");
        }
        assert_eq!(page.lines().filter(|line| line.starts_with('#')).count(), 1);
    }
}
