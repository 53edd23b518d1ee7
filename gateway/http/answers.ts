/** What routes answer, for OpenAPI. Every schema is made when it is asked for: a supervisor that is not asked has none. */
import * as z from 'zod';

const diagnostic = () =>
  z.strictObject({
    position: z.strictObject({ file: z.string(), line: z.int(), column: z.int() }),
    path: z.string(),
    message: z.string(),
    severity: z.enum(['Error', 'Warning']),
  });

/** RFC 9457; `code` is that of the one table of errors. */
export const problem = () =>
  z.strictObject({
    type: z.string(),
    code: z.string(),
    title: z.string(),
    status: z.int(),
    retryable: z.boolean(),
    detail: z.string(),
    diagnostics: z.array(diagnostic()),
    etag: z.string().optional().describe('Of what is there, when it is not what If-Match or If-None-Match demanded.'),
  });

const source = { file: z.string(), firstLine: z.int(), text: z.string() };
const documentFields = { id: z.string(), kind: z.string(), name: z.string(), etag: z.string(), ...source };

export const documentList = () => z.array(z.strictObject(documentFields));
export const oneDocument = () =>
  z.strictObject({ ...documentFields, document: z.unknown().describe('The text as an object.') });

const cutFlow = () => z.strictObject({ flow: z.looseObject({ protocol: z.string() }), reason: z.string() });

export const planned = () =>
  z.strictObject({
    put: z.array(z.string()),
    added: z.array(z.string()).describe('Those of `put` that are new.'),
    remove: z.array(z.string()),
    steps: z.array(
      z.strictObject({
        subsystem: z.string(),
        phase: z.enum(['prepare', 'switch', 'prune']),
        changes: z.array(z.looseObject({ action: z.enum(['add', 'replace', 'remove']), key: z.string() })),
      }),
    ),
    cut: z.array(cutFlow()).describe('Live connections that would be ended.'),
    warnings: z.array(diagnostic()),
  });

export const changed = () =>
  z.strictObject({
    revision: z.int().describe('In force now.'),
    changed: z.array(z.string()),
    cut: z.int().describe('Connections that were ended.'),
    warnings: z.array(diagnostic()),
    paused: z.boolean().describe('The gateway is paused: the documents are kept, and the kernel was not touched.'),
  });

/** With `?dryRun=true` the plan. */
export const changedOrPlanned = () => z.union([changed(), planned()]);

export const confirmed = () => z.strictObject({ revision: z.int() });

const condition = () =>
  z.strictObject({
    type: z.string(),
    status: z.enum(['True', 'False', 'Unknown']),
    reason: z.string(),
    message: z.string(),
    observedGeneration: z.int(),
  });

export const status = () =>
  z.strictObject({
    name: z.string().optional(),
    version: z.string(),
    source: z.enum(['Folder', 'Api']),
    revision: z.int(),
    ready: z.boolean().describe('The kernel was verified to hold the latest revision.'),
    paused: z.boolean(),
    failover: memberStatus().optional().describe('Of a pair: this member.'),
    pendingConfirm: z.strictObject({ revision: z.int(), deadline: z.iso.datetime() }).optional(),
    lastChange: z.strictObject({ time: z.iso.datetime(), durationMs: z.number(), cutFlows: z.int() }).optional(),
    drift: z.strictObject({
      repairs: z.int(),
      last: z.strictObject({ time: z.iso.datetime(), what: z.array(z.string()), repaired: z.boolean() }).optional(),
    }),
    conditions: z.array(z.strictObject({ type: z.string(), status: z.enum(['True', 'False']), message: z.string() })),
    diagnostics: z.array(diagnostic()).describe('Of the documents that were refused last.'),
    folder: z.strictObject({ digest: z.string().optional(), taken: z.boolean() }).optional(),
    objects: z.array(
      z.strictObject({
        kind: z.string(),
        name: z.string(),
        source: z.string(),
        conditions: z.array(condition()),
        notes: z.array(z.string()),
      }),
    ),
  });

