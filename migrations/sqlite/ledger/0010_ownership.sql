-- When the owner of the place gave back the token that was written there; null: nobody was asked.
ALTER TABLE destination ADD COLUMN proved_at integer;

-- A destination that is not in force until that has happened. An account waits for one at most.
CREATE TABLE awaited_proof (
    account       text PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    version       integer NOT NULL,
    -- The object in which the token stands; here is only its hash.
    key           text NOT NULL,
    token_sha256  blob NOT NULL,
    asked_at      integer NOT NULL,
    expires_at    integer NOT NULL,
    tries_left    integer NOT NULL,
    FOREIGN KEY (account, version) REFERENCES destination (account, version) ON DELETE CASCADE
) STRICT;
