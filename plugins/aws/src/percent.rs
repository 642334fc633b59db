//! Percent-encoding undone: in addresses, in forms, and in the keys of S3's records.

/// Text of a form, in which a space is a plus sign, with its encoding undone; what is none stays.
pub(crate) fn form_decoded(text: &str) -> String {
    percent_decoded(&text.replace('+', " "))
}

/// Text with its percent-encoding undone; what is none stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let coded = after.split_first_chunk::<2>().filter(|_| first == b'%');
        let byte = coded
            .and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (byte, coded) {
            (Some(byte), Some((_, after))) => {
                bytes.push(byte);
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::form_decoded;

    #[test]
    fn what_is_encoded_is_decoded_and_what_is_not_stays() {
        for (written, text) in [
            ("Happy+Face%28%29.jpg", "Happy Face().jpg"),
            ("caf%C3%A9/a%2Bb", "café/a+b"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("", ""),
        ] {
            assert_eq!(form_decoded(written), text, "{written}");
        }
    }
}
