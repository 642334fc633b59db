//! How much memory the tree of a JSON text takes, from the text alone.
//!
//! A tree weighs more than its text: an object of one member takes some 640 bytes however short it
//! is. What detectors send weighs four to ten times its text; a text that is nothing but brackets,
//! two hundred times. Such a text is refused before anything is made of it.

use crate::limits;

/// What an object takes at least: a node of a B-tree with room for eleven members, in bytes.
const OBJECT: usize = 640;

/// What a list takes at least: room for four values.
const LIST: usize = 128;

/// What an item takes: of a member, its share of a node that is half full; of a list, twice its value,
/// since there is room for as many more.
const ITEM: usize = 112;

/// What a text takes at least.
const TEXT: usize = 16;

/// What the tree of a text takes at most, in bytes. It looks at brackets, commas and quotes; whether
/// the text is JSON is for the parser to say.
pub fn weight(text: &[u8]) -> usize {
    let (mut weight, mut is_text, mut is_escaped) = (ITEM, false, false);
    for byte in text {
        if is_text {
            weight += 1;
            is_text = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'{' => weight += OBJECT,
            b'[' => weight += LIST,
            b',' => weight += ITEM,
            b'"' => {
                weight += TEXT;
                is_text = true;
            }
            _ => {}
        }
    }
    weight
}

/// Why no tree is made of a text, where none is.
pub fn refusal(text: &[u8]) -> Option<String> {
    let most = limits::TREE_FREE_BYTES + limits::TREE_TIMES_TEXT * text.len();
    let weight = weight(text);
    (weight > most).then(|| {
        format!(
            "it is too dense: {} bytes that would take {weight} in memory, and {most} are the most",
            text.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_weigh_more_than_words() {
        let words = format!(r#"{{"title": "{}"}}"#, "x".repeat(1_000));
        assert!((1_600..2_000).contains(&weight(words.as_bytes())), "{}", weight(words.as_bytes()));
        let brackets = format!("[{}{{}}]", "{},".repeat(333));
        assert!(weight(brackets.as_bytes()) > 200_000);
        assert_eq!(weight(br#""{[,""#), ITEM + TEXT + 5 - 1, "what stands in a text is no bracket");
        assert_eq!(weight(br#""\"{""#), ITEM + TEXT + 5 - 1, "nor behind a quote that is escaped");
    }

    #[test]
    fn what_is_short_is_read_and_what_is_nothing_but_brackets_is_not() {
        assert_eq!(refusal("{}".repeat(90).as_bytes()), None);
        let long = format!("[{}0]", "{},".repeat(100_000));
        assert!(refusal(long.as_bytes()).unwrap().contains("too dense"));
        let zeros = format!("[{}0]", "0,".repeat(100_000));
        assert!(refusal(zeros.as_bytes()).is_some());
    }
}
