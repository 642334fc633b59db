-- Whom events are told in OCSF: which node does it, and how far in the chain of each incident.
CREATE TABLE ocsf_sinks (
    name TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    until_at BIGINT NOT NULL
);
CREATE TABLE ocsf_cursors (
    sink TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (sink, incident_id)
);
