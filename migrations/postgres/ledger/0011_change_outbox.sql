-- Changes that no worker has looked at yet: where audit.self_records says so, each becomes a record of its account.
CREATE TABLE change_outbox (
    seq  bigint PRIMARY KEY REFERENCES change_log (seq)
);
