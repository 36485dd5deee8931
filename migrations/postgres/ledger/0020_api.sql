-- Tokens of the API. The token itself is with its holder alone.
CREATE TABLE api_token (
    id           text COLLATE "C" PRIMARY KEY,
    name         text NOT NULL,
    role         text NOT NULL,
    -- The accounts to which it is limited, as a JSON array; null: it is not.
    accounts     jsonb,
    sha256       bytea NOT NULL UNIQUE,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

-- Writes that came with an Idempotency-Key, for a day.
CREATE TABLE api_request (
    -- Whose key it is: kind and id of the actor.
    principal   text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    -- Of method, path, conditions and body.
    sha256      bytea NOT NULL,
    begun_at    timestamptz NOT NULL,
    -- Set by the transaction of the change itself: from then on it must not be made again.
    applied_at  timestamptz,
    -- What was answered, once it was.
    status      integer,
    headers     jsonb,
    body        bytea,
    PRIMARY KEY (principal, key)
);
CREATE INDEX api_request_begun ON api_request (begun_at);
