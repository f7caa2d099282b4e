/**
 * What was forgotten since a backup was made is not put back with it: its keys are not among those of now, so that it
 * would be noise. Logs begin where they begin now; one of which the backup has nothing that is left goes on after its floor.
 */
export const FORGET_AGAIN = `
  delete from log_days d where d.class <> 0
    and not exists (select 1 from day_keys k where k.org = d.org and k.day = d.day);
  delete from statements s where s.class <> 0
    and not exists (select 1 from day_keys k where k.org = s.org and k.day = s.day);
  delete from log_floors f where not exists (select 1 from groups g where g.org = f.org and g.grp = f.grp);
  update groups g set head_seq = f.first_seq - 1, epoch = f.epoch
    from (select distinct on (org, grp) org, grp, first_seq, epoch from log_floors
          order by org, grp, first_seq desc) f
    where f.org = g.org and f.grp = g.grp and f.first_seq - 1 > g.head_seq;
  update groups g set class = -1 where g.class > 0 and not exists (
    select 1 from log_days d where d.org = g.org and d.grp = g.grp and d.day = g.day);
`;
