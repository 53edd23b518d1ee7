/** The ways that lead to the VPC's own networks and to sites, as the kernel has them. */
import type { CommandRunner } from '../kernel/command.js';
import { IP_FAMILIES, type IpRoute } from '../kernel/ip.js';
import { roleLink, TABLE_VPC } from '../model/ownership.js';
import type { CompileInput } from './compile.js';
import { contextOf } from './compile.js';
import { placedSites } from '../features/sites.js';

export interface RouteRow {
  readonly network: string;
  /** The id of the document that leads there; empty for what is refused. */
  readonly by: string;
  readonly via: string;
  readonly link: string;
  readonly metric: number;
  readonly state: 'Taken' | 'Next' | 'Dead' | 'Refuses';
}

type Hop = Pick<RouteRow, 'network' | 'via' | 'link' | 'metric'> & {
  readonly dead: boolean;
  readonly refuses: boolean;
};

export async function readSiteRoutes(run: CommandRunner, input: CompileInput): Promise<RouteRow[]> {
  const owners = new Map([
    [roleLink(input.model.internal.interface), `VpcGateway/${input.model.name}`],
    ...placedSites(input.model, contextOf(input)).flatMap(({ site, link }): [string, string][] =>
      link ? [[link.name, site.origin.id]] : [],
    ),
  ]);
  const hops: Hop[] = [];
  for (const family of IP_FAMILIES) {
    const argv = ['ip', '-j', `-${family}`, 'route', 'show', 'table', String(TABLE_VPC)] as const;
    // A table that nothing was put into is not there.
    const { stdout } = await run.run({ argv: [...argv], okExitCodes: [0, 2] });
    hops.push(...(JSON.parse(stdout || '[]') as IpRoute[]).flatMap(hopsOf));
  }
  return statesOf(hops).map(([{ network, via, link, metric, refuses }, state]) => ({
    network,
    by: refuses ? '' : (owners.get(link) ?? ''),
    via,
    link: refuses ? '' : link,
    metric,
    state,
  }));
}

const IPV6_METRIC = 1024;

function hopsOf({ type, dst, gateway = '', dev = '', metric = 0, flags = [], nexthops }: IpRoute): Hop[] {
  const common = { network: dst, metric: metric === IPV6_METRIC ? 0 : metric, refuses: type === 'unreachable' };
  const each = nexthops ?? [{ gateway, dev, flags }];
  return each.map((hop) => ({ ...common, via: hop.gateway ?? '', link: hop.dev, dead: hop.flags.includes('dead') }));
}

/** Of each network the ways of the lowest metric that live are taken. */
export function statesOf(hops: readonly Hop[]): [Hop, RouteRow['state']][] {
  const best = new Map<string, number>();
  for (const { network, metric, dead } of hops)
    if (!dead) best.set(network, Math.min(best.get(network) ?? Infinity, metric));
  return hops.map((hop) => {
    if (hop.dead) return [hop, 'Dead'];
    if (hop.refuses) return [hop, 'Refuses'];
    return [hop, hop.metric === best.get(hop.network) ? 'Taken' : 'Next'];
  });
}
