-- Files of records that an account's people have asked for. The files themselves are in the setting downloads.store.
CREATE TABLE download (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    -- Which records, and how they are written; as JSON.
    wish       TEXT NOT NULL,
    asked_by   TEXT NOT NULL,
    state      TEXT NOT NULL,
    -- How often it was begun: what makes it writes only while nobody has begun it again.
    tries      INTEGER NOT NULL DEFAULT 0,
    -- What had been committed at this bound is in it.
    bound      TEXT,
    records    INTEGER NOT NULL DEFAULT 0,
    percent    INTEGER NOT NULL DEFAULT 0,
    made       TEXT,
    problem    TEXT,
    created_at INTEGER NOT NULL,
    begun_at   INTEGER,
    -- A sign of life of the process that makes it.
    seen_at    INTEGER,
    ended_at   INTEGER,
    kept_until INTEGER
) STRICT;
CREATE INDEX download_account ON download (account, created_at);
CREATE INDEX download_state ON download (state, created_at);

-- Files to be removed, also those of downloads and accounts that are gone.
CREATE TABLE download_file (
    file     TEXT PRIMARY KEY,
    -- The download of which it is; without it, the file is to be removed.
    download TEXT REFERENCES download (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX download_file_download ON download_file (download);
