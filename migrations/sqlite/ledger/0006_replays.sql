-- Replays: delivered objects that an operator has put again. None of it moves a watermark.
CREATE TABLE replay (
    account              text NOT NULL REFERENCES account ON DELETE CASCADE,
    number               integer NOT NULL,
    -- Whether its objects get names of their own.
    as_new               integer NOT NULL,
    from_slot            integer NOT NULL,
    to_slot              integer NOT NULL,
    destination_version  integer NOT NULL,
    operator             text NOT NULL,
    started_at           integer NOT NULL,
    -- Null while something of it may succeed when it is tried again.
    finished_at          integer,
    PRIMARY KEY (account, number)
) STRICT;

-- Objects of replays, stored before they are put.
CREATE TABLE replayed_object (
    account      text NOT NULL,
    replay       integer NOT NULL,
    number       integer NOT NULL,
    ordinal      integer NOT NULL,
    key          text NOT NULL,
    -- Whether a put of it may have created the object without our knowing.
    doubtful     integer NOT NULL,
    started_at   integer NOT NULL,
    finished_at  integer,
    outcome      text,
    message      text,
    PRIMARY KEY (account, replay, number, ordinal),
    FOREIGN KEY (account, replay) REFERENCES replay ON DELETE CASCADE
) STRICT;
CREATE INDEX replayed_object_newest ON replayed_object (started_at);
