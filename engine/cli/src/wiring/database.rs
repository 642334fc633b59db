//! Passwords for a database of RDS, by IAM.

use std::sync::Arc;

use stanch_engine_core::time::Clock;
use stanch_engine_store::{BoxFuture, Passwords, Place};
use stanch_plugins_aws::{Aws, DATABASE_TOKEN_LASTS};

/// Tokens that IAM vouches for.
pub(super) struct IamTokens {
    pub(super) aws: Aws,
    pub(super) clock: Arc<dyn Clock>,
}

impl Passwords for IamTokens {
    fn lasts_ms(&self) -> u64 {
        u64::try_from(DATABASE_TOKEN_LASTS.as_millis()).unwrap_or(u64::MAX)
    }

    fn password<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<String, String>> {
        let at = (place.host, place.port, place.user);
        Box::pin(async move { self.aws.database_token(at, self.clock.now()).await })
    }
}
