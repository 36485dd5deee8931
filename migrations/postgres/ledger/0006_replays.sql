-- Replays: delivered objects that an operator has put again. None of it moves a watermark.
CREATE TABLE replay (
    account              text NOT NULL REFERENCES account ON DELETE CASCADE,
    number               bigint NOT NULL,
    -- Whether its objects get names of their own.
    as_new               boolean NOT NULL,
    from_slot            timestamptz NOT NULL,
    to_slot              timestamptz NOT NULL,
    destination_version  bigint NOT NULL,
    operator             text NOT NULL,
    started_at           timestamptz NOT NULL,
    -- Null while something of it may succeed when it is tried again.
    finished_at          timestamptz,
    PRIMARY KEY (account, number)
);

-- Objects of replays, stored before they are put.
CREATE TABLE replayed_object (
    account      text NOT NULL,
    replay       bigint NOT NULL,
    number       bigint NOT NULL,
    ordinal      bigint NOT NULL,
    key          text NOT NULL,
    -- Whether a put of it may have created the object without our knowing.
    doubtful     boolean NOT NULL,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    outcome      text,
    message      text,
    PRIMARY KEY (account, replay, number, ordinal),
    FOREIGN KEY (account, replay) REFERENCES replay ON DELETE CASCADE
);
CREATE INDEX replayed_object_newest ON replayed_object (started_at);
