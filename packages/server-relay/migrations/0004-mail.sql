-- Pairwise messages, ciphertext, until their recipients confirm them or their time is over.

-- A row for each device that was ever written to: the number of its newest message is never given again.
create table mailboxes (
  org bytea not null,
  recipient bytea not null check (octet_length(recipient) = 32),
  seq bigint not null,
  primary key (org, recipient)
);

create table mail (
  org bytea not null,
  recipient bytea not null,
  seq bigint not null,
  sender bytea not null check (octet_length(sender) = 32),
  message_id bytea not null check (octet_length(message_id) = 16),
  bytes bytea not null,
  expires_ms bigint not null,
  primary key (org, recipient, seq)
);
create unique index mail_by_message on mail (org, recipient, sender, message_id);
create index mail_by_expiry on mail (expires_ms);

-- Keeps a message. 0 stored, 1 stored before, 2 the id is that of another message, 3 the mailbox is full.
-- The mailbox's row is locked, so seqs become visible in their order and nobody counts what another adds.
create function put_mail(
  in_org bytea, in_recipient bytea, in_sender bytea, in_id bytea, in_bytes bytea, in_expires bigint,
  in_most int, in_most_of_sender int
) returns int
language plpgsql as $$
declare
  newest bigint;
  stored bytea;
  held int;
  of_sender int;
begin
  insert into mailboxes values (in_org, in_recipient, 0) on conflict do nothing;
  select m.seq into newest from mailboxes m where m.org = in_org and m.recipient = in_recipient for update;
  select m.bytes into stored from mail m
    where m.org = in_org and m.recipient = in_recipient and m.sender = in_sender and m.message_id = in_id;
  if stored is not null then
    return case when stored = in_bytes then 1 else 2 end;
  end if;
  select count(*), count(*) filter (where m.sender = in_sender) into held, of_sender
    from mail m where m.org = in_org and m.recipient = in_recipient;
  if held >= in_most or of_sender >= in_most_of_sender then
    return 3;
  end if;
  insert into mail values (in_org, in_recipient, newest + 1, in_sender, in_id, in_bytes, in_expires);
  update mailboxes m set seq = newest + 1 where m.org = in_org and m.recipient = in_recipient;
  return 0;
end
$$;
