import { encodeUtf8 } from '@keytide/crypto-core';

/** `data/README-DECRYPT.txt`: for who finds the archive and has nothing of Keytide. */
export const README_DECRYPT: Uint8Array = encodeUtf8(`HOW TO READ THIS ARCHIVE

This folder was made with Keytide. It holds what an organisation wrote; the files whose names end in
.age are encrypted. To read them you need the organisation's archive key, or another key that it was
sealed to as well. The archive key was split among several
people: enough of them together can put it back, none of them alone. Each has a page with a line that
begins with KTS1.

1. IS EVERYTHING HERE?
   The folder is a BagIt bag (RFC 8493). With standard tools, in this folder:
       sha256sum -c tagmanifest-sha256.txt && sha256sum -c manifest-sha256.txt
   With Keytide, which also checks that nothing was left out and who signed it:
       keytide verify .

2. OPEN IT
   With Keytide, where enough of those who hold a share have come together (--help says what it takes):
       keytide recover . --to ../opened
   or, with the key in a file:
       keytide open . --key identity.txt --to ../opened
   Without it, put the key together by other means. How many pages it takes is on each of them ("Any 2 of 3
   holders"); it is also the eighth value of the list that is the first value in data/archive-key-set
   (CBOR), where that file is there. Pages count together if they have the same "Set".
   The shares are Shamir's, over GF(2^8) with the polynomial 0x11b, byte by byte. A printed
   share is Bech32m with the prefix kts; its bytes are: 1, the set's id (16), the share's number x (1),
   a salt (16), and 32 bytes, each the value at x of the polynomial whose value at 0 is a byte of the key.
   The 32 bytes are the seed of an X-Wing key. As Bech32 with the prefix AGE-SECRET-KEY-PQ-, in capitals,
   they are an identity of the program "age", version 1.3 or later: https://age-encryption.org, or the
   package "age-encryption" of npm. An older age, such as a system may bring along (age --version), says
   "unknown identity type" of it.

3. DECRYPT
       age -d -i identity.txt data/groups/.../segments/000000000001-....age > lines.jsonl
   Every file that ends in .age is opened in this way. Files in data/attachments are what was attached:
   data/attachments/BLOB.age is what a message means by "blob":"BLOB".

4. WHAT IT SAYS
   Segments are lines of JSON, one for each message, in the order in which they were sent. In each:
       seq       its place in the log of the group
       member    who wrote it: an id, whose name is in data/membership.jsonl
       content   what was written: [1, what was done, collection, item, time, counter, body]
                 what was done: 0 said, 1 created, 2 changed, 3 removed
                 time: milliseconds since 1970-01-01 UTC, by the writer's clock
                 an attachment is a map with blob (which file it is), sizeBytes, name and mediaType,
                 wherever in the content; data/attachments.jsonl lists them, and why one is missing
       envelope  the message as it travelled, signed and encrypted; the keys of these are in
                 the file of the same name that ends in .keys.age
       unreadable  in place of the content where there was no key for it: why
   Bytes are base64url without padding, within content as {"$bytes":"..."}.

5. PROVE IT
   How everything fits together is specified in docs/spec/archive.md of Keytide: the hashes of all
   messages are the leaves of a Merkle tree (RFC 9162), whose root members have signed.
`) as Uint8Array;
