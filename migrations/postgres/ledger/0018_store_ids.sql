-- What the store called the object (ETag or generation) and the request: what its support asks for first.
-- Null: it did not say, or the attempt was made before these columns were there.
ALTER TABLE attempt ADD COLUMN store_version text;
ALTER TABLE attempt ADD COLUMN request_id text;
