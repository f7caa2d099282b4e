-- Where a log begins of which days are forgotten: what a device needs to go on from there. The statement is the newest
-- one before the floor, sealed again under the key of a later day; the frontier is that of the log's Merkle tree
-- before the floor, null where what was forgotten could not be read.
create table log_floors (
  org bytea not null,
  grp bytea not null,
  first_seq bigint not null,
  epoch bigint not null,
  message_id bytea not null check (octet_length(message_id) = 16),
  day int not null,
  bytes bytea not null,
  frontier bytea,
  primary key (org, grp, first_seq)
);
alter table log_floors alter column bytes set storage external;

-- It had the statement alone, and only of groups in which nobody wrote; nothing has written to it.
drop table kept_statements;

-- The newest statement before in_before. out_day is null for one that is not sealed.
create function statement_before(in_org bytea, in_grp bytea, in_before bigint)
returns table (out_epoch bigint, out_day int, out_message_id bytea, out_bytes bytea)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
  newest record;
begin
  select s.epoch, s.seq, s.class, s.day into newest from statements s
    where s.org = in_org and s.grp = in_grp and s.seq < in_before order by s.epoch desc limit 1;
  if found then
    return query select newest.epoch, nullif(newest.day, 0), e.message_id, e.bytes from entries e
      where e.class = newest.class and e.day = newest.day
        and e.org = in_org and e.grp = in_grp and e.seq = newest.seq;
  else
    return query select f.epoch, f.day, f.message_id, f.bytes from log_floors f
      where f.org = in_org and f.grp = in_grp and f.first_seq <= in_before
      order by f.first_seq desc limit 1;
  end if;
end
$$;

-- The statement of the newest epoch. out_day is null for one that is not sealed.
create or replace function newest_statement(in_org bytea, in_grp bytea)
returns table (out_epoch bigint, out_day int, out_message_id bytea, out_bytes bytea)
language sql stable
as $$ select * from statement_before(in_org, in_grp, 9223372036854775807) $$;

-- The groups of an organisation that lose something with the days up to in_through, or whose floor is kept under the
-- key of one of them: the first seq that each has, and will have then.
create function list_floors(in_org bytea, in_through int)
returns table (out_grp bytea, out_floor bigint, out_next bigint)
language sql stable
as $$
  select g.grp, coalesce(min(d.first_seq), g.head_seq + 1),
         coalesce(min(d.first_seq) filter (where d.day > in_through), g.head_seq + 1)
  from groups g left join log_days d on d.org = g.org and d.grp = g.grp
  where g.org = in_org
  group by g.grp, g.head_seq
  having min(d.day) <= in_through
      or exists (select 1 from log_floors f where f.org = in_org and f.grp = g.grp and f.day <= in_through)
$$;

-- The floor that a log has just now; no row for a log that has everything.
create function read_floor(in_org bytea, in_grp bytea)
returns table (out_first_seq bigint, out_epoch bigint, out_day int, out_message_id bytea, out_bytes bytea,
               out_frontier bytea)
language sql stable
as $$
  select f.first_seq, f.epoch, f.day, f.message_id, f.bytes, f.frontier
  from log_floors f join groups g on g.org = f.org and g.grp = f.grp
  where f.org = in_org and f.grp = in_grp
    and f.first_seq = coalesce(
      (select min(d.first_seq) from log_days d where d.org = in_org and d.grp = in_grp), g.head_seq + 1)
$$;

-- As before, with the floors: each that was made ready comes into force with the move.
create or replace function forget_days(in_org bytea, in_through int)
returns table (out_grp bytea, out_first_seq bigint, out_last_seq bigint)
language plpgsql
set enable_seqscan = off
as $$
declare
  gone record;
begin
  perform 1 from groups g where g.org = in_org order by g.org, g.grp for update;
  delete from day_keys k where k.org = in_org and k.day <= in_through;
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
    -- Not one above: somebody else has made it ready, and is about to put it into force.
    delete from log_floors f where f.org = in_org and f.grp = gone.grp and f.first_seq <= gone.last_seq;
    update groups g set day = in_through + 1, class = -1
      where g.org = in_org and g.grp = gone.grp and g.day <= in_through;
    return query select gone.grp, gone.first_seq, gone.last_seq;
  end loop;
  delete from log_floors f where f.org = in_org and f.day <= in_through;
  delete from log_days d where d.org = in_org and d.day <= in_through;
end
$$;

-- What devices say that they have exported: the newest statement of each, as it travelled.
create table exports (
  org bytea not null,
  grp bytea not null,
  device bytea not null check (octet_length(device) = 32),
  through_seq bigint not null,
  wire bytea not null,
  primary key (org, grp, device)
);

-- The days that an organisation's logs have, up to in_through, oldest first, and how far each log was exported.
create function list_log_days(in_org bytea, in_through int)
returns table (out_grp bytea, out_day int, out_first_seq bigint, out_last_seq bigint, out_exported bigint)
language sql stable
as $$
  select s.grp, s.day, s.first_seq, s.last_seq,
         coalesce((select max(e.through_seq) from exports e where e.org = in_org and e.grp = s.grp), 0)
  from (
    select d.grp, d.day, d.first_seq,
           coalesce(lead(d.first_seq) over (partition by d.grp order by d.first_seq) - 1, g.head_seq) as last_seq
    from log_days d join groups g on g.org = d.org and g.grp = d.grp
    where d.org = in_org
  ) s
  where s.day <= in_through and s.last_seq >= s.first_seq
  order by s.day, s.grp
$$;

-- The relay's signed word of what it has forgotten, as it travels. Kept.
create table deletions (
  org bytea not null,
  grp bytea not null,
  last_seq bigint not null,
  wire bytea not null,
  primary key (org, grp, last_seq)
);
