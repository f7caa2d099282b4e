-- Group logs by retention class and day, so that a day is forgotten by forgetting its key and dropping its
-- tables. A day is a number: days since 1970, UTC. A class is a number that organisations with about the same
-- time of retention share (src/retention.ts); 0 has what was stored before there were days.

-- The key under which what an organisation stored on a day is sealed, wrapped. Without it that day is noise.
create table day_keys (
  org bytea not null check (octet_length(org) = 32),
  day int not null,
  wrapping_key text not null,
  wrapped bytea not null,
  primary key (org, day)
);

-- Where each day of a group's log begins. It ends where the next one begins, or with the log. The floor of a log
-- is its first row: nothing before it is there.
create table log_days (
  org bytea not null,
  grp bytea not null check (octet_length(grp) = 32),
  first_seq bigint not null,
  day int not null,
  class smallint not null,
  primary key (org, grp, first_seq)
);
create index log_days_by_day on log_days (org, day);
create index log_days_by_class on log_days (day, class);

-- Which message has which seq. digest: the first 16 bytes of the SHA-256 of what travelled. period: day / 32.
create table message_ids (
  period int not null,
  org bytea not null,
  grp bytea not null,
  message_id bytea not null check (octet_length(message_id) = 16),
  seq bigint not null,
  day int not null,
  digest bytea not null check (octet_length(digest) = 16)
) partition by list (period);

-- Makes a table for one value of a parent's key, unless it is there. It is made beside its place and then
-- attached, which keeps nobody from reading and adding meanwhile.
create function make_partition(in_parent text, in_name text, in_value int, in_by text, in_key text) returns void
language plpgsql as $$
begin
  if to_regclass(in_name) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(5384732913);
  if to_regclass(in_name) is not null then
    return;
  end if;
  execute format('create table %I (like %I including storage including constraints) %s', in_name, in_parent, in_by);
  if in_key is not null then
    execute format('alter table %I add primary key (%s)', in_name, in_key);
  end if;
  execute format('alter table %I attach partition %I for values in (%s)', in_parent, in_name, in_value);
end
$$;

-- The tables that take what comes in on a day.
create function make_day(in_class int, in_day int) returns void
language plpgsql as $$
begin
  perform make_partition('entries', format('entries_%s', in_class), in_class, 'partition by list (day)', null);
  perform make_partition('boxes', format('boxes_%s', in_class), in_class, 'partition by list (day)', null);
  perform make_partition(format('entries_%s', in_class), format('entries_%s_%s', in_class, in_day), in_day, '',
                         'org, grp, seq');
  perform make_partition(format('boxes_%s', in_class), format('boxes_%s_%s', in_class, in_day), in_day, '',
                         'org, grp, epoch, device');
  perform make_partition('message_ids', format('message_ids_%s', in_day / 32), in_day / 32, '',
                         'org, grp, message_id, day');
end
$$;

-- What is there becomes class 0, where it is: no key, one table, and deleted row by row when its time is over.
insert into log_days
  select d.org, d.grp, min(d.seq), d.day, 0
  from (select e.org, e.grp, e.seq,
               (max(e.received_ms) over (partition by e.org, e.grp order by e.seq) / 86400000)::int as day
        from entries e) d
  group by d.org, d.grp, d.day;

do $$
declare
  period int;
begin
  for period in select distinct d.day / 32 from log_days d loop
    perform make_partition('message_ids', format('message_ids_%s', period), period, '', 'org, grp, message_id, day');
  end loop;
end
$$;

insert into message_ids
  select d.day / 32, d.org, d.grp, d.message_id, d.seq, d.day, substring(sha256(d.bytes) for 16)
  from (select e.org, e.grp, e.seq, e.message_id, e.bytes,
               (max(e.received_ms) over (partition by e.org, e.grp order by e.seq) / 86400000)::int as day
        from entries e) d;

drop function append_entry(bytea, bytea, bigint, bytea, bytea, bigint);
drop function append_entries(bytea, int[], bigint[], bytea, int[], int[], bytea, bigint);
drop function announce_epoch(bytea, bytea, bigint, bytea, bytea, bytea, int[], int[], bytea, bigint);
drop function forget_device(bytea, bytea);
drop index entries_by_message;

alter table entries rename to entries_0;
alter table entries_0 drop column received_ms;
alter table entries_0 add column class smallint not null default 0 check (class = 0);
alter table entries_0 add column day int not null default 0;

