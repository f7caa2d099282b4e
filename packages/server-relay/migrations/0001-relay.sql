-- What a relay keeps. Every key begins with the organisation, so that a distributed engine can
-- distribute on it. Ids and hashes are bytea: 32 bytes, message ids 16. Times are milliseconds since 1970.

create table organisations (
  org bytea primary key check (octet_length(org) = 32),
  log_size bigint not null,
  created_ms bigint not null
);

-- The membership log: the exact bytes that travelled.
create table log_entries (
  org bytea not null,
  entry_index bigint not null,
  wire bytea not null,
  primary key (org, entry_index)
);

-- The head of each group's log. A row appears with the group's first epoch and is locked by whoever
-- appends; room is left in its pages because it is updated with every batch.
create table groups (
  org bytea not null,
  grp bytea not null check (octet_length(grp) = 32),
  head_seq bigint not null,
  epoch bigint not null,
  primary key (org, grp)
) with (fillfactor = 50);

-- Group logs. seq starts at 1 and has no gaps. kind: 0 envelope, 1 epoch statement.
create table entries (
  org bytea not null,
  grp bytea not null,
  seq bigint not null,
  kind smallint not null,
  message_id bytea not null check (octet_length(message_id) = 16),
  bytes bytea not null,
  received_ms bigint not null,
  primary key (org, grp, seq)
);
-- One expression and not three columns: without statistics the planner cannot tell a look-up by three
-- columns from a walk along the start of the primary key, and would read the whole group for each message.
create unique index entries_by_message on entries ((org || grp || message_id));

-- Where each epoch's statement stands in its group's log.
create table statements (
  org bytea not null,
  grp bytea not null,
  epoch bigint not null,
  seq bigint not null,
  primary key (org, grp, epoch)
);

-- Sealed epoch keys, one for each recipient device of a statement.
create table boxes (
  org bytea not null,
  grp bytea not null,
  epoch bigint not null,
  device bytea not null check (octet_length(device) = 32),
  box bytea not null,
  primary key (org, grp, epoch, device)
);

-- Sessions by the SHA-256 of their token. kind: 'device' or 'invite'.
create table sessions (
  org bytea not null,
  token_hash bytea not null check (octet_length(token_hash) = 32),
  kind text not null,
  subject bytea not null check (octet_length(subject) = 32),
  expires_ms bigint not null,
  primary key (org, token_hash)
);
create index sessions_by_subject on sessions (org, kind, subject);
create index sessions_by_expiry on sessions (expires_ms);

-- Login challenges that nobody has met yet.
create table challenges (
  org bytea not null,
  challenge bytea not null check (octet_length(challenge) = 32),
  kind text not null,
  subject bytea not null check (octet_length(subject) = 32),
  expires_ms bigint not null,
  primary key (org, challenge)
);
create index challenges_by_expiry on challenges (expires_ms);

-- Ciphertext does not compress: keep the engine from trying.
alter table log_entries alter column wire set storage external;
alter table entries alter column bytes set storage external;
alter table boxes alter column box set storage external;

-- Appends one envelope. verdict: 0 stored, 1 stored before with the same bytes, 2 the message id has
-- other bytes, 3 unknown epoch. Head first, then the look for duplicates: each statement of a function
-- sees what was committed while it waited for the lock.
create function append_entry(
  in_org bytea, in_grp bytea, in_epoch bigint, in_message_id bytea, in_bytes bytea, in_now bigint
) returns table (out_seq bigint, out_verdict int)
language plpgsql set enable_seqscan = off as $$
declare
  head record;
  old record;
begin
  select g.head_seq, g.epoch into head from groups g where g.org = in_org and g.grp = in_grp for update;
  if head is null or in_epoch < 1 or in_epoch > head.epoch then
    return query select 0::bigint, 3;
    return;
  end if;
  select e.seq, e.bytes into old from entries e
    where e.org || e.grp || e.message_id = in_org || in_grp || in_message_id;
  if found then
    return query select old.seq, case when old.bytes = in_bytes then 1 else 2 end;
    return;
  end if;
  insert into entries values (in_org, in_grp, head.head_seq + 1, 0, in_message_id, in_bytes, in_now);
  update groups g set head_seq = head.head_seq + 1 where g.org = in_org and g.grp = in_grp;
  return query select head.head_seq + 1, 0;
end
$$;

