/**
 * What recurs falls together: to wake up costs a process that rests more than most of what it does then. In step with the
 * process alone, so that those of one machine do not wake at once.
 */
const BEAT_MS = 1_000;

interface Recurring {
  readonly beats: number;
  readonly run: () => void;
}

const all = new Set<Recurring>();
let timer: NodeJS.Timeout | undefined;
let count = 0;

/** Every so many whole seconds, the first time sooner than that. It keeps no process alive. Gives what ends it. */
export function onBeat(everyMs: number, run: () => void): () => void {
  const recurring = { beats: Math.max(1, Math.round(everyMs / BEAT_MS)), run };
  all.add(recurring);
  timer ??= setInterval(beat, BEAT_MS).unref();
  return () => {
    all.delete(recurring);
    if (all.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function beat(): void {
  count++;
  // As they are now: one may end another, or begin one.
  for (const recurring of [...all]) if (count % recurring.beats === 0 && all.has(recurring)) recurring.run();
}
