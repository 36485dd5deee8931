-- What somebody asked the API for that takes longer than an answer: its state, while it runs and for some days after.
CREATE TABLE job (
    id       text PRIMARY KEY,
    account  text NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind     text NOT NULL,
    asked_by text NOT NULL,
    reason   text,
    -- What was asked for, what came of it so far, and in the end; as JSON.
    request  text NOT NULL,
    progress text,
    result   text,
    begun_at integer NOT NULL,
    -- A sign of life of the process that does it.
    seen_at  integer NOT NULL,
    ended_at integer
) STRICT;
CREATE INDEX job_account ON job (account, kind, begun_at);
CREATE INDEX job_begun ON job (begun_at);
