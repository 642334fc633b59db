//! Payloads that come packed with gzip.

use std::io::Read as _;

use flate2::bufread::MultiGzDecoder;

/// What gzip begins with (<https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1>).
const MAGIC: &[u8] = &[0x1f, 0x8b];

/// Why a payload was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Packed {
    /// It would be too much.
    #[error("the body is larger than {0} bytes when it is unpacked")]
    TooLarge(usize),
    /// It is no gzip, or not whole.
    #[error("the body can't be unpacked with gzip: {0}")]
    Broken(std::io::Error),
}

/// Whether a payload looks as if it were packed.
pub(super) fn is_packed(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// Unpacks a payload into at most `most` bytes. No more than these are ever held.
///
/// # Errors
/// [`Packed`] says why not.
pub fn unpack(body: &[u8], most: usize) -> Result<Vec<u8>, Packed> {
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut unpacked = Vec::new();
    let mut from = MultiGzDecoder::new(body).take(bound);
    from.read_to_end(&mut unpacked).map_err(Packed::Broken)?;
    if unpacked.len() > most { Err(Packed::TooLarge(most)) } else { Ok(unpacked) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn packed(body: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(body).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn it_is_unpacked_up_to_a_bound() {
        let body = vec![b' '; 1_000];
        let small = packed(&body);
        assert!(small.len() < 100 && is_packed(&small) && !is_packed(b"{}"));
        assert_eq!(unpack(&small, 1_000).unwrap(), body);
        assert!(matches!(unpack(&small, 999), Err(Packed::TooLarge(999))));
        let two = [packed(b"{\"a\":"), packed(b"1}")].concat();
        assert_eq!(unpack(&two, 100).unwrap(), b"{\"a\":1}", "one after the other");
    }

    #[test]
    fn what_is_broken_is_no_payload() {
        let whole = packed(b"a finding");
        for broken in [&whole[..whole.len() - 4], b"{}"] {
            assert!(matches!(unpack(broken, 100), Err(Packed::Broken(_))), "{broken:?}");
        }
    }
}
