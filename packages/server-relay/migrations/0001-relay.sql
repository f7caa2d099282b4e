-- What a relay keeps. Every key begins with the organisation, so that a distributed engine can
-- distribute on it. Ids and hashes are bytea: 32 bytes, message ids 16. Times are milliseconds since 1970.

create table organisations (
  org bytea primary key check (octet_length(org) = 32),
  log_size bigint not null,
  created_ms bigint not null,
  record_seq bigint not null
);

-- The membership log: the exact bytes that travelled.
create table log_entries (
  org bytea not null,
  entry_index bigint not null,
  wire bytea not null,
  primary key (org, entry_index)
);

-- The hashes of the membership log's tree, by level and place: what the tiles are cut from. Level 0 has the
-- leaves, each level above the roots of 256 hashes below. Rows are only ever added: a tile that is rewritten
-- with each entry would leave 8 KB of dead rows for each, and the embedded engine does not clean up by itself.
create table tree_hashes (
  org bytea not null,
  level smallint not null,
  place bigint not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (org, level, place)
);

-- The nodes of the map from organisation, member and device to head, by hash. Older roots stay readable.
create table map_nodes (
  org bytea not null,
  hash bytea not null check (octet_length(hash) = 32),
  bytes bytea not null,
  primary key (org, hash)
);

-- The signed checkpoint of each size that the log has had.
create table checkpoints (
  org bytea not null,
  log_size bigint not null,
  note bytea not null,
  primary key (org, log_size)
);

-- What devices have cosigned: the newest of each device for each checkpoint, for the newest checkpoints.
create table cosignatures (
  org bytea not null,
  log_size bigint not null,
  device bytea not null check (octet_length(device) = 32),
  key_id bigint not null,
  time_seconds bigint not null,
  signature bytea not null,
  primary key (org, log_size, device)
);

-- The newest sealing records of each device, numbered in the order in which they came.
create table sealing_records (
  org bytea not null,
  seq bigint not null,
  device bytea not null check (octet_length(device) = 32),
  wire bytea not null,
  primary key (org, seq)
);
create index sealing_records_by_device on sealing_records (org, device, seq);

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
alter table sealing_records alter column wire set storage external;
alter table entries alter column bytes set storage external;
alter table boxes alter column box set storage external;

-- Adds an entry to a membership log, and with it all that the log is proved by: the hashes that its tree
-- gained (32 bytes each, from in_hashes), the nodes that its map gained (cut from in_nodes) and its
-- checkpoint. in_created_ms starts a log; null goes on with one. False, and nothing done, unless in_index is
-- the size of the log: the update waits for whoever is adding an entry just now.
create function append_log_entry(
  in_org bytea, in_index bigint, in_wire bytea, in_checkpoint bytea, in_created_ms bigint,
  in_levels int[], in_places bigint[], in_hashes bytea,
  in_node_hashes bytea, in_starts int[], in_sizes int[], in_nodes bytea
) returns boolean
language plpgsql as $$
begin
  if in_created_ms is null then
    update organisations o set log_size = in_index + 1 where o.org = in_org and o.log_size = in_index;
  else
    insert into organisations values (in_org, in_index + 1, in_created_ms, 0) on conflict do nothing;
  end if;
  if not found then
    return false;
  end if;
  insert into log_entries values (in_org, in_index, in_wire);
  insert into checkpoints values (in_org, in_index + 1, in_checkpoint);
  insert into tree_hashes
    select in_org, h.level, h.place, substring(in_hashes from h.ord::int * 32 - 31 for 32)
    from unnest(in_levels, in_places) with ordinality as h(level, place, ord);
  insert into map_nodes
    select in_org, substring(in_node_hashes from n.ord::int * 32 - 31 for 32),
           substring(in_nodes from n.start for n.size)
    from unnest(in_starts, in_sizes) with ordinality as n(start, size, ord)
    on conflict do nothing;
  return true;
end
$$;

-- The nodes on the ways from a root of the map to keys (32 bytes each, from in_keys), so that a way takes one
-- question and not one for each branch. A branch is 01, its position, 32 bytes of prefix, left, right; bits
-- are counted from the highest of a byte, and by get_bit from the lowest. docs/spec/transparency.md
create function map_ways(in_org bytea, in_root bytea, in_keys bytea)
returns table (out_hash bytea, out_bytes bytea)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  return query
  with recursive way(key, hash, bytes) as (
    select substring(in_keys from k * 32 - 31 for 32), n.hash, n.bytes
    from generate_series(1, octet_length(in_keys) / 32) k, map_nodes n
    where n.org = in_org and n.hash = in_root
    union all
    select w.key, n.hash, n.bytes
    from way w
    cross join lateral (select get_byte(w.bytes, 1) as position) branch
    cross join lateral (
      select m.hash, m.bytes from map_nodes m
      where m.org = in_org and m.hash = case
        when get_bit(w.key, branch.position - branch.position % 8 + 7 - branch.position % 8) = 1
        then substring(w.bytes from 67 for 32)
        else substring(w.bytes from 35 for 32)
      end
      limit 1
    ) n
    where get_byte(w.bytes, 0) = 1
  )
  select distinct way.hash, way.bytes from way;
end
$$;

-- Keeps a sealing record if in_after is the newest of its device (0 for none), and as many of that device as
-- in_kept. Its seq; null, and nothing done, otherwise. The organisation's row is locked, so seqs become
-- visible in their order, and two records of a device never cross.
create function add_sealing_record(
  in_org bytea, in_device bytea, in_wire bytea, in_after bigint, in_kept int
) returns bigint
language plpgsql as $$
declare
  next_seq bigint;
begin
  select o.record_seq + 1 into next_seq from organisations o where o.org = in_org for update;
  if not found or in_after <> coalesce(
    (select max(r.seq) from sealing_records r where r.org = in_org and r.device = in_device), 0
  ) then
    return null;
  end if;
  update organisations o set record_seq = next_seq where o.org = in_org;
  insert into sealing_records values (in_org, next_seq, in_device, in_wire);
  delete from sealing_records r where r.org = in_org and r.device = in_device and r.seq <= (
    select older.seq from sealing_records older where older.org = in_org and older.device = in_device
    order by older.seq desc offset in_kept limit 1
  );
  return next_seq;
end
$$;

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
