import type { Ports } from '@keytide/client';
import type { Wire } from './wire.ts';

/** What a device hears of the relay that its own rules count from. */
export interface Hearing {
  /** What time the relay says it is. */
  welcome(): void;
  /** That it keeps the unlock share for another lease. */
  lease(): void;
}

/** Whether one device reaches the relay, and what passes on the way. */
export class Line {
  readonly #wire: Wire;
  readonly #device: string;
  readonly #hearing: Hearing;
  readonly #sockets = new Set<WebSocket>();
  #isCut = false;

  constructor(wire: Wire, device: string, hearing: Hearing) {
    this.#wire = wire;
    this.#device = device;
    this.#hearing = hearing;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.close();
  }

  mend(): void {
    this.#isCut = false;
  }

  get ports(): Pick<Ports, 'fetch' | 'WebSocket'> {
    const [line, wire, device, sockets, hearing] = [
      this,
      this.#wire,
      this.#device,
      this.#sockets,
      this.#hearing,
    ];
    class TappedSocket extends WebSocket {
      /** What waits for an answer. */
      readonly #asked = new Set<string>();

      constructor(url: string | URL) {
        // Nothing listens there, and no runtime would even ask.
        super(line.isCut ? 'ws://127.0.0.1:9' : url);
        sockets.add(this);
        this.addEventListener('message', ({ data }) => {
          const frame = wire.received(new Uint8Array(data as ArrayBuffer));
          if (frame.type === 'welcome') {
            hearing.welcome();
            this.#answered('hello');
          }
          if (frame.type === 'caught-up') this.#answered('subscribe');
          if (frame.type === 'appended' || frame.type === 'refused') this.#answered(String(frame.requestId));
        });
        this.addEventListener('close', () => {
          sockets.delete(this);
          for (const asked of this.#asked) this.#answered(asked);
        });
      }

      override send(data: Uint8Array<ArrayBuffer>): void {
        const frame = wire.sent(device, data);
        const asked = 'requestId' in frame ? String(frame.requestId) : frame.type;
        if (frame.type !== 'ping' && frame.type !== 'ephemeral' && !this.#asked.has(asked)) {
          this.#asked.add(asked);
          wire.inFlight += 1;
        }
        super.send(data);
      }

      #answered(asked: string): void {
        if (this.#asked.delete(asked)) wire.inFlight -= 1;
      }
    }
    return { fetch: (input, init) => this.#fetch(input, init), WebSocket: TappedSocket };
  }

  async #fetch(input: Parameters<typeof fetch>[0], init: RequestInit = {}): Promise<Response> {
    const wire = this.#wire;
    if (this.#isCut) throw new TypeError('no network');
    wire.inFlight += 1;
    try {
      const response = await fetch(input, init);
      const bytes = new Uint8Array(await response.arrayBuffer());
      const url = new URL(String(input));
      if (response.ok) wire.answered(url, init.body ?? undefined, bytes);
      if (response.ok && /\/unlock-share(\/renew)?$/.test(url.pathname)) this.#hearing.lease();
      if (this.#isCut) throw new TypeError('the line was cut');
      return new Response(bytes.length === 0 ? null : bytes, response);
    } finally {
      wire.inFlight -= 1;
      wire.count += 1;
    }
  }
}
