-- A person can have several tokens, and they end.
ALTER TABLE tokens ADD COLUMN person TEXT;
ALTER TABLE tokens ADD COLUMN expires_at BIGINT;
UPDATE tokens SET person = name;
-- Who may do nothing any more, whatever tokens they have.
CREATE TABLE disabled_people (
    name TEXT PRIMARY KEY,
    disabled_at BIGINT NOT NULL,
    disabled_by TEXT NOT NULL,
    reason TEXT NOT NULL
);
-- A decision that no longer counts, since its person was disabled.
ALTER TABLE decisions ADD COLUMN revoked_at BIGINT;
CREATE INDEX decisions_by_person ON decisions (person);
