-- Mails that tell people that their downloads are there.
-- To whom, and in which language; as JSON. Without it, to nobody.
ALTER TABLE download ADD COLUMN mail TEXT;
-- `wanted` until it was sent or given up.
ALTER TABLE download ADD COLUMN mail_state TEXT;
ALTER TABLE download ADD COLUMN mail_tries INTEGER NOT NULL DEFAULT 0;
-- Not before; whoever sends it now sets it ahead.
ALTER TABLE download ADD COLUMN mail_after INTEGER;
CREATE INDEX download_mail ON download (mail_after) WHERE mail_state = 'wanted';
