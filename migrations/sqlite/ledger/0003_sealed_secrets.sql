-- Secrets of destinations, each sealed with a data key of its own, which is wrapped by a key
-- that is not in this database.
CREATE TABLE sealed_secret (
    account      text NOT NULL,
    id           text NOT NULL,
    version      integer NOT NULL,
    key_id       text NOT NULL,
    wrapped_key  blob NOT NULL,
    ciphertext   blob NOT NULL,
    sealed_at    integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (account, id),
    FOREIGN KEY (account, version) REFERENCES destination (account, version) ON DELETE CASCADE
) STRICT;
CREATE INDEX sealed_secret_key ON sealed_secret (key_id);