create table entries (
  org bytea not null,
  grp bytea not null,
  seq bigint not null,
  kind smallint not null,
  message_id bytea not null constraint entries_message_id_check check (octet_length(message_id) = 16),
  bytes bytea not null,
  class smallint not null,
  day int not null
) partition by list (class);
alter table entries alter column bytes set storage external;
alter table entries attach partition entries_0 for values in (0);

alter table boxes rename to boxes_0;
alter table boxes_0 add column class smallint not null default 0 check (class = 0);
alter table boxes_0 add column day int not null default 0;

create table boxes (
  org bytea not null,
  grp bytea not null,
  epoch bigint not null,
  device bytea not null constraint boxes_device_check check (octet_length(device) = 32),
  box bytea not null,
  class smallint not null,
  day int not null
) partition by list (class);
alter table boxes alter column box set storage external;
alter table boxes attach partition boxes_0 for values in (0);

-- The table that has a statement and its boxes: class and day as there.
alter table statements add column class smallint not null default 0;
alter table statements add column day int not null default 0;

-- The newest statement of a group in which nobody wrote for so long that it would be gone: the next one names it.
create table kept_statements (
  org bytea not null,
  grp bytea not null,
  epoch bigint not null,
  message_id bytea not null check (octet_length(message_id) = 16),
  day int not null,
  bytes bytea not null,
  primary key (org, grp)
);
alter table kept_statements alter column bytes set storage external;

-- The day that a group's log is on, and its class; -1 while nothing of that day is in it.
alter table groups add column day int not null default 0;
alter table groups add column class smallint not null default 0;

-- Appends one sealed envelope. verdict: 0 stored, 1 stored before with the same digest, 2 the message id has
-- another digest, 3 unknown epoch, 5 seal it again for the day that is answered in place of a seq: the log is on
-- that day already, or the key of the day is gone. Head first, then everything else: each statement of a function
-- sees what was committed while it waited for the lock.
create function append_entry(
  in_org bytea, in_grp bytea, in_epoch bigint, in_message_id bytea, in_digest bytea, in_bytes bytea,
  in_day int, in_class int, in_since int
) returns table (out_seq bigint, out_verdict int)
language plpgsql set enable_seqscan = off as $$
declare
  head record;
  old record;
begin
  select g.head_seq, g.epoch, g.day, g.class into head
    from groups g where g.org = in_org and g.grp = in_grp for update;
  if head is null or in_epoch < 1 or in_epoch > head.epoch then
    return query select 0::bigint, 3;
    return;
  end if;
  select m.seq, m.digest into old from message_ids m
    where m.period >= in_since / 32 and m.day >= in_since
      and m.org = in_org and m.grp = in_grp and m.message_id = in_message_id;
  if found then
    return query select old.seq, case when old.digest = in_digest then 1 else 2 end;
    return;
  end if;
  if in_day < head.day or not exists (select 1 from day_keys k where k.org = in_org and k.day = in_day) then
    return query select greatest(in_day, head.day)::bigint, 5;
    return;
  end if;
  if in_day > head.day or head.class < 0 then
    head.class := in_class;
    insert into log_days values (in_org, in_grp, head.head_seq + 1, in_day, in_class);
  end if;
  insert into entries (org, grp, seq, kind, message_id, bytes, class, day)
    values (in_org, in_grp, head.head_seq + 1, 0, in_message_id, in_bytes, head.class, in_day);
  insert into message_ids values (in_day / 32, in_org, in_grp, in_message_id, head.head_seq + 1, in_day, in_digest);
  update groups g set head_seq = head.head_seq + 1, day = in_day, class = head.class
    where g.org = in_org and g.grp = in_grp;
  return query select head.head_seq + 1, 0;
end
$$;

-- Appends many sealed envelopes of many groups, all cut from one byte string: for each group its org and id (64
-- bytes each) from in_groups, its day, class and oldest day; for each item a 16-byte id from in_ids, a 16-byte
-- digest from in_digests and its bytes from in_body. Items come in order; group numbers and starts count from 1;
-- no message id comes twice. One row an item, as above. The settings keep the planner on the indexes when it has
-- no statistics yet.
create function append_entries(
  in_groups bytea, in_days int[], in_classes int[], in_sinces int[],
  in_group_no int[], in_epochs bigint[], in_ids bytea, in_digests bytea,
  in_starts int[], in_sizes int[], in_body bytea
) returns table (out_ord int, out_seq bigint, out_verdict int)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  row record;
  group_count int := octet_length(in_groups) / 64;
  heads bigint[] := array_fill(0::bigint, array[group_count]);
  epochs bigint[] := array_fill(0::bigint, array[group_count]);
  days int[] := array_fill(0, array[group_count]);
  classes int[] := in_classes;
  begins boolean[] := array_fill(true, array[group_count]);
  keyed boolean[];
