-- Secrets of destinations, each sealed with a data key of its own, which is wrapped by a key
-- that is not in this database.
CREATE TABLE sealed_secret (
    account      text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    key_id       text NOT NULL,
    wrapped_key  bytea NOT NULL,
    ciphertext   bytea NOT NULL,
    sealed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, id),
    FOREIGN KEY (account, version) REFERENCES destination ON DELETE CASCADE
);
CREATE INDEX sealed_secret_key ON sealed_secret (key_id);