const memberFields = () => ({
  member: z.string(),
  peer: z.string().describe("The other member's address."),
  role: z.enum(['Active', 'Standby', 'Fault', 'Unknown']),
  since: z.string().describe('Empty while the role is not known.'),
  reason: z.string(),
  leaseMs: z.int().describe('For how long an advert lets this member speak.'),
  eligible: z.boolean(),
  notEligible: z.array(z.string()).describe('Why this member may not be active.'),
  faults: z.array(z.string()).describe('What is wrong with it; it stays eligible while the other is no better.'),
  roleChanges: z.int().describe('Since the supervisor started.'),
  lastGapMs: z
    .number()
    .optional()
    .describe('At most so long did nobody answer for the pair when the role came here last, as this member saw it.'),
  other: z
    .strictObject({
      name: z.string(),
      version: z.string(),
      role: z.enum(['Active', 'Standby', 'Fault', 'Unknown']),
      notEligible: z.array(z.string()),
      faults: z.array(z.string()).describe('What is wrong with it, whoever is active.'),
      documents: z.enum(['Same', 'Earlier', 'Later', 'None']).describe("Its documents, beside this member's."),
      clockOffsetMs: z.int().optional().describe('Positive where its clock is ahead.'),
    })
    .optional()
    .describe('The other member, as it tells of itself; left out while it is not heard.'),
  vote: z
    .strictObject({
      engine: z.enum(['Etcd', 'Kubernetes']),
      reachable: z.boolean().describe('It answered when it was asked last.'),
      holder: z.string().describe('Who holds it, as it was seen last; empty: nobody.'),
      peerAnswers: z.boolean().describe("The other member's kernel answers this one, as it does an elected one."),
    })
    .optional()
    .describe('The third voter of a `Strict` pair.'),
});

export const memberStatus = () => z.strictObject(memberFields());

export const failover = () =>
  z.strictObject({
    ...memberFields(),
    holdsLease: z.boolean().describe('The kernel lets this member speak.'),
    sync: z
      .strictObject({
        connections: z.int().describe('That this member tells the other of.'),
        injected: z.int().describe('That the other told of.'),
        backlog: z.int().describe('Messages that the other has not confirmed yet.'),
        lost: z.int().describe('Messages of the other that never came.'),
      })
      .optional()
      .describe('Left out when conntrackd does not answer.'),
  });

export const history = () =>
  z.array(
    z.strictObject({
      revision: z.int(),
      time: z.iso.datetime(),
      by: z.string(),
      put: z.array(z.string()),
      remove: z.array(z.string()),
      state: z.enum(['WaitsForConfirm', 'Current', 'Superseded']),
    }),
  );

export const auditLines = () =>
  z.array(
    z.strictObject({
      time: z.iso.datetime(),
      who: z.strictObject({
        name: z.string(),
        via: z.enum(['Folder', 'Socket', 'Token', 'Certificate', 'Deadline', 'Peer']),
        role: z.string().optional(),
        from: z.string().optional().describe('The address of the other side.'),
      }),
      action: z.string(),
      result: z.enum(['Done', 'Refused']),
      code: z.string().optional(),
      revision: z.int().optional(),
      subject: z.string().optional().describe('What was looked at, where nothing was changed.'),
      documents: z.array(
        z.strictObject({
          id: z.string(),
          change: z.enum(['Added', 'Changed', 'Removed']),
          digest: z.string().optional(),
        }),
      ),
      documentCount: z.int(),
      digest: z.string().optional(),
    }),
  );

const hop = () =>
  z.strictObject({
    at: z.string().describe('A link, chain or table of the kernel.'),
    what: z.string(),
    verdict: z.enum(['Passes', 'Delivered', 'Dropped', 'Rejected', 'Unroutable', 'Answered']),
    by: z
      .strictObject({ id: z.string(), file: z.string(), line: z.int() })
      .optional()
      .describe('The document, or its rule, that decided.'),
  });

const outcome = () =>
  z
    .strictObject({
      kind: z.enum(['Delivered', 'Dropped', 'Rejected', 'Unroutable', 'Answered']),
      reason: z.string().optional().describe('As in `vpcgw_drops_total`, or `LeakGuard`.'),
      source: z.string().optional(),
      destination: z.string().optional(),
      port: z.int().optional(),
      link: z.string().optional(),
    })
    .describe('How its way ends; as it leaves, when it is delivered.');

export const walk = () =>
  z.strictObject({
    from: z.string(),
    to: z.string(),
    protocol: z.string(),
    enters: z.string().describe('`VPC`, or the name of an external network.'),
    hops: z.array(hop()),
    outcome: outcome(),
    back: z.array(hop()).describe("The answer's way."),
  });

export const topView = () =>
  z.strictObject({
    connections: z.int(),
    connectionsMax: z.int(),
    drops: z.record(z.string(), z.int()).describe('Packets a second, by the reasons of `vpcgw_drops_total`.'),
    rows: z.array(
      z.strictObject({
        name: z.string(),
        address: z.string(),
        ingress: z.int().describe('Bits a second of IP packets.'),
        egress: z.int(),
        connections: z.int(),
        opened: z.int().describe('In a second.'),
        dropped: z.int().describe('Packets a second that its limit of bandwidth dropped.'),
      }),
    ),
    total: z.int().describe('Elastic IPs in all.'),
  });

