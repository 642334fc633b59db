-- What an authority for time-stamps (RFC 3161) has signed of entries of the ledger.
CREATE TABLE ledger_stamps (
    seq BIGINT PRIMARY KEY,
    stamped_at BIGINT NOT NULL,
    nonce TEXT NOT NULL,
    token TEXT NOT NULL
);
