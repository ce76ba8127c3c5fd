/** A server that the test plays: every socket that was opened, what it was asked for, and what it says. */
export class SocketServer {
  readonly sockets: FakeSocket[] = [];
  readonly WebSocket: typeof WebSocket;

  constructor() {
    const sockets = this.sockets;
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    } as unknown as typeof WebSocket;
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }
}

export class FakeSocket extends EventTarget {
  readonly asked: URLSearchParams;
  isClosed = false;

  constructor(readonly url: string) {
    super();
    this.asked = new URL(url).searchParams;
  }

  open(): void {
    this.dispatchEvent(new Event("open"));
  }

  say(message: unknown): void {
    const data = typeof message === "string" ? message : JSON.stringify(message);
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  /** The server, or the network, ends it. */
  cut(code = 1006): void {
    this.isClosed = true;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  close(): void {
    this.isClosed = true;
  }
}
