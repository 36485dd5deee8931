-- Tokens of the API. The token itself is with its holder alone.
CREATE TABLE api_token (
    id           text PRIMARY KEY,
    name         text NOT NULL,
    role         text NOT NULL,
    -- The accounts to which it is limited, as a JSON array; null: it is not.
    accounts     text,
    sha256       blob NOT NULL UNIQUE,
    created_by   text NOT NULL,
    created_at   integer NOT NULL,
    expires_at   integer,
    revoked_at   integer,
    last_used_at integer
) STRICT;

-- Writes that came with an Idempotency-Key, for a day.
CREATE TABLE api_request (
    -- Whose key it is: kind and id of the actor.
    principal   text NOT NULL,
    key         text NOT NULL,
    -- Of method, path, conditions and body.
    sha256      blob NOT NULL,
    begun_at    integer NOT NULL,
    -- Set by the transaction of the change itself: from then on it must not be made again.
    applied_at  integer,
    -- What was answered, once it was.
    status      integer,
    headers     text,
    body        blob,
    PRIMARY KEY (principal, key)
) STRICT;
CREATE INDEX api_request_begun ON api_request (begun_at);
