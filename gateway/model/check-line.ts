/** What must hold between dedicated lines, tunnels and the gateway's own sides. */
import { type At, checkLocal, ownNetworks, relation } from './check-vpn.js';
import type { Complaints } from './complaints.js';
import type { GatewayModel } from './gateway-model.js';
import { type Cidr, contains, containsCidr, overlaps } from './ip.js';
import type { DedicatedLine } from './line.js';
import { ownAddresses } from './own-addresses.js';
import { offeredBy, sameTranslation, type SiteLink } from './site-link.js';
import { isOneOfSeveral } from './vpn.js';

export function checkLines(model: GatewayModel, complaints: Complaints): void {
  model.dedicatedLines.forEach((line, index) => {
    const at: At = (path, message) => complaints.of(line.origin.id, ['spec', ...path], message);
    const earlier = model.dedicatedLines.slice(0, index);
    checkLocal(line, model, at);
    checkPort(line, earlier, model, complaints, at);
    checkEnds(line, earlier, model, complaints, at);
    checkNetworks(line, earlier, model, complaints, at);
    checkProbe(line, at);
    checkBackup(line, complaints, at);
    checkAdvertised(line, at);
    checkElsewhere(line, earlier, complaints, at);
    checkNeeded(line, model, complaints);
  });
}

function checkPort(
  { port, vlan }: DedicatedLine,
  earlier: readonly DedicatedLine[],
  { internal, externals, management }: GatewayModel,
  complaints: Complaints,
  at: At,
): void {
  const users = new Map([
    ...externals.map(({ name, interface: used }): [string, string] => [used, `external network ${name}`]),
    [internal.interface, "the VPC's side"],
    ...(management === undefined ? [] : [[management, 'the management network'] as [string, string]]),
  ]);
  const user = users.get(port);
  if (user !== undefined) at(['port', 'interface'], `${port} is ${user}; a line needs a port of its own`);
  const twin = earlier.find((line) => line.port === port && line.vlan === vlan);
  if (twin)
    at(
      ['port'],
      `${port}${vlan === undefined ? ' without a VLAN' : ` VLAN ${vlan}`} is where ${complaints.where(twin.origin.id)} ends already; give each a VLAN of its own`,
    );
}

/** Both ends are in one subnet, which is nobody else's. */
function checkEnds(
  { addresses, peers }: DedicatedLine,
  earlier: readonly DedicatedLine[],
  model: GatewayModel,
  complaints: Complaints,
  at: At,
): void {
  addresses.forEach(({ address, network }, i) => {
    const path = ['localAddresses', i];
    if (addresses.slice(0, i).some((other) => other.address.family === address.family))
      at(path, `a second IPv${address.family} address; one per family is enough`);
    const owner = ownAddresses(model.sides).get(address.text);
    const twin = earlier.find((line) => line.addresses.some((other) => other.address.text === address.text));
    if (owner !== undefined) at(path, `${address.text} is ${owner}`);
    else if (twin) at(path, `${address.text} is the address of ${complaints.where(twin.origin.id)} already`);
    const used = ownNetworks(model).find(({ cidr }) => overlaps(cidr, network));
    if (used) at(path, `${network.text} ${relation(network, used.cidr)} ${used.what} ${used.cidr.text}`);
  });
  peers.forEach((peer, i) => {
    const path = ['peerAddresses', i];
    if (peers.slice(0, i).some((other) => other.family === peer.family))
      at(path, `a second IPv${peer.family} address; one per family is enough`);
    const own = addresses.find(({ address }) => address.family === peer.family);
    if (!own) at(path, `${peer.text} needs an IPv${peer.family} address of the gateway in localAddresses`);
    else if (own.address.text === peer.text) at(path, `${peer.text} is the gateway's own address`);
    else if (!contains(own.network, peer)) at(path, `${peer.text} is not in ${own.network.text}`);
  });
}

function checkProbe({ probe, addresses, peers, site }: DedicatedLine, at: At): void {
  if (!probe) return;
  const { address } = probe;
  const known = peers.some(({ text }) => text === address.text) || site.remote.some((cidr) => contains(cidr, address));
  if (!known) at(['probe', 'address'], `${address.text} is neither the other end nor in the line's networks`);
  else if (!addresses.some((own) => own.address.family === address.family))
    at(['probe', 'address'], `${address.text} is IPv${address.family}, and no address of localAddresses is`);
}

/** Nothing is drawn in that would not be led on. */
function checkAdvertised({ bgp, site }: DedicatedLine, at: At): void {
  const offered = offeredBy(site);
  bgp?.advertise.forEach((network, i) => {
    if (!offered.some((own) => containsCidr(own, network) || containsCidr(network, own)))
      at(['bgp', 'advertise', i], `${network.text} has nothing of what the site is offered (${list(offered)})`);
  });
}

