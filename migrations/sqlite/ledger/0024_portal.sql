-- Sessions of the portal, from their link to their end. What opens them is with the person alone.
CREATE TABLE portal_session (
    id            text PRIMARY KEY,
    -- Of the token in the link, and of what the browser holds once it is opened.
    link_sha256   blob NOT NULL UNIQUE,
    secret_sha256 blob UNIQUE,
    -- No reference: one of an account that is removed stays, revoked, until it is forgotten.
    account       text NOT NULL,
    capabilities  text NOT NULL,
    -- Whose it is, as the vendor knows them.
    actor_id      text NOT NULL,
    actor_email   text NOT NULL,
    return_url    text,
    locale        text NOT NULL,
    theme         text NOT NULL,
    link          text NOT NULL,
    -- Who has made the link, as in the change log.
    maker_kind    text NOT NULL,
    maker_id      text NOT NULL,
    maker_name    text NOT NULL,
    created_at    integer NOT NULL,
    link_ends_at  integer NOT NULL,
    -- For how long it is open.
    seconds       integer NOT NULL,
    opened_at     integer,
    ends_at       integer,
    revoked_at    integer
) STRICT;
CREATE INDEX portal_session_account ON portal_session (account, created_at);
CREATE INDEX portal_session_ends ON portal_session (link_ends_at);
