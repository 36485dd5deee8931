-- Files of records that an account's people have asked for. The files themselves are in the setting downloads.store.
CREATE TABLE download (
    id         text COLLATE "C" PRIMARY KEY,
    account    text COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name       text NOT NULL,
    -- Which records, and how they are written; as JSON.
    wish       jsonb NOT NULL,
    asked_by   text NOT NULL,
    state      text NOT NULL,
    -- How often it was begun: what makes it writes only while nobody has begun it again.
    tries      bigint NOT NULL DEFAULT 0,
    -- What had been committed at this bound is in it.
    bound      text,
    records    bigint NOT NULL DEFAULT 0,
    percent    bigint NOT NULL DEFAULT 0,
    made       jsonb,
    problem    text,
    created_at timestamptz NOT NULL,
    begun_at   timestamptz,
    -- A sign of life of the process that makes it.
    seen_at    timestamptz,
    ended_at   timestamptz,
    kept_until timestamptz
);
CREATE INDEX download_account ON download (account, created_at);
CREATE INDEX download_state ON download (state, created_at);

-- Files to be removed, also those of downloads and accounts that are gone.
CREATE TABLE download_file (
    file     text COLLATE "C" PRIMARY KEY,
    -- The download of which it is; without it, the file is to be removed.
    download text COLLATE "C" REFERENCES download (id) ON DELETE SET NULL
);
CREATE INDEX download_file_download ON download_file (download);
