import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from './stage.js';

const program = relative(process.cwd(), fileURLToPath(new URL('../../dist/vpcgw.js', import.meta.url)));

/** Commands to copy, for a stage that stays. */
export function lookAround({ topology, blue, green }: Stage): string {
  const inet = topology.inet.namespace.name;
  const web = blue.tenant.vm('web').namespace.name;
  const gateway = blue.tenant.gateway.name;
  const { socketPath, configDirectory } = blue.supervisor;
  return `
All of it stays up until Ctrl-C. From another terminal, in this directory, as root:

 what the supervisors say
   ${program} status --socket ${socketPath}
   ${program} status --socket ${green.supervisor.socketPath}
   ${program} show nat --socket ${socketPath}
   ${program} show conntrack --socket ${socketPath}
   ${program} history --socket ${socketPath}

 packets: from the internet to web, from web to the internet (each answer says who is seen)
   ip netns exec ${inet} socat -T1 - TCP:203.0.113.10:80 </dev/null
   ip netns exec ${web} socat -T1 - TCP:198.51.100.1:8080 </dev/null
   ip netns exec ${inet} ping -c 3 203.0.113.10

 an edit, a mistake, a way back: the folder is what counts
   cp manifests/examples/one-more-port.yaml ${configDirectory}/
   cp manifests/examples/refused.yaml ${configDirectory}/ && sleep 0.2; ${program} status --socket ${socketPath}
   rm ${configDirectory}/refused.yaml

 the kernel itself, and some damage to watch being repaired
   ip netns exec ${gateway} iptables -t nat -S
   ip netns exec ${gateway} nft list table inet vpcgw_guard
   ip netns exec ${gateway} iptables -t nat -F; ${program} status --watch --socket ${socketPath}
`;
}
