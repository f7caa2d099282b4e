-- What wiped devices say they have done: a signed receipt each. Times are milliseconds since 1970.
create table wipe_receipts (
  org bytea not null,
  device bytea not null check (octet_length(device) = 32),
  wire bytea not null,
  primary key (org, device)
);

-- Unlock shares: one a device, under an id that is on the device's disk and nowhere else. verifier: a hash of the
-- proof that it takes. attempts: wrong proofs since the last right one.
create table unlock_shares (
  org bytea not null,
  id bytea not null check (octet_length(id) = 32),
  device bytea not null check (octet_length(device) = 32),
  share bytea not null check (octet_length(share) = 32),
  verifier bytea not null check (octet_length(verifier) = 32),
  expires_ms bigint not null,
  attempts smallint not null,
  primary key (org, device)
);
create unique index unlock_shares_by_id on unlock_shares (org, id);
create index unlock_shares_by_expiry on unlock_shares (expires_ms);

-- What the relay holds for a device and must not give to it any more. One look-up for each epoch: by device the
-- boxes have no index, which every announcement would have to pay for.
create function forget_device(in_org bytea, in_device bytea) returns void
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  delete from boxes b using statements s
    where s.org = in_org and b.org = s.org and b.grp = s.grp and b.epoch = s.epoch and b.device = in_device;
  delete from unlock_shares u where u.org = in_org and u.device = in_device;
end
$$;
