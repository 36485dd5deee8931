-- Where notices go.
CREATE TABLE notification_channel (
    id              text COLLATE "C" PRIMARY KEY,
    -- Whose people are told; null: the operator.
    account         text COLLATE "C" REFERENCES account (id) ON DELETE CASCADE,
    -- Kind, address and the names of its secrets, as JSON.
    target          jsonb NOT NULL,
    language        text NOT NULL,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    disabled_at     timestamptz,
    disabled_reason text
);
CREATE INDEX notification_channel_account ON notification_channel (account);

-- Secrets of channels, sealed as those of destinations are.
CREATE TABLE channel_secret (
    channel     text COLLATE "C" NOT NULL REFERENCES notification_channel (id) ON DELETE CASCADE,
    id          text COLLATE "C" NOT NULL,
    key_id      text NOT NULL,
    wrapped_key bytea NOT NULL,
    ciphertext  bytea NOT NULL,
    PRIMARY KEY (channel, id)
);

-- What was told of each subject: an account or a part of the installation, for each audience.
CREATE TABLE notice_state (
    subject  text COLLATE "C" PRIMARY KEY,
    account  text COLLATE "C" REFERENCES account (id) ON DELETE CASCADE,
    state    jsonb NOT NULL,
    revision bigint NOT NULL
);
CREATE INDEX notice_state_account ON notice_state (account);

CREATE TABLE notice (
    id        text COLLATE "C" PRIMARY KEY,
    account   text COLLATE "C" REFERENCES account (id) ON DELETE CASCADE,
    queued_at timestamptz NOT NULL,
    body      jsonb NOT NULL
);
CREATE INDEX notice_queued ON notice (queued_at);
CREATE INDEX notice_account ON notice (account);

-- Each notice on its way over each channel. Written with the state, so that a crash loses none.
CREATE TABLE notification_outbox (
    notice        text COLLATE "C" NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    channel       text COLLATE "C" NOT NULL REFERENCES notification_channel (id) ON DELETE CASCADE,
    attempts      bigint NOT NULL DEFAULT 0,
    -- Null: delivered or given up.
    next_try_at   timestamptz,
    -- Until when somebody is sending it.
    claimed_until timestamptz,
    delivered_at  timestamptz,
    -- What came of the last try.
    answer        text,
    PRIMARY KEY (notice, channel)
);
CREATE INDEX notification_outbox_due ON notification_outbox (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX notification_outbox_channel ON notification_outbox (channel);

-- What one of several workers does for all of them.
CREATE TABLE turn (
    name       text PRIMARY KEY,
    taken_until timestamptz NOT NULL
);
