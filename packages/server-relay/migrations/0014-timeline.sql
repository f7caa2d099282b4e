-- Which past this database has: another one after it was put back, or where the fingerprint of what it runs on says
-- that it was moved or copied (docs/spec/timeline.md). changed_ms: when a relay first served a timeline that is not the
-- first; null until one does.
create table relay_state (
  one boolean primary key default true check (one),
  timeline bytea not null check (octet_length(timeline) = 16),
  fingerprint text not null,
  changed_ms bigint
);
