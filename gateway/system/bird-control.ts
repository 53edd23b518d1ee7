/** Questions to BIRD by its control socket: each is a line, and its answer ends with a line whose code says so. */
import { createConnection } from 'node:net';

const WITHIN_MS = 2_000;
const MAX_BYTES = 4 * 1024 * 1024;

/** The lines of the answer without their codes. */
export function askBird(socket: string, question: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    let heard = '';
    let asked = false;
    const timer = setTimeout(() => connection.destroy(new Error('BIRD does not answer')), WITHIN_MS);
    connection.setEncoding('utf8');
    connection.on('data', (chunk: string) => {
      heard += chunk;
      if (heard.length > MAX_BYTES) connection.destroy(new Error('BIRD says too much'));
      const lines = heard.split('\n');
      if (!asked && lines.some((line) => line.startsWith('0001 '))) {
        asked = true;
        heard = '';
        connection.write(`${question}\n`);
      } else if (asked && lines.some((line) => /^(0\d\d\d|[89]\d\d\d) /.test(line))) {
        clearTimeout(timer);
        connection.end();
        resolve(lines.map((line) => line.replace(/^(?:\d{4}[- ]| )/, '')));
      }
    });
    connection.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
