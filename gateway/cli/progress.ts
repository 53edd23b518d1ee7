/** Says on a terminal's error stream that something takes longer than a second. */
const PATIENCE_MS = 1_000;

export async function withProgress<T>(what: string, work: Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work;
  const began = Date.now();
  const show = (): void => void process.stderr.write(`\r${what} … ${Math.round((Date.now() - began) / 1000)} s`);
  let ticking: NodeJS.Timeout | undefined;
  const patience = setTimeout(() => {
    show();
    ticking = setInterval(show, 1_000);
  }, PATIENCE_MS);
  try {
    return await work;
  } finally {
    clearTimeout(patience);
    clearInterval(ticking);
    if (ticking) process.stderr.write('\r\x1b[K');
  }
}
