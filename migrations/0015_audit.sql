-- Who did what: one chain over the installation. `body` is what its `hash` is of.
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT,
    verb TEXT NOT NULL,
    object TEXT,
    hash TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_object ON audit (object, seq);
-- The end of the chain. Its row is also what two nodes that append at once wait for.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    count BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (id, count, hash)
    VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
-- What was begun and is not in the chain yet: all that is left when a node dies over it.
CREATE TABLE audit_open (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    body TEXT NOT NULL
);
