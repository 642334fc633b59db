-- What a record of custody says of why and how is beside it, and the record has its hash: a chain can be
-- shown and proved without it. Records of before have it in themselves.
ALTER TABLE custody ADD COLUMN detail TEXT;
