import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { VpcgwError } from '../../gateway/errors.js';
import { documents } from '../support/arbitrary-documents.js';
import type { Document } from '../support/documents.js';
import { type Fault, FAULTS } from '../support/faulty-runner.js';
import { GatewayWorld } from '../support/gateway-world.js';

// Random documents and random edits on a real kernel: after each, what is observed is what is desired. With a fault at
// every command, and a kill at, before and within every command, it converges again, and the leak guard is never missing.

const inLab = process.env['KERNEL_LAB'] === '1';
/** For each test; more finds more. */
const budgetMs = Number(process.env['PROPERTY_BUDGET_MS'] ?? 4_000);
const numRuns = inLab ? 2 : Math.ceil(budgetMs / 500);

let world: GatewayWorld;
afterEach(() => world.destroy());

/** For as many random cases as fit into the time, and one at least; a failure shows its seed. */
function check<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => Promise<void>, runs = numRuns): Promise<void> {
  const began = performance.now();
  const inTime = (value: T): Promise<void> =>
    performance.now() - began > budgetMs ? Promise.resolve() : property(value);
  return fc.assert(fc.asyncProperty(arbitrary, inTime), { numRuns: runs, endOnFailure: true });
}

describe('random documents', () => {
  it('are what the kernel holds, after every edit of a sequence', { timeout: 120_000 + 2 * budgetMs }, async () => {
    world = await GatewayWorld.create();
    await check(fc.array(documents, { minLength: 3, maxLength: 6 }), async (sequence) => {
      for (const step of sequence) {
        await world.submit(step);
        await world.verify(step);
      }
    });
  });

  it('are what the kernel holds after a restart in between', { timeout: 120_000 + 2 * budgetMs }, async () => {
    world = await GatewayWorld.create();
    await check(
      fc.array(documents, { minLength: 2, maxLength: 3 }),
      async (sequence) => {
        for (const step of sequence) {
          await world.submit(step);
          world.begin();
          await world.supervisor.start();
          await world.verify(step);
        }
      },
      numRuns / 2,
    );
  });
});

describe('with a fault at every command', () => {
  /** Faults at each command of an edit, in an order in which any few already spread over the whole edit. */
  const spread = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => (i * ([7, 5, 3].find((step) => count % step > 0) ?? 1)) % count);

  async function survive(
    before: readonly Document[] | undefined,
    after: readonly Document[],
    fault: Fault,
  ): Promise<void> {
    world.runner.count = 0;
    world.runner.fault = fault;
    const failure = await world.submit(after).catch((error: unknown) => error);
    world.runner.fault = undefined;
    if (fault.how === 'Fails') {
      // Refused, and the former documents in force; or taken, where the command did not matter.
      if (failure !== undefined) expect(failure).toBeInstanceOf(VpcgwError);
      if (before) await world.verify(failure === undefined ? after : before);
    } else {
      if (failure !== undefined) expect(failure, 'killed').toBeInstanceOf(Error);
      world.begin();
      await world.supervisor.start();
      if (world.supervisor.current) await world.verify();
    }
    await world.submit(after);
    await world.verify(after);
  }

  async function commandsOf(before: readonly Document[], after: readonly Document[]): Promise<number> {
    await world.submit(before);
    world.runner.count = 0;
    await world.submit(after);
    return world.runner.count;
  }

  it.each(FAULTS)('an edit %s and converges again', { timeout: 120_000 + 2 * budgetMs }, async (how) => {
    world = await GatewayWorld.create();
    const began = performance.now();
    await check(
      fc.tuple(documents, documents),
      async ([before, after]) => {
        const count = await commandsOf(before, after);
        for (const at of spread(count)) {
          if (performance.now() - began > budgetMs) return;
          await world.submit(before);
          await survive(before, after, { at, how });
        }
      },
      numRuns,
    );
  });

  it.each(FAULTS)('the first start of all %s and converges again', { timeout: 120_000 + 2 * budgetMs }, async (how) => {
    world = await GatewayWorld.create();
    const [first] = fc.sample(documents, 1);
    if (!first) throw new Error('no sample');
    await world.submit(first);
    const { count } = world.runner;
    const began = performance.now();
    for (const at of spread(count)) {
      if (performance.now() - began > budgetMs / 2) break;
      world.destroy();
      world = await GatewayWorld.create();
      await survive(undefined, first, { at, how });
    }
  });
});
