import { beforeAll, describe, expect, it } from 'vitest';
import { FAULTS } from '../../gateway/insight/explain/codes.js';
import type { Explanation } from '../../gateway/insight/explain/explain.js';
import { documentsOf, everything, FAULTS_SEEDED, guarded, healthy, routes } from '../support/explain-faults.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';

// The answer to "my elastic IP does not work": each seeded fault is named by its code and nothing else is, and where
// nothing is wrong nothing is named.

/** It promises 3 s, where the machine has nothing else to do. */
const answersWithinMs = 12_000;

describe('explain', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', 'db'] }],
    routes,
    documents: () => healthy(lab),
  });
  beforeAll(() => serve(lab.topology.inet, ...['web', 'app', 'db'].map((name) => lab.tenant.vm(name))));

  const explain = async (path: string): Promise<Explanation> => {
    const began = performance.now();
    const { status, text } = await lab.supervisor().get(`/v1/explain/${path}`);
    expect(status, text).toBe(200);
    expect(performance.now() - began).toBeLessThan(answersWithinMs);
    return JSON.parse(text) as Explanation;
  };
  const named = ({ findings }: Explanation, verdicts: readonly string[]) =>
    findings.filter(({ verdict }) => verdicts.includes(verdict)).map(({ code, evidence }) => ({ code, evidence }));

  it.each([['usual', healthy] as const, ['guarded', guarded] as const])(
    'names nothing on a healthy gateway: %s',
    async (_, documents) => {
      await lab.apply(documents(lab));
      for (const path of everything) {
        const explanation = await explain(path);
        expect({ path, named: named(explanation, ['Fail', 'Warn', 'Unknown']) }).toEqual({ path, named: [] });
        expect(explanation.findings.filter(({ verdict }) => verdict === 'Pass').length).toBeGreaterThan(8);
      }
    },
  );

  it.each(FAULTS_SEEDED.map((fault) => [fault.what, fault] as const))('names %s', async (_, fault) => {
    await lab.tenant.gateway.exec(['conntrack', '-F']);
    await lab.apply(documentsOf(fault, lab));
    const undo = await fault.seed?.(lab);
    try {
      const explanation = await explain(fault.ask);
      const found = named(explanation, ['Fail', 'Warn', 'Unknown']);
      const expected = [fault.code, ...(fault.warns ?? [])].sort();
      expect(found.map(({ code }) => code).sort(), JSON.stringify(found)).toEqual(expected);
      const { verdict, evidence, fix } = explanation.findings.find(({ code }) => code === fault.code) ?? {};
      expect(verdict).toBe(FAULTS[fault.code].verdict);
      expect(evidence?.length).toBeGreaterThan(0);
      expect(fix).toMatch(/\w/);
    } finally {
      await undo?.();
    }
  });
});
