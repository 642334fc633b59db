//! Pages for browsers. Markup is what stands in this program's text; whatever else is put into a page is
//! text, in which nothing means anything to a browser.

use std::fmt::Display;

use stanch_engine_core::report::text::is_hidden;

/// A piece of a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Puts markup in, which is of this program.
    pub(crate) fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Puts a text in that people read.
    pub(crate) fn text(&mut self, text: &impl Display) {
        self.0.push_str(&shown(&text.to_string()));
    }

    /// Puts a text in that a form sends back as it is.
    pub(crate) fn as_it_is(&mut self, text: &impl Display) {
        self.0.push_str(&escaped(&text.to_string()));
    }

    /// Puts another piece in.
    pub(crate) fn put(&mut self, piece: impl Into<Self>) {
        let Self(piece) = piece.into();
        self.0.push_str(&piece);
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl From<Option<Html>> for Html {
    fn from(piece: Option<Html>) -> Self {
        piece.unwrap_or_default()
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Self>>(pieces: I) -> Self {
        Self(pieces.into_iter().map(Self::into_string).collect())
    }
}

/// A text in which nothing means anything to a browser, as it is.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A text that people read: what would turn it around, or is not seen, is shown.
pub(crate) fn shown(text: &str) -> String {
    escaped(text).replace('\t', " ").replace(is_hidden, "\u{fffd}")
}

/// A piece of a page: literals are markup, `{it}` is text, `[it]` is text that is sent back as it is, `(it)`
/// another piece.
macro_rules! html {
    ($($part:tt)*) => {{
        let mut piece = $crate::html::Html::default();
        $crate::html::html_into!(piece; $($part)*);
        piece
    }};
}

macro_rules! html_into {
    ($piece:ident;) => {};
    ($piece:ident; $markup:literal $($rest:tt)*) => {
        $piece.markup($markup);
        $crate::html::html_into!($piece; $($rest)*);
    };
    ($piece:ident; {$text:expr} $($rest:tt)*) => {
        $piece.text(&$text);
        $crate::html::html_into!($piece; $($rest)*);
    };
    ($piece:ident; [$text:expr] $($rest:tt)*) => {
        $piece.as_it_is(&$text);
        $crate::html::html_into!($piece; $($rest)*);
    };
    ($piece:ident; ($other:expr) $($rest:tt)*) => {
        $piece.put($other);
        $crate::html::html_into!($piece; $($rest)*);
    };
}

pub(crate) use {html, html_into};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_markup_of_ours_is_text() {
        let hostile = "<script>'\"&\u{1b}[2J\u{202e}\r";
        let inner = html!("<b>" {hostile} "</b>");
        let page = html!("<a title=\"" {hostile} "\">" (inner) (None::<Html>) "</a>").into_string();
        let text = "&lt;script&gt;&#39;&quot;&amp;\u{fffd}[2J\u{fffd}\u{fffd}";
        assert_eq!(page, format!("<a title=\"{text}\"><b>{text}</b></a>"));
    }

    #[test]
    fn what_is_read_is_seen_and_what_is_sent_is_as_it_was() {
        let hostile = "<script>'\"&\u{202e}";
        assert_eq!(escaped(hostile), "&lt;script&gt;&#39;&quot;&amp;\u{202e}");
        assert_eq!(shown(hostile), "&lt;script&gt;&#39;&quot;&amp;\u{fffd}");
        assert_eq!(shown("a\n\tb"), "a\n b");
        assert_eq!(
            html!("<i>" [hostile] "</i>").into_string(),
            format!("<i>{}</i>", escaped(hostile))
        );
    }
}
