import { parseSealingRecord, type DeviceId, type SealingRecord } from '@keytide/crypto-core';
import {
  decodeClientFrame,
  decodeRelayFrame,
  logAppendRequest,
  logAppendResponse,
  logResponse,
  organisationRequest,
  sealingRecordRequest,
  type ClientFrame,
  type GroupEntry,
  type RelayFrame,
} from '@keytide/relay-protocol';

/** Everything that a relay and whoever listens at its door knows: what passed between it and the devices. */
export class Wire {
  /** The membership log, as far as any device has read or written it; there can be a hole before what is newest. */
  readonly membership: Uint8Array[] = [];
  /** The group's log, as far as any device was given it; the same. */
  readonly group: GroupEntry[] = [];
  /** Sealing records that the relay took. */
  readonly sealing: SealingRecord[] = [];
  /** Whose boxes came with each epoch statement, by its bytes. */
  readonly #boxed = new Map<string, readonly DeviceId[]>();
  /** Who handed an envelope in, by its bytes. */
  readonly #senders = new Map<string, string>();
  /** How much has passed; and how many requests wait for their answers. */
  count = 0;
  inFlight = 0;

  /** The name of the device that handed this envelope in. */
  senderOf(envelope: Uint8Array): string {
    return this.#senders.get(keyOf(envelope)) ?? 'nobody';
  }

  /** The devices that a box was handed in for with this statement. */
  boxedIn(statement: Uint8Array): readonly DeviceId[] {
    return this.#boxed.get(keyOf(statement)) ?? [];
  }

  sent(device: string, bytes: Uint8Array): ClientFrame {
    this.count += 1;
    const frame = decodeClientFrame(bytes);
    if (frame.type === 'announce')
      this.#boxed.set(
        keyOf(frame.statement),
        frame.boxes.map((box) => box.device),
      );
    if (frame.type === 'append')
      for (const { envelope } of frame.items) this.#senders.set(keyOf(envelope), device);
    return frame;
  }

  received(bytes: Uint8Array): RelayFrame {
    this.count += 1;
    const frame = decodeRelayFrame(bytes);
    if (frame.type === 'entries')
      for (const [i, entry] of frame.entries.entries())
        note(this.group, frame.firstSeq - 1 + i, entry, ({ bytes: own }) => own);
    return frame;
  }

  answered(url: URL, body: unknown, answer: Uint8Array): void {
    this.count += 1;
    const json = (): unknown => JSON.parse(Buffer.from(answer).toString());
    if (url.pathname.endsWith('/log') && body === undefined) {
      const from = Number(url.searchParams.get('from'));
      for (const [i, entry] of logResponse.parse(json()).entries.entries())
        note(this.membership, from + i, entry, (own) => own);
    }
    if (url.pathname.endsWith('/log') && typeof body === 'string') {
      const { entry } = logAppendRequest.parse(JSON.parse(body));
      note(this.membership, logAppendResponse.parse(json()).index, entry, (own) => own);
    }
    if (url.pathname.endsWith('/organisations') && typeof body === 'string')
      note(this.membership, 0, organisationRequest.parse(JSON.parse(body)).entry, (own) => own);
    if (url.pathname.endsWith('/sealing-records') && typeof body === 'string')
      this.sealing.push(parseSealingRecord(sealingRecordRequest.parse(JSON.parse(body)).record));
  }
}

/** @throws where somebody was shown something else */
function note<T>(list: T[], place: number, value: T, bytesOf: (value: T) => Uint8Array): void {
  const before = list[place];
  list[place] = value;
  if (before !== undefined && Buffer.compare(bytesOf(before), bytesOf(value)) !== 0)
    throw new Error(`two devices were shown different entries at ${place}`);
}

const keyOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
