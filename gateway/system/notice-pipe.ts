/** A pipe whose lines are read as they come; what its writer says while nobody reads waits in it. */
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

export class NoticePipe {
  #socket: Socket | undefined;

  constructor(private readonly onLine: (line: string) => void) {}

  /** `path` is a pipe that exists. Opened for writing too, so that no writer's end is ours. */
  open(path: string): void {
    if (this.#socket) return;
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.unref();
    createInterface({ input: this.#socket }).on('line', this.onLine);
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}
