-- Sessions that are refreshed. A row is a session: its access token until expires_ms, its refresh token, and its end,
-- which no refresh moves. Rows of a version before have no refresh token, and an id that nobody can name.
alter table sessions
  add column session bytea not null default sha256(gen_random_uuid()::text::bytea)
    check (octet_length(session) = 32),
  add column refresh_hash bytea check (octet_length(refresh_hash) = 32),
  add column ends_ms bigint not null default 0,
  add column generation bigint not null default 0;
create unique index sessions_by_id on sessions (org, session);
create index sessions_by_end on sessions (ends_ms);
drop index sessions_by_expiry;

-- session_generation rises whenever sessions of the organisation are ended early, so that whoever remembers some knows
-- when to look again; sessions of a generation below session_floor are over.
alter table organisations
  add column session_generation bigint not null default 0,
  add column session_floor bigint not null default 0;
