-- Times are microseconds since 1970.

-- Accounts: what was configured, how far the export is, and who works on it now.
CREATE TABLE account (
    id                   text PRIMARY KEY,
    zone                 text NOT NULL,
    schedule             text NOT NULL,
    format               text NOT NULL,
    created_at           integer NOT NULL,
    addon_enabled        integer NOT NULL DEFAULT 0,
    addon_until          integer,
    addon_reason         text,
    destination_version  integer,
    watermark            text NOT NULL,
    watermark_at         integer NOT NULL,
    watermark_ahead      text,
    watermark_since      integer,
    windows              integer NOT NULL DEFAULT 0,
    -- Goes up when the source or the ledger went back; later objects have other names.
    generation           integer NOT NULL DEFAULT 1,
    last_slot            integer NOT NULL,
    next_slot            integer,
    open_window          integer,
    failures             integer NOT NULL DEFAULT 0,
    retry_at             integer,
    trouble_kind         text,
    trouble_message      text,
    trouble_at           integer,
    held                 text,
    -- When a worker must look at it next; null while nothing may start.
    due_at               integer,
    -- Counts the changes that people make, so that a worker does not plan on an old view.
    revision             integer NOT NULL DEFAULT 0,
    lease_owner          text,
    lease_epoch          integer NOT NULL DEFAULT 0,
    lease_until          integer
) STRICT;
CREATE INDEX account_due ON account (due_at) WHERE due_at IS NOT NULL;

-- Who this ledger is, and the number of the newest mark that it gave to a source.
CREATE TABLE ledger_identity (
    id    text PRIMARY KEY,
    mark  integer NOT NULL
) STRICT;
INSERT INTO ledger_identity (id, mark) VALUES (lower(hex(randomblob(16))), 0);

-- Every destination that an account ever had; the newest version is the current one.
CREATE TABLE destination (
    account    text NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    version    integer NOT NULL,
    spec       text NOT NULL,
    created_at integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (account, version)
) STRICT;

-- Windows, stored before anything of them is read.
CREATE TABLE export_window (
    account              text NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    number               integer NOT NULL,
    slot                 integer NOT NULL,
    state                text NOT NULL CHECK (state IN ('open', 'delivered', 'skipped', 'abandoned')),
    record_set           text NOT NULL,
    from_at              integer NOT NULL,
    to_at                integer NOT NULL,
    zone                 text NOT NULL,
    format               text NOT NULL,
    prefix               text NOT NULL,
    destination_version  integer NOT NULL,
    content_version      integer NOT NULL,
    generation           integer NOT NULL,
    objects              integer NOT NULL DEFAULT 0,
    records              integer NOT NULL DEFAULT 0,
    planned_at           integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    closed_at            integer,
    PRIMARY KEY (account, number),
    UNIQUE (account, slot)
) STRICT;
CREATE UNIQUE INDEX export_window_one_open ON export_window (account) WHERE state = 'open';

-- Objects, stored before they are put.
CREATE TABLE delivery (
    account         text NOT NULL,
    number          integer NOT NULL,
    ordinal         integer NOT NULL,
    key             text NOT NULL,
    state           text NOT NULL CHECK (state IN ('sealed', 'delivered')),
    records         integer NOT NULL,
    content_sha256  text NOT NULL,
    content_bytes   integer NOT NULL,
    object_sha256   text NOT NULL,
    object_bytes    integer NOT NULL,
    cursor          text,
    ends_window     integer NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    -- Whether an attempt may have created the object without our knowing.
    doubtful        integer NOT NULL DEFAULT 0,
    error_kind      text,
    error           text,
    sealed_at       integer NOT NULL,
    delivered_at    integer,
    PRIMARY KEY (account, number, ordinal),
    FOREIGN KEY (account, number) REFERENCES export_window (account, number) ON DELETE CASCADE
) STRICT;
CREATE INDEX delivery_newest ON delivery (sealed_at);

-- Attempts, stored before they are made.
CREATE TABLE attempt (
    account        text NOT NULL,
    number         integer NOT NULL,
    ordinal        integer NOT NULL,
    attempt        integer NOT NULL,
    key            text NOT NULL,
    worker         text NOT NULL,
    object_sha256  text NOT NULL,
    started_at     integer NOT NULL,
    finished_at    integer,
    outcome        text,
    message        text,
    PRIMARY KEY (account, number, ordinal, attempt),
    FOREIGN KEY (account, number) REFERENCES export_window (account, number) ON DELETE CASCADE
) STRICT;
