-- Where devices that are not connected are told to look: one registration each. What and where it is, is
-- ciphertext; name, a keyed hash of it. Times are milliseconds since 1970.

create table push_registrations (
  org bytea not null,
  device bytea not null check (octet_length(device) = 32),
  name bytea not null check (octet_length(name) = 32),
  key_number int not null,
  sealed bytea not null,
  -- When the device is to be told next; null: there is nothing to tell.
  due_ms bigint,
  -- How often that has failed.
  tries int not null default 0,
  -- When it was told last, and whether it has come since.
  told_ms bigint not null default 0,
  answered boolean not null default true,
  -- What the push service calls the message by which it was told last.
  ticket text,
  -- The run of the relay to which it is connected.
  node bytea,
  -- How far what is stored for it had come when it was connected or told last.
  reach bigint not null default 0,
  -- Its device has lost its place: it is told so, once.
  ended boolean not null default false,
  primary key (org, device)
);
create unique index push_by_name on push_registrations (org, name);
create index push_by_due on push_registrations (due_ms) where due_ms is not null;

-- How much was ever stored for a device: of both numbers none is given twice, so more of it is news.
create function push_reach(in_org bytea, in_device bytea) returns bigint
language sql stable as $$
  select coalesce((select sum(g.head_seq) from groups g where g.org = in_org), 0)::bigint
    + coalesce((select m.seq from mailboxes m where m.org = in_org and m.recipient = in_device), 0)
$$;
