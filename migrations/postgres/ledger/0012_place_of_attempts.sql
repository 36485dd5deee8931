-- Where an attempt was made: a doubt about an object belongs to the bucket that may hold it, and
-- comes back with it when the destination does. Null: made before this column was there.
ALTER TABLE attempt ADD COLUMN destination_version bigint;