begin
  -- One order for everybody, so that two batches can wait for each other but never lock up.
  for row in
    select k.no, g.head_seq, g.epoch, g.day, g.class
    from (
      select n as no, substring(in_groups from n * 64 - 63 for 32) as org,
             substring(in_groups from n * 64 - 31 for 32) as grp
      from generate_series(1, group_count) n
    ) k join groups g on g.org = k.org and g.grp = k.grp
    order by g.org, g.grp
    for update of g
  loop
    heads[row.no] := row.head_seq;
    epochs[row.no] := row.epoch;
    days[row.no] := row.day;
    if row.day >= in_days[row.no] and row.class >= 0 then
      classes[row.no] := row.class;
      begins[row.no] := false;
    end if;
  end loop;
  select array_agg(
           exists (select 1 from day_keys k
                   where k.org = substring(in_groups from n * 64 - 63 for 32) and k.day = in_days[n])
           order by n)
    into keyed from generate_series(1, group_count) n;

  return query
  with item as (
    select i.ord::int as ord, i.group_no, i.epoch, i.start, i.size,
           substring(in_groups from i.group_no * 64 - 63 for 32) as org,
           substring(in_groups from i.group_no * 64 - 31 for 32) as grp,
           substring(in_ids from i.ord::int * 16 - 15 for 16) as message_id,
           substring(in_digests from i.ord::int * 16 - 15 for 16) as digest
    from unnest(in_group_no, in_epochs, in_starts, in_sizes)
      with ordinality as i(group_no, epoch, start, size, ord)
  ), judged as materialized (
    select item.*, old.seq as old_seq,
           case
             when item.epoch < 1 or item.epoch > epochs[item.group_no] then 3
             when old.seq is not null then case when old.digest = item.digest then 1 else 2 end
             when in_days[item.group_no] < days[item.group_no] or not keyed[item.group_no] then 5
             else 0
           end as verdict
    from item
    left join lateral (
      select m.seq, m.digest from message_ids m
      where m.period >= in_sinces[item.group_no] / 32 and m.day >= in_sinces[item.group_no]
        and m.org = item.org and m.grp = item.grp and m.message_id = item.message_id limit 1
    ) old on true
  ), placed as materialized (
    select j.*, case j.verdict
                when 0 then heads[j.group_no] + count(*) filter (where j.verdict = 0)
                                                  over (partition by j.group_no order by j.ord)
                when 5 then greatest(in_days[j.group_no], days[j.group_no])::bigint
                else coalesce(j.old_seq, 0) end as seq
    from judged j
  ), stored as (
    insert into entries (org, grp, seq, kind, message_id, bytes, class, day)
    select p.org, p.grp, p.seq, 0, p.message_id, substring(in_body from p.start for p.size),
           classes[p.group_no], in_days[p.group_no]
    from placed p where p.verdict = 0 order by p.ord
  ), named as (
    insert into message_ids
    select in_days[p.group_no] / 32, p.org, p.grp, p.message_id, p.seq, in_days[p.group_no], p.digest
    from placed p where p.verdict = 0 order by p.ord
  ), top as materialized (
    select p.group_no, p.org, p.grp, max(p.seq) as seq
    from placed p where p.verdict = 0 group by p.group_no, p.org, p.grp
  ), begun as (
    insert into log_days
    select t.org, t.grp, heads[t.group_no] + 1, in_days[t.group_no], classes[t.group_no]
    from top t where begins[t.group_no]
  ), moved as (
    update groups g set head_seq = t.seq, day = in_days[t.group_no], class = classes[t.group_no]
    from top t where g.org = t.org and g.grp = t.grp
  )
  select p.ord, p.seq, p.verdict from placed p order by p.ord;
end
$$;