-- Appends many envelopes of many groups, all cut from one byte string: for each group its org and id
-- (64 bytes each) from in_groups, for each item a 16-byte id from in_ids and its bytes from in_body. Items
-- come in order; group numbers and starts count from 1; no message id comes twice. One row an item, as
-- above. The settings keep the planner on the indexes when it has no statistics yet.
create function append_entries(
  in_groups bytea, in_group_no int[], in_epochs bigint[], in_ids bytea,
  in_starts int[], in_sizes int[], in_body bytea, in_now bigint
) returns table (out_ord int, out_seq bigint, out_verdict int)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  -- One order for everybody, so that two batches can wait for each other but never lock up.
  perform 1
    from (
      select distinct substring(in_groups from n * 64 - 63 for 32) as org,
                      substring(in_groups from n * 64 - 31 for 32) as grp
      from generate_series(1, octet_length(in_groups) / 64) n
    ) k join groups g on g.org = k.org and g.grp = k.grp
    order by g.org, g.grp
    for update of g;

  return query
  with item as (
    select i.ord::int as ord, i.group_no, i.epoch, i.start, i.size,
           substring(in_groups from i.group_no * 64 - 63 for 32) as org,
           substring(in_groups from i.group_no * 64 - 31 for 32) as grp,
           substring(in_ids from i.ord::int * 16 - 15 for 16) as message_id
    from unnest(in_group_no, in_epochs, in_starts, in_sizes)
      with ordinality as i(group_no, epoch, start, size, ord)
  ), judged as materialized (
    select item.*, head.head_seq, old.seq as old_seq,
           case
             when head.epoch is null or item.epoch < 1 or item.epoch > head.epoch then 3
             when old.seq is null then 0
             when old.bytes = substring(in_body from item.start for item.size) then 1
             else 2
           end as verdict
    from item
    left join lateral (
      select g.head_seq, g.epoch from groups g where g.org = item.org and g.grp = item.grp limit 1
    ) head on true
    left join lateral (
      select e.seq, e.bytes from entries e
      where e.org || e.grp || e.message_id = item.org || item.grp || item.message_id limit 1
    ) old on true
  ), placed as materialized (
    select j.*, case when j.verdict = 0
                then j.head_seq + count(*) filter (where j.verdict = 0) over (partition by j.group_no order by j.ord)
                else coalesce(j.old_seq, 0) end as seq
    from judged j
  ), stored as (
    insert into entries
    select p.org, p.grp, p.seq, 0, p.message_id, substring(in_body from p.start for p.size), in_now
    from placed p where p.verdict = 0 order by p.ord
  ), moved as (
    update groups g set head_seq = top.seq
    from (select p.org, p.grp, max(p.seq) as seq from placed p where p.verdict = 0 group by p.org, p.grp) top
    where g.org = top.org and g.grp = top.grp
  )
  select p.ord, p.seq, p.verdict from placed p order by p.ord;
end
$$;

-- Stores an epoch statement and its boxes if in_epoch is the next one. verdict: as above, and 4 when
-- the epoch is taken. in_devices holds 32 bytes a box; the boxes are cut from in_boxes.
create function announce_epoch(
  in_org bytea, in_grp bytea, in_epoch bigint, in_message_id bytea, in_statement bytea,
  in_devices bytea, in_starts int[], in_sizes int[], in_boxes bytea, in_now bigint
) returns table (out_seq bigint, out_verdict int)
language plpgsql set enable_seqscan = off as $$
declare
  head record;
  old record;
begin
  if in_epoch = 1 then
    insert into groups values (in_org, in_grp, 0, 0) on conflict do nothing;
  end if;
  select g.head_seq, g.epoch into head from groups g where g.org = in_org and g.grp = in_grp for update;
  select e.seq, e.bytes into old from entries e
    where e.org || e.grp || e.message_id = in_org || in_grp || in_message_id;
  if found then
    return query select old.seq, case when old.bytes = in_statement then 1 else 2 end;
    return;
  end if;
  if head is null or in_epoch <> head.epoch + 1 then
    return query select 0::bigint, 4;
    return;
  end if;
  insert into entries values (in_org, in_grp, head.head_seq + 1, 1, in_message_id, in_statement, in_now);
  insert into statements values (in_org, in_grp, in_epoch, head.head_seq + 1);
  insert into boxes
    select in_org, in_grp, in_epoch,
           substring(in_devices from i.ord::int * 32 - 31 for 32),
           substring(in_boxes from i.start for i.size)
    from unnest(in_starts, in_sizes) with ordinality as i(start, size, ord);
  update groups g set head_seq = head.head_seq + 1, epoch = in_epoch
    where g.org = in_org and g.grp = in_grp;
  return query select head.head_seq + 1, 0;
end
$$;
