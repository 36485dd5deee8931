-- Where notices go.
CREATE TABLE notification_channel (
    id              text PRIMARY KEY,
    -- Whose people are told; null: the operator.
    account         text REFERENCES account (id) ON DELETE CASCADE,
    -- Kind, address and the names of its secrets, as JSON.
    target          text NOT NULL,
    language        text NOT NULL,
    created_by      text NOT NULL,
    created_at      integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    disabled_at     integer,
    disabled_reason text
) STRICT;
CREATE INDEX notification_channel_account ON notification_channel (account);

-- Secrets of channels, sealed as those of destinations are.
CREATE TABLE channel_secret (
    channel     text NOT NULL REFERENCES notification_channel (id) ON DELETE CASCADE,
    id          text NOT NULL,
    key_id      text NOT NULL,
    wrapped_key blob NOT NULL,
    ciphertext  blob NOT NULL,
    PRIMARY KEY (channel, id)
) STRICT;

-- What was told of each subject: an account or a part of the installation, for each audience.
CREATE TABLE notice_state (
    subject  text PRIMARY KEY,
    account  text REFERENCES account (id) ON DELETE CASCADE,
    state    text NOT NULL,
    revision integer NOT NULL
) STRICT;
CREATE INDEX notice_state_account ON notice_state (account);

CREATE TABLE notice (
    id        text PRIMARY KEY,
    account   text REFERENCES account (id) ON DELETE CASCADE,
    queued_at integer NOT NULL,
    body      text NOT NULL
) STRICT;
CREATE INDEX notice_queued ON notice (queued_at);
CREATE INDEX notice_account ON notice (account);

-- Each notice on its way over each channel. Written with the state, so that a crash loses none.
CREATE TABLE notification_outbox (
    notice        text NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    channel       text NOT NULL REFERENCES notification_channel (id) ON DELETE CASCADE,
    attempts      integer NOT NULL DEFAULT 0,
    -- Null: delivered or given up.
    next_try_at   integer,
    -- Until when somebody is sending it.
    claimed_until integer,
    delivered_at  integer,
    -- What came of the last try.
    answer        text,
    PRIMARY KEY (notice, channel)
) STRICT;
CREATE INDEX notification_outbox_due ON notification_outbox (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX notification_outbox_channel ON notification_outbox (channel);

-- What one of several workers does for all of them.
CREATE TABLE turn (
    name       text PRIMARY KEY,
    taken_until integer NOT NULL
) STRICT;