-- Stores a sealed epoch statement and its boxes if in_epoch is the next one. verdict: as above, and 4 when the
-- epoch is taken. in_devices holds 32 bytes a box; the boxes are cut from in_boxes.
create function announce_epoch(
  in_org bytea, in_grp bytea, in_epoch bigint, in_message_id bytea, in_digest bytea, in_statement bytea,
  in_devices bytea, in_starts int[], in_sizes int[], in_boxes bytea,
  in_day int, in_class int, in_since int
) returns table (out_seq bigint, out_verdict int)
language plpgsql set enable_seqscan = off as $$
declare
  head record;
  old record;
begin
  if in_epoch = 1 then
    insert into groups values (in_org, in_grp, 0, 0) on conflict do nothing;
  end if;
  select g.head_seq, g.epoch, g.day, g.class into head
    from groups g where g.org = in_org and g.grp = in_grp for update;
  select m.seq, m.digest into old from message_ids m
    where m.period >= in_since / 32 and m.day >= in_since
      and m.org = in_org and m.grp = in_grp and m.message_id = in_message_id;
  if found then
    return query select old.seq, case when old.digest = in_digest then 1 else 2 end;
    return;
  end if;
  if head is null or in_epoch <> head.epoch + 1 then
    return query select 0::bigint, 4;
    return;
  end if;
  if in_day < head.day or not exists (select 1 from day_keys k where k.org = in_org and k.day = in_day) then
    return query select greatest(in_day, head.day)::bigint, 5;
    return;
  end if;
  if in_day > head.day or head.class < 0 then
    head.class := in_class;
    insert into log_days values (in_org, in_grp, head.head_seq + 1, in_day, in_class);
  end if;
  insert into entries (org, grp, seq, kind, message_id, bytes, class, day)
    values (in_org, in_grp, head.head_seq + 1, 1, in_message_id, in_statement, head.class, in_day);
  insert into message_ids values (in_day / 32, in_org, in_grp, in_message_id, head.head_seq + 1, in_day, in_digest);
  insert into statements values (in_org, in_grp, in_epoch, head.head_seq + 1, head.class, in_day);
  insert into boxes (org, grp, epoch, device, box, class, day)
    select in_org, in_grp, in_epoch,
           substring(in_devices from i.ord::int * 32 - 31 for 32),
           substring(in_boxes from i.start for i.size), head.class, in_day
    from unnest(in_starts, in_sizes) with ordinality as i(start, size, ord);
  update groups g set head_seq = head.head_seq + 1, epoch = in_epoch, day = in_day, class = head.class
    where g.org = in_org and g.grp = in_grp;
  return query select head.head_seq + 1, 0;
end
$$;

-- A page of a group's log after in_after: entries of one day, from one table, with the head as of the same moment.
-- A page below the floor begins at the floor. One row at least, unless the group has no log. out_day is null for
-- what is not sealed.
create function read_entries(in_org bytea, in_grp bytea, in_after bigint, in_most int, in_most_bytes int)
returns table (out_head_seq bigint, out_epoch bigint, out_day int,
               out_seq bigint, out_kind smallint, out_message_id bytea, out_bytes bytea)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
  head record;
  stretch record;
  stored_day int;
begin
  select g.head_seq, g.epoch into head from groups g where g.org = in_org and g.grp = in_grp;
  if not found then
    return;
  end if;
  select d.day, d.class into stretch from log_days d
    where d.org = in_org and d.grp = in_grp and d.first_seq <= in_after + 1
    order by d.first_seq desc limit 1;
  if not found then
    select d.day, d.class into stretch from log_days d
      where d.org = in_org and d.grp = in_grp order by d.first_seq limit 1;
  end if;
  stored_day := case when stretch.class = 0 then 0 else stretch.day end;
  return query
  select head.head_seq, head.epoch, nullif(stored_day, 0), e.seq, e.kind, e.message_id, e.bytes
  from (select 1) one left join (
    select page.*, sum(octet_length(page.bytes)) over (order by page.seq) - octet_length(page.bytes) as before
    from (
      select s.seq, s.kind, s.message_id, s.bytes from entries s
      where s.class = stretch.class and s.day = stored_day
        and s.org = in_org and s.grp = in_grp and s.seq > in_after
      order by s.seq limit in_most
    ) page
  ) e on e.before < in_most_bytes
  order by e.seq;
end
$$;

-- The statement of the newest epoch. out_day is null for one that is not sealed.
create function newest_statement(in_org bytea, in_grp bytea)
returns table (out_epoch bigint, out_day int, out_message_id bytea, out_bytes bytea)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
  newest record;
