// The numbers of the standard picture, all from ranges reserved for documentation, benchmarks or private use.

export interface External {
  /** The label of the namespace that is both the upstream router and a host of the internet. */
  router: string;
  /** What gateways have as their next hop. */
  gateways: [string, string];
  routerAddresses: [string, string];
  /** Elastic IPs that the router finds by ARP and neighbour discovery on the segment. */
  elasticRanges: [string, string];
  hostAddresses: string[];
  /** The gateway's own address on the segment, for the tenant with this index. */
  gatewayAddresses(tenant: number): [string, string];
}

export const internet: External = {
  router: 'inet',
  gateways: ['100.64.0.1', '2001:db8:ffff::1'],
  routerAddresses: ['100.64.0.1/24', '2001:db8:ffff::1/64'],
  elasticRanges: ['203.0.113.0/24', '2001:db8:e::/64'],
  hostAddresses: [...[1, 2, 3, 4, 5, 6, 7, 8].map((host) => `198.51.100.${host}`), '2001:db8:1::1'],
  gatewayAddresses: (tenant) => [`100.64.0.${11 + tenant}/24`, `2001:db8:ffff::${11 + tenant}/64`],
};

export const secondInternet: External = {
  router: 'inet2',
  gateways: ['100.65.0.1', '2001:db8:fffe::1'],
  routerAddresses: ['100.65.0.1/24', '2001:db8:fffe::1/64'],
  elasticRanges: ['198.18.0.0/24', '2001:db8:e2::/64'],
  hostAddresses: ['198.19.0.1', '2001:db8:2::1'],
  gatewayAddresses: (tenant) => [`100.65.0.${11 + tenant}/24`, `2001:db8:fffe::${11 + tenant}/64`],
};

/** Between the two routers, so that a client of one reaches elastic IPs of the other. */
export const core = {
  first: ['100.66.0.1/30', '2001:db8:c::1/64'],
  second: ['100.66.0.2/30', '2001:db8:c::2/64'],
};

/** A host behind `inet`, on a link with an MTU of its own: frag-needed and time-exceeded come from `inet`. */
export const far = {
  router: ['198.51.100.65/30', '2001:db8:f::1/64'],
  host: ['198.51.100.66/30', '2001:db8:f::2/64'],
};

/** The same for every tenant: their ranges overlap on purpose. */
export const vpc = {
  nextHops: ['10.0.0.1', 'fd00:a::1'],
  vmAddresses: (vm: number) => [`10.0.0.${5 + vm}/24`, `fd00:a::${5 + vm}/64`],
  routerAddresses: ['10.0.0.254/24', 'fd00:a::fe/64'],
  /** Behind the tenant's own router. */
  behind: {
    prefixes: ['10.0.1.0/24', 'fd00:a:1::/64'],
    routerAddresses: ['10.0.1.1/24', 'fd00:a:1::1/64'],
    hostAddresses: ['10.0.1.5/24', 'fd00:a:1::5/64'],
  },
};

/** Of a pair's members towards each other. */
export const memberAddresses = ['172.31.0.1', '172.31.0.2'] as const;
export const memberAddresses6 = ['fd31::1', 'fd31::2'] as const;
/** On the external side. */
export const secondPathAddresses = ['172.30.0.1', '172.30.0.2'] as const;

export function isIpv6(address: string): boolean {
  return address.includes(':');
}

export function withoutPrefix(address: string): string {
  return address.split('/')[0] ?? address;
}
