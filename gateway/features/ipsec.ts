/**
 * Tunnels of IPsec: an interface for each, through which the kernel's security associations are chosen by its number. They
 * are the IKE daemon's to make (`ipsec/swanctl.ts`); until it has, what is routed there waits for it or is refused.
 */
import type { GatewayModel } from '../model/gateway-model.js';
import { RULE_PREF, tableOfTunnel, xfrmId } from '../model/ownership.js';
import { ipsecsOf, ipsecSpeakersOf } from '../model/vpn.js';
import type { Contribution, Feature } from './feature.js';
import { linkOf, mtuOf, troubleOf } from './sites.js';
import { endOf, waysOut } from './tunnel-ways.js';

export const ipsec: Feature = {
  name: 'ipsec',
  compile(model: GatewayModel, context): Contribution {
    const usable = ipsecsOf(model).filter((connection) => !troubleOf(connection, context.facts));
    const { routes, rules } = waysOut(usable, context);
    return {
      inbound: ipsecSpeakersOf(model).map(endOf),
      xfrmLinks: usable.map((connection) => ({
        name: linkOf(connection, context.facts),
        kind: 'xfrm',
        parent: '',
        up: true,
        mtu: mtuOf(connection, context),
        xfrmId: xfrmId(context.siteNumber(connection.site.origin.id)),
      })),
      routes,
      rules: [
        ...rules,
        // What the daemon itself says carries no mark, and comes from the elastic IP as nothing else of the gateway's does.
        ...usable.map(({ elasticIp: { address }, site }) => {
          const number = context.siteNumber(site.origin.id);
          const text = `${RULE_PREF.tunnel + number}: from ${address.text} iif lo lookup ${tableOfTunnel(number)}`;
          return { family: address.family, text };
        }),
      ],
    };
  },
};