export const natRows = () =>
  z.array(
    z.strictObject({
      kind: z.string(),
      name: z.string(),
      elasticIps: z.string(),
      match: z.string(),
      target: z.string(),
      connections: z.int(),
    }),
  );

export const balancerRows = () =>
  z.array(
    z.strictObject({
      balancer: z.string(),
      listener: z.string(),
      pool: z.string(),
      member: z.string(),
      state: z.enum(['Up', 'Down', 'Reserve', 'Out', 'Draining']),
      serves: z.boolean().describe('It takes new connections: also one that is down, where `allDown` says so.'),
      reason: z.string().describe('Of one that is down: of the check that failed last.'),
      weight: z.int(),
      connections: z.int(),
      since: z.string().describe('Since when its checks say so; empty for one that is not checked.'),
    }),
  );

export const conntrackRows = () =>
  z.array(
    z.strictObject({
      protocol: z.string(),
      from: z.string(),
      to: z.string(),
      seenAs: z.string(),
      endsAt: z.string(),
      bytes: z.int(),
    }),
  );

const bandwidthUse = () =>
  z
    .strictObject({
      limit: z.number().describe('Bits a second.'),
      rate: z.number().describe('Over the last second, in bits a second of Ethernet frames.'),
      dropped: z.int().describe('Packets, since the supervisor began to count.'),
    })
    .optional();

export const bandwidthRows = () =>
  z.array(
    z.strictObject({
      kind: z.string(),
      name: z.string(),
      package: z.string().describe('That it is a member of.'),
      ingress: bandwidthUse(),
      egress: bandwidthUse(),
    }),
  );

export const vpnRows = () =>
  z.array(
    z.strictObject({
      connection: z.string(),
      peer: z.string(),
      state: z.enum(['Up', 'Degraded', 'Down', 'Idle']),
      reason: z.string(),
      endpoint: z.string().optional().describe('Where it is now.'),
      handshakeAgeS: z.int().optional(),
      receivedBytes: z.int(),
      sentBytes: z.int(),
      probe: z
        .strictObject({
          address: z.string(),
          sent: z.int().describe('Of the last ones.'),
          lost: z.int(),
          roundTripMs: z.number().optional(),
        })
        .optional(),
    }),
  );

export const lineRows = () =>
  z.array(
    z.strictObject({
      line: z.string(),
      port: z.string().describe('Such as line0, or line0.100 for a VLAN.'),
      state: z.enum(['Up', 'Degraded', 'Down', 'Idle']),
      reason: z.string(),
      since: z.string(),
      trouble: z
        .string()
        .optional()
        .describe('What is wrong with it, where docs/reference/explain.md has a code for that.'),
      receivedBytes: z.int(),
      sentBytes: z.int(),
      switchOvers: z.int().describe('Times that its networks went elsewhere or came back.'),
      switchOverMs: z.number().optional().describe('Of the last time that it went down.'),
    }),
  );

export const bgpRows = () =>
  z.array(
    z.strictObject({
      line: z.string(),
      peer: z.string(),
      established: z.boolean(),
      state: z.string().describe('As BGP calls it.'),
      reason: z.string(),
      fault: z.string().optional(),
      taken: z.int().describe('Networks that were learnt.'),
      passedOver: z.int().describe('Networks that `accept` does not name.'),
      told: z.int().describe('Networks that the other end was told of.'),
      bfd: z.enum(['Up', 'Down']).optional(),
    }),
  );

export const routeRows = () =>
  z.array(
    z.strictObject({
      network: z.string(),
      by: z.string().describe('The document that leads there; nothing for what is refused.'),
      via: z.string(),
      link: z.string(),
      metric: z.int(),
      state: z.enum(['Taken', 'Next', 'Dead', 'Refuses']),
    }),
  );

export const peerConfig = () => z.strictObject({ config: z.string() });

export const explanation = () =>
  z.strictObject({
    kind: z.string(),
    name: z.string(),
    addresses: z.array(z.string()),
    source: z.string().optional().describe('Where in the documents it stands.'),
    findings: z
      .array(
        z.strictObject({
          check: z.string(),
          verdict: z.enum(['Pass', 'Fail', 'Warn', 'Skipped', 'Unknown']),
          code: z.string().describe('Of docs/reference/explain.md.'),
          evidence: z.array(z.string()),
          fix: z.string().optional(),
        }),
      )
      .describe('In order, from the documents to the VM.'),
  });

export const portRows = () =>
  z.array(
    z.strictObject({
      elasticIp: z.string(),
      address: z.string(),
      connections: z.int(),
      busiest: z.strictObject({ farEnd: z.string(), used: z.int() }).optional(),
      headroom: z.number().describe('Share of ports that are free towards the busiest far end, 0 to 1.'),
    }),
  );