/** Who has no way out of their own is led by one of them, whichever it is at the time. */
function checkElsewhere(
  { site }: DedicatedLine,
  earlier: readonly DedicatedLine[],
  complaints: Complaints,
  at: At,
): void {
  const path = ['bgp', 'acceptDefaultRoute'];
  const other = earlier.find((line) => line.site.elsewhere.some((family) => site.elsewhere.includes(family)));
  if (!other) return;
  const where = complaints.where(other.origin.id);
  if (!sameTranslation(other.site, site))
    at(path, `${where} takes a default route too, and has another translate; a connection keeps its addresses`);
  const textOf = (line: SiteLink): string =>
    line.local
      .map(({ text }) => text)
      .sort()
      .join(', ');
  if (textOf(other.site) !== textOf(site))
    at(
      path,
      `${where} takes a default route too, for ${textOf(other.site)}; one of the two leads at a time, so give both the same localNetworks`,
    );
}

/** Who has a way out keeps it. */
function checkNeeded({ site, origin }: DedicatedLine, { snatRules }: GatewayModel, complaints: Complaints): void {
  const led = site.local.filter(({ family }) => site.elsewhere.includes(family));
  const rule = snatRules.find(({ sources }) =>
    led.every((network) => sources.some((source) => containsCidr(source, network))),
  );
  if (led.length > 0 && rule)
    complaints.of(
      origin.id,
      ['spec', 'bgp', 'acceptDefaultRoute'],
      `leads nobody: ${complaints.where(rule.origin.id)} is the way out of all of ${list(led)} already`,
      'Warning',
    );
}

const list = (cidrs: readonly Cidr[]): string => cidrs.map(({ text }) => text).join(', ');

function checkNetworks(
  { peers, site, backup, bgp }: DedicatedLine,
  earlier: readonly DedicatedLine[],
  model: GatewayModel,
  complaints: Complaints,
  at: At,
): void {
  site.remote.forEach((network, i) => {
    const path = bgp ? ['bgp', 'accept', i, 'cidr'] : ['static', 'networks', i];
    if (bgp && network.length === 0) {
      at(path, `${network.text} is a default route; leave it out, and say acceptDefaultRoute: true`);
      return;
    }
    if (!peers.some(({ family }) => family === network.family))
      at(path, `${network.text} is IPv${network.family}, and no address of peerAddresses is`);
    const twin = site.remote.slice(0, i).find((other) => overlaps(other, network));
    if (twin) at(path, `${network.text} overlaps ${twin.text}, which stands there already`);
    const own = [...ownNetworks(model), ...subnetsOf(model)].find(({ cidr }) => overlaps(cidr, network));
    if (own) at(path, `${network.text} ${relation(network, own.cidr)} ${own.what} ${own.cidr.text}`);
    const sharing = earlier.find(
      (line) => line.site.remote.some((other) => other.text === network.text) && !sameTranslation(line.site, site),
    );
    if (sharing)
      at(
        path,
        `${network.text} is a network of ${complaints.where(sharing.origin.id)} too, which has another translate; a connection keeps its addresses whichever line carries it`,
      );
    const other = earlier.find(
      (line) =>
        (line.bgp === undefined) !== (bgp === undefined) &&
        line.site.metric === site.metric &&
        line.site.remote.some((each) => overlaps(each, network)),
    );
    if (other)
      at(
        path,
        `${network.text} is led to by ${complaints.where(other.origin.id)} with the same priority, and one of the two is learnt; give them different ones`,
      );
    // Several tunnels to one network are told apart by their priorities, as lines are.
    const others = model.vpnConnections.filter(
      (vpn) => vpn.origin.id !== backup?.origin.id && !(backup && isOneOfSeveral(backup) && isOneOfSeveral(vpn)),
    );
    const tunnel = others.find((vpn) => vpn.site.remote.some((other) => overlaps(other, network)));
    if (tunnel)
      at(
        path,
        `${network.text} is a network of ${complaints.where(tunnel.origin.id)} too; name that as backup, or change one`,
      );
    const inside = backup?.site.remote.find((other) => containsCidr(network, other) && other.text !== network.text);
    if (backup && inside)
      at(
        path,
        `${network.text} takes in ${inside.text} of ${complaints.where(backup.origin.id)}, which is more specific and so would always be taken`,
      );
    else if (backup && !backup.site.remote.some((other) => containsCidr(other, network)))
      at(
        path,
        `${network.text} is in no network of ${complaints.where(backup.origin.id)}, which so could not carry it`,
      );
  });
}

/** A connection keeps its addresses wherever it is led. */
function checkBackup({ backup, site }: DedicatedLine, complaints: Complaints, at: At): void {
  if (!backup) return;
  const where = complaints.where(backup.origin.id);
  if (!sameTranslation(backup.site, site)) at(['backup'], `${where} has another translate`);
  const missing = site.local.find((network) => !backup.site.local.some((other) => containsCidr(other, network)));
  if (missing) at(['backup'], `${where} has not ${missing.text} among its localNetworks`);
}

const subnetsOf = ({ dedicatedLines }: GatewayModel): { readonly cidr: Cidr; readonly what: string }[] =>
  dedicatedLines.flatMap(({ name, addresses }) =>
    addresses.map(({ network }) => ({ cidr: network, what: `the subnet of line ${name},` })),
  );
