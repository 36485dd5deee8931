-- Accounts: what was configured, how far the export is, and who works on it now.
CREATE TABLE account (
    -- Bytes, as the ids compare in the program: in pages, no id may be passed over.
    id                   text COLLATE "C" PRIMARY KEY,
    zone                 text NOT NULL,
    schedule             text NOT NULL,
    format               jsonb NOT NULL,
    created_at           timestamptz NOT NULL,
    addon_enabled        boolean NOT NULL DEFAULT false,
    addon_until          timestamptz,
    addon_reason         text,
    destination_version  bigint,
    watermark            text NOT NULL,
    watermark_at         timestamptz NOT NULL,
    watermark_ahead      jsonb,
    watermark_since      timestamptz,
    windows              bigint NOT NULL DEFAULT 0,
    -- Goes up when the source or the ledger went back; later objects have other names.
    generation           bigint NOT NULL DEFAULT 1,
    last_slot            timestamptz NOT NULL,
    next_slot            timestamptz,
    open_window          bigint,
    failures             bigint NOT NULL DEFAULT 0,
    retry_at             timestamptz,
    trouble_kind         text,
    trouble_message      text,
    trouble_at           timestamptz,
    held                 text,
    -- When a worker must look at it next; null while nothing may start.
    due_at               timestamptz,
    -- Counts the changes that people make, so that a worker does not plan on an old view.
    revision             bigint NOT NULL DEFAULT 0,
    lease_owner          text,
    lease_epoch          bigint NOT NULL DEFAULT 0,
    lease_until          timestamptz
);
CREATE INDEX account_due ON account (due_at) WHERE due_at IS NOT NULL;

-- Who this ledger is, and the number of the newest mark that it gave to a source.
CREATE TABLE ledger_identity (
    id    text PRIMARY KEY,
    mark  bigint NOT NULL
);
INSERT INTO ledger_identity (id, mark) VALUES (replace(gen_random_uuid()::text, '-', ''), 0);

-- Every destination that an account ever had; the newest version is the current one.
CREATE TABLE destination (
    account    text NOT NULL REFERENCES account ON DELETE CASCADE,
    version    bigint NOT NULL,
    spec       jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, version)
);

-- Windows, stored before anything of them is read.
CREATE TABLE export_window (
    account              text NOT NULL REFERENCES account ON DELETE CASCADE,
    number               bigint NOT NULL,
    slot                 timestamptz NOT NULL,
    state                text NOT NULL CHECK (state IN ('open', 'delivered', 'skipped', 'abandoned')),
    record_set           jsonb NOT NULL,
    from_at              timestamptz NOT NULL,
    to_at                timestamptz NOT NULL,
    zone                 text NOT NULL,
    format               jsonb NOT NULL,
    prefix               text NOT NULL,
    destination_version  bigint NOT NULL,
    content_version      bigint NOT NULL,
    generation           bigint NOT NULL,
    objects              bigint NOT NULL DEFAULT 0,
    records              bigint NOT NULL DEFAULT 0,
    planned_at           timestamptz NOT NULL DEFAULT now(),
    closed_at            timestamptz,
    PRIMARY KEY (account, number),
    UNIQUE (account, slot)
);
CREATE UNIQUE INDEX export_window_one_open ON export_window (account) WHERE state = 'open';

-- Objects, stored before they are put.
CREATE TABLE delivery (
    account         text NOT NULL,
    number          bigint NOT NULL,
    ordinal         bigint NOT NULL,
    key             text NOT NULL,
    state           text NOT NULL CHECK (state IN ('sealed', 'delivered')),
    records         bigint NOT NULL,
    content_sha256  text NOT NULL,
    content_bytes   bigint NOT NULL,
    object_sha256   text NOT NULL,
    object_bytes    bigint NOT NULL,
    cursor          text,
    ends_window     boolean NOT NULL,
    attempts        bigint NOT NULL DEFAULT 0,
    -- Whether an attempt may have created the object without our knowing.
    doubtful        boolean NOT NULL DEFAULT false,
    error_kind      text,
    error           text,
    sealed_at       timestamptz NOT NULL,
    delivered_at    timestamptz,
    PRIMARY KEY (account, number, ordinal),
    FOREIGN KEY (account, number) REFERENCES export_window ON DELETE CASCADE
);
CREATE INDEX delivery_newest ON delivery (sealed_at);

-- Attempts, stored before they are made.
CREATE TABLE attempt (
    account        text NOT NULL,
    number         bigint NOT NULL,
    ordinal        bigint NOT NULL,
    attempt        bigint NOT NULL,
    key            text NOT NULL,
    worker         text NOT NULL,
    object_sha256  text NOT NULL,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    outcome        text,
    message        text,
    PRIMARY KEY (account, number, ordinal, attempt),
    FOREIGN KEY (account, number) REFERENCES export_window ON DELETE CASCADE
);
