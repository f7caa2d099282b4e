-- For how long this database's relay still forgets nothing because its clock was found to be ahead, in milliseconds of
-- a machine that runs (docs/spec/relay-storage.md). No row: for no time.
create table clock_doubt (
  one boolean primary key default true check (one),
  left_ms bigint not null
);

-- As in 0009, and goes on with the next day where the table of one is gone: whoever reads is shown a gap.
create or replace function read_entries(in_org bytea, in_grp bytea, in_after bigint, in_most int, in_most_bytes int)
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
  select d.first_seq, d.day, d.class into stretch from log_days d
    where d.org = in_org and d.grp = in_grp and d.first_seq <= in_after + 1
    order by d.first_seq desc limit 1;
  if not found then
    select d.first_seq, d.day, d.class into stretch from log_days d
      where d.org = in_org and d.grp = in_grp order by d.first_seq limit 1;
  end if;
  while stretch.day is not null loop
    stored_day := case when stretch.class = 0 then 0 else stretch.day end;
    return query
    select head.head_seq, head.epoch, nullif(stored_day, 0), e.seq, e.kind, e.message_id, e.bytes
    from (
      select page.*, sum(octet_length(page.bytes)) over (order by page.seq) - octet_length(page.bytes) as before
      from (
        select s.seq, s.kind, s.message_id, s.bytes from entries s
        where s.class = stretch.class and s.day = stored_day
          and s.org = in_org and s.grp = in_grp and s.seq > in_after
        order by s.seq limit in_most
      ) page
    ) e where e.before < in_most_bytes
    order by e.seq;
    if found then
      return;
    end if;
    select d.first_seq, d.day, d.class into stretch from log_days d
      where d.org = in_org and d.grp = in_grp and d.first_seq > stretch.first_seq
      order by d.first_seq limit 1;
  end loop;
  return query select head.head_seq, head.epoch, nullif(stored_day, 0), null::bigint, null::smallint, null::bytea, null::bytea;
end
$$;