begin
  select s.epoch, s.seq, s.class, s.day into newest from statements s
    where s.org = in_org and s.grp = in_grp order by s.epoch desc limit 1;
  if found then
    return query select newest.epoch, nullif(newest.day, 0), e.message_id, e.bytes from entries e
      where e.class = newest.class and e.day = newest.day
        and e.org = in_org and e.grp = in_grp and e.seq = newest.seq;
  else
    return query select k.epoch, k.day, k.message_id, k.bytes from kept_statements k
      where k.org = in_org and k.grp = in_grp;
  end if;
end
$$;

-- The box of a device. out_day is null for one that is not sealed.
create function read_box(in_org bytea, in_grp bytea, in_epoch bigint, in_device bytea)
returns table (out_day int, out_box bytea)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
  place record;
begin
  select s.class, s.day into place from statements s
    where s.org = in_org and s.grp = in_grp and s.epoch = in_epoch;
  if found then
    return query select nullif(place.day, 0), b.box from boxes b
      where b.class = place.class and b.day = place.day
        and b.org = in_org and b.grp = in_grp and b.epoch = in_epoch and b.device = in_device;
  end if;
end
$$;

-- What the relay holds for a device and must not give to it any more. One look-up for each epoch: by device the
-- boxes have no index, which every announcement would have to pay for.
create function forget_device(in_org bytea, in_device bytea) returns void
language plpgsql
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
  s record;
begin
  for s in select * from statements where org = in_org loop
    delete from boxes b where b.class = s.class and b.day = s.day
      and b.org = in_org and b.grp = s.grp and b.epoch = s.epoch and b.device = in_device;
  end loop;
  delete from unlock_shares u where u.org = in_org and u.device = in_device;
end
$$;

-- Forgets the days of an organisation up to in_through: their keys, and with them what they sealed; where they
-- began, which moves the floors; and what was never sealed, row by row. One row for each group that lost
-- something. The locks keep out whoever is appending: who comes after finds no key, and seals again.
create function forget_days(in_org bytea, in_through int)
returns table (out_grp bytea, out_first_seq bigint, out_last_seq bigint)
language plpgsql
set enable_seqscan = off
as $$
declare
  gone record;
begin
  perform 1 from groups g where g.org = in_org order by g.org, g.grp for update;
  delete from day_keys k where k.org = in_org and k.day <= in_through;
  delete from kept_statements k where k.org = in_org and k.day <= in_through;
  for gone in
    select g.grp, min(d.first_seq) filter (where d.day <= in_through) as first_seq,
           coalesce(min(d.first_seq) filter (where d.day > in_through), max(g.head_seq) + 1) - 1 as last_seq,
           bool_or(d.class = 0) as is_plain
    from groups g join log_days d on d.org = g.org and d.grp = g.grp
    where g.org = in_org group by g.grp having min(d.day) <= in_through
  loop
    if gone.is_plain then
      delete from entries_0 e where e.org = in_org and e.grp = gone.grp and e.seq <= gone.last_seq;
      delete from boxes_0 b using statements s
        where s.org = in_org and s.grp = gone.grp and s.seq <= gone.last_seq and s.class = 0
          and b.org = s.org and b.grp = s.grp and b.epoch = s.epoch;
    end if;
    delete from statements s where s.org = in_org and s.grp = gone.grp and s.seq <= gone.last_seq;
    update groups g set day = in_through + 1, class = -1
      where g.org = in_org and g.grp = gone.grp and g.day <= in_through;
    return query select gone.grp, gone.first_seq, gone.last_seq;
  end loop;
  delete from log_days d where d.org = in_org and d.day <= in_through;
end
$$;

-- Drops the tables of a day (in_parent entries or boxes) or of a period (message_ids) if no log has anything in
-- it any more. Whoever is just appending there comes first; the wait for them is short, or for the next time.
create function drop_if_empty(in_parent text, in_name text, in_class int, in_first_day int, in_last_day int)
returns boolean
language plpgsql
set lock_timeout = '2s'
as $$
begin
  execute format('lock table %I, %I in access exclusive mode', in_parent, in_name);
  if exists (select 1 from log_days d where d.day between in_first_day and in_last_day
                                        and (in_class is null or d.class = in_class)) then
    return false;
  end if;
  execute format('drop table %I', in_name);
  return true;
end
$$;
