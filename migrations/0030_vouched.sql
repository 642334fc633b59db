-- People whom the identity provider vouched for: what it said of them last.
CREATE TABLE vouched_people (
    name TEXT PRIMARY KEY,
    roles TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);
