//! Botocore's own tests: AWS's cases for its protocols and endpoints.

use std::path::PathBuf;

use crate::environment::variable;

/// The folder of the tests of the botocore that the models were packed from.
pub fn tests() -> PathBuf {
    PathBuf::from(variable("STANCH_TEST_BOTOCORE"))
}
