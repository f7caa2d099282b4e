import pg from 'pg';

/** The part of pg's connection that a COPY needs; its types leave it out. */
interface Wire {
  query(text: string): void;
  sendCopyFromChunk(bytes: Uint8Array): void;
  endCopyFrom(): void;
  sync(): void;
}

/** Sends these bytes by one `COPY … FROM STDIN (FORMAT binary)`, durable when it resolves. */
export function copyIn(client: pg.Client, table: string, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    let wire: Wire | null = null;
    let failure: Error | null = null;
    client.query({
      submit(connection: unknown) {
        wire = connection as Wire;
        wire.query(`copy ${table} from stdin (format binary)`);
      },
      handleCopyInResponse() {
        wire?.sendCopyFromChunk(bytes);
        wire?.endCopyFrom();
      },
      handleError(error: Error) {
        failure = error;
      },
      handleCommandComplete() {},
      handleReadyForQuery() {
        if (failure === null) resolve();
        else reject(failure);
      },
    } as unknown as pg.Submittable);
  });
}

const SIGNATURE = Buffer.from('PGCOPY\n\u00ff\r\n\0', 'latin1');

/** Rows of byte strings in COPY's binary format. */
export function copyRows(rows: readonly (readonly Uint8Array[])[]): Uint8Array {
  const parts: Uint8Array[] = [SIGNATURE, Buffer.alloc(8)];
  for (const row of rows) {
    const count = Buffer.alloc(2);
    count.writeUInt16BE(row.length);
    parts.push(count);
    for (const field of row) {
      const size = Buffer.alloc(4);
      size.writeInt32BE(field.length);
      parts.push(size, field);
    }
  }
  return Buffer.concat([...parts, Buffer.from([0xff, 0xff])]);
}
