/**
 * What was forgotten since a backup was made is not put back with it: its keys are not among those of now, so that it
 * would be noise. Logs begin where they begin now; one of which the backup has nothing that is left goes on after its floor.
 * Floors can be of other entries than the backup's, where another backup was put back in between: what the backup has a
 * tree of is as that tree says. A floor that is not where its log begins is there for its statement alone, and only where
 * there is no better one.
 */
export const FORGET_AGAIN = `
  do $$ begin
    -- A backup of before there were trees has none.
    if exists (select 1 from pg_attribute a where a.attrelid = 'log_days'::regclass and a.attname = 'tree_size') then
      update log_floors f set frontier = d.frontier from log_days d
        where d.org = f.org and d.grp = f.grp and d.tree_size = f.first_seq - 1;
    end if;
  end $$;
  delete from log_days d where d.class <> 0
    and not exists (select 1 from day_keys k where k.org = d.org and k.day = d.day);
  delete from statements s where s.class <> 0
    and not exists (select 1 from day_keys k where k.org = s.org and k.day = s.day);
  delete from log_floors f where not exists (select 1 from groups g where g.org = f.org and g.grp = f.grp);
  update groups g set head_seq = f.first_seq - 1, epoch = f.epoch
    from (select distinct on (org, grp) org, grp, first_seq, epoch from log_floors
          order by org, grp, first_seq desc) f
    where f.org = g.org and f.grp = g.grp and f.first_seq - 1 > g.head_seq
      and not exists (select 1 from log_days d where d.org = g.org and d.grp = g.grp);
  delete from log_floors f using groups g
    where g.org = f.org and g.grp = f.grp
      and (f.first_seq - 1 > g.head_seq or f.epoch > g.epoch
        or exists (select 1 from read_floor(f.org, f.grp) r where r.out_first_seq <> f.first_seq));
  update log_floors f set frontier = null where not exists (select 1 from read_floor(f.org, f.grp));
  update groups g set class = -1 where g.class > 0 and not exists (
    select 1 from log_days d where d.org = g.org and d.grp = g.grp and d.day = g.day);
`;
