//! Checksums of bodies, as S3 knows them
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).

use aws_smithy_types::base64;
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

/// What the names of headers with a checksum begin with.
pub(crate) const HEADER: &str = "x-amz-checksum-";

/// The header that names the way in which the checksum of a request was made.
pub(crate) const NAMED_BY: &str = "x-amz-sdk-checksum-algorithm";

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

/// A way to make a checksum. AWS knows the XXHASH ones too, which are not made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// CRC-32 as in zip: what AWS's own clients take unless they are told otherwise.
    Crc32,
    /// CRC-32 by Castagnoli.
    Crc32c,
    /// CRC-64 of NVMe.
    Crc64Nvme,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Each of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Md5,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
    ];

    /// AWS's name of it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// The one of that name, in any case of letters.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// The header that carries it.
    pub(crate) fn header(self) -> String {
        format!("{HEADER}{}", self.as_str().to_lowercase())
    }

    /// The checksum of a body.
    pub(crate) fn sum(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Crc32 => CRC32.checksum(body).to_be_bytes().into(),
            Self::Crc32c => CRC32C.checksum(body).to_be_bytes().into(),
            Self::Crc64Nvme => CRC64NVME.checksum(body).to_be_bytes().into(),
            Self::Md5 => Md5::digest(body).to_vec(),
            Self::Sha1 => Sha1::digest(body).to_vec(),
            Self::Sha256 => Sha256::digest(body).to_vec(),
            Self::Sha512 => Sha512::digest(body).to_vec(),
        }
    }

    /// The checksum of a body, as headers have it.
    pub(crate) fn text(self, body: &[u8]) -> String {
        base64::encode(self.sum(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the standards: the checksum of the nine digits.
    #[test]
    fn each_is_what_its_standard_says() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let hex: String =
                algorithm.sum(b"123456789").iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{algorithm:?}");
        }
        assert_eq!(Algorithm::Sha512.sum(b"").len(), 64);
    }

    #[test]
    fn names_and_headers_are_awss() {
        assert_eq!(Algorithm::named("crc32c"), Some(Algorithm::Crc32c));
        assert_eq!(Algorithm::named("XXHASH3"), None);
        assert_eq!(Algorithm::Crc64Nvme.header(), "x-amz-checksum-crc64nvme");
        assert_eq!(Algorithm::Crc32.text(b""), "AAAAAA==");
    }
}
