-- Log-ins that have begun, until the browser comes back with an answer.
CREATE TABLE sign_in (
    -- Of what the browser holds.
    sha256       bytea PRIMARY KEY,
    return_to    text NOT NULL,
    ends_at      timestamptz NOT NULL
);
CREATE INDEX sign_in_ends ON sign_in (ends_at);

-- Sessions of browsers. What opens one is with the browser alone.
CREATE TABLE session (
    id           text COLLATE "C" PRIMARY KEY,
    sha256       bytea NOT NULL UNIQUE,
    -- Who it is, as in the change log.
    actor_kind   text NOT NULL,
    actor_id     text NOT NULL,
    name         text NOT NULL,
    -- What it opens. Of one that a token has opened, what the token opens counts.
    role         text NOT NULL,
    accounts     jsonb,
    token_id     text COLLATE "C" REFERENCES api_token (id),
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    idle_ends_at timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX session_ends ON session (ends_at);
