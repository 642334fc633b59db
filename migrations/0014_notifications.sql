-- How each sending of a page went, by channel.
CREATE TABLE deliveries (
    page_id TEXT NOT NULL,
    turn BIGINT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('sending', 'sent', 'failed')),
    attempts BIGINT NOT NULL,
    error TEXT,
    place TEXT,
    is_followed BIGINT NOT NULL DEFAULT 0,
    told TEXT NOT NULL DEFAULT 'open' CHECK (told IN ('open', 'taken', 'over')),
    at BIGINT NOT NULL,
    PRIMARY KEY (page_id, turn, channel)
);
-- When channels are to be told how a page stands now, and how often that was tried.
ALTER TABLE pages ADD COLUMN follow_at BIGINT;
ALTER TABLE pages ADD COLUMN follow_tries BIGINT NOT NULL DEFAULT 0;
CREATE INDEX pages_to_follow ON pages (follow_at) WHERE follow_at IS NOT NULL;
-- Links that have decided: none does so twice.
CREATE TABLE used_links (
    nonce TEXT PRIMARY KEY,
    approval_id TEXT NOT NULL,
    person TEXT NOT NULL,
    used_at BIGINT NOT NULL
);
