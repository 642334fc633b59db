-- How far each detector's own list of findings was compared with the alerts that came.
CREATE TABLE reconciliations (
    source TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    checked_at BIGINT NOT NULL,
    complete_until BIGINT,
    outcome TEXT NOT NULL CHECK (outcome IN ('waiting', 'complete', 'off', 'denied', 'throttled', 'failed')),
    error TEXT,
    listed BIGINT NOT NULL,
    missed BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (source, account, region)
);
