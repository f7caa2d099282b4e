import type { WebSocket } from 'ws';

/** Stops and resumes reading from a socket; open at first. What was already read still arrives. A class, as `Intake`. */
export class ReadingGate {
  readonly #socket: WebSocket;
  #holds = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  isHeld(): boolean {
    return this.#holds > 0;
  }

  /** Reads nothing until what it returns is called; with several holds, until all are released. */
  hold(): () => void {
    this.#holds += 1;
    this.#socket.pause();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#holds -= 1;
      if (this.#holds === 0) this.#socket.resume();
    };
  }
}
