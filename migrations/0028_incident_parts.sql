-- The incident that one is a part of, because a person said so. Each goes on by itself.
ALTER TABLE incidents ADD COLUMN part_of TEXT;
CREATE INDEX incidents_parts ON incidents (part_of, id) WHERE part_of IS NOT NULL;
