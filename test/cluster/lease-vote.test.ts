import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { gateway } from '../support/documents.js';
import { layManagement } from '../support/management-network.js';
import { FAULTS } from '../support/pair-faults.js';
import { pairDocuments, pairOptions, servePair } from '../support/pair-flows.js';
import type { PairLabOptions } from '../support/pair-lab.js';
import { walk } from '../support/pair-walk.js';
import { currentRun } from '../support/run-name.js';
import { usePairLab } from '../support/use-pair-lab.js';
import { apiServerUrl, nodeNetwork } from './lab/addresses.js';
import { buildPrograms } from './lab/cluster.js';
import { ControlPlane, STRANGER } from './lab/control-plane.js';

// A `Strict` pair whose third voter is a Lease of a real API server, of which its token may do what the documentation asks
// for and nothing else.

const namespace = 'gateways';
const rights = {
  role: {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'vote', namespace },
    rules: [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] }],
  },
  binding: {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'vote', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'vote' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: STRANGER }],
  },
};

describe('a Strict pair with a Lease', () => {
  let plane: ControlPlane;
  const memberFile: { vote?: object } = {};
  const options: PairLabOptions = {
    ...pairOptions(),
    memberFile,
    before: async ({ switch: place }, tenant) => {
      await layManagement(place, tenant, nodeNetwork.controlPlane);
      const directory = join(mkdtempSync(join(currentRun().directory, 'plane-')), 'cp');
      plane = await ControlPlane.start(place, await buildPrograms(), directory);
      await plane.api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
      await plane.api.apply(rights.role);
      await plane.api.apply(rights.binding);
      memberFile.vote = { caFile: plane.authorityFile, tokenFile: plane.strangerTokenFile };
    },
    documents: (tenant) => {
      const vote = { engine: 'Kubernetes', servers: [apiServerUrl], namespace };
      const highAvailability = { mode: 'AcrossNodes', fencing: 'Strict', vote };
      return pairDocuments(gateway(tenant, { spec: { highAvailability } }));
    },
  };
  const lab = usePairLab(options);
  beforeAll(() => servePair(lab));

  const holder = async () => {
    const list = await plane.api.get<{ items: { spec: { holderIdentity?: string } }[] }>(
      `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
    );
    return list.items.map(({ spec }) => spec.holderIdentity ?? '');
  };

  it('asks the API server for the vote when a node dies, and gives it back when both are there', async () => {
    const { standby } = await lab.settled();
    const [death] = FAULTS;
    if (!death) throw new Error('no fault');
    let held: string[] = [];
    const heal: typeof death.heal = async (...args) => {
      held = await holder();
      await death.heal(...args);
    };
    const { flows, speaking, expected, untranslated, overlapMs: both } = await walk({ ...death, heal }, lab);
    expect(flows.filter(({ lost }) => lost > 0)).toEqual([]);
    expect(speaking).toEqual([expected]);
    expect(untranslated).toBe(0);
    expect(both).toBe(0);
    expect(held).toEqual([expect.stringMatching(new RegExp(`^${standby.name} `))]);
    await lab.until('nobody holds the vote', async () => (await holder()).join() === '');
  });
});
