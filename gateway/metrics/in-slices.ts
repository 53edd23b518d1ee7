/** Thousands of small pieces of work, with others let in between: nobody waits for all of them. */
import { setImmediate as others } from 'node:timers/promises';

const SLICE = 250;

export async function inSlices<Item>(items: readonly Item[], work: (item: Item) => void): Promise<void> {
  for (let begin = 0; begin < items.length; begin += SLICE) {
    for (const item of items.slice(begin, begin + SLICE)) work(item);
    await others();
  }
}
