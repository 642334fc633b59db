-- Whom is told how an incident stands, by which template, and when next.
CREATE TABLE updates (
    incident_id TEXT NOT NULL,
    template TEXT NOT NULL,
    recipients TEXT NOT NULL,
    every_ms BIGINT NOT NULL,
    said TEXT NOT NULL,
    sent BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    last_error TEXT,
    last_at BIGINT,
    -- Nothing when no more are sent.
    next_at BIGINT,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (incident_id, template)
);
CREATE INDEX updates_due ON updates (next_at) WHERE next_at IS NOT NULL;
