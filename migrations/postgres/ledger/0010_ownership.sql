-- When the owner of the place gave back the token that was written there; null: nobody was asked.
ALTER TABLE destination ADD COLUMN proved_at timestamptz;

-- A destination that is not in force until that has happened. An account waits for one at most.
CREATE TABLE awaited_proof (
    account       text COLLATE "C" PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    version       bigint NOT NULL,
    -- The object in which the token stands; here is only its hash.
    key           text NOT NULL,
    token_sha256  bytea NOT NULL,
    asked_at      timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    tries_left    bigint NOT NULL,
    FOREIGN KEY (account, version) REFERENCES destination ON DELETE CASCADE
);
