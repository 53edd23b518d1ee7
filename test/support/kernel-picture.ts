import type { Namespace } from './namespace.js';

/**
 * All that a gateway could have changed in a namespace's kernel, as text that is equal when the kernel is: read by other
 * commands than the supervisor's own, and without what counts, times or is numbered by the kernel.
 */
export async function kernelPicture(namespace: Namespace): Promise<string> {
  const { stdout } = await namespace.exec(['sh', '-c', SCRIPT]);
  return (
    stdout
      .split('\n')
      .map((line) => line.replace(/^(:\S+ \S+) \[\d+:\d+\]$/, '$1').replace(/ (pref \S+|metric 1024) /, ' '))
      // Link-local addresses come and go with the kernel's own detection of duplicates.
      .filter((line) => !line.startsWith('#') && !line.includes('fe80:') && !line.includes('ff00::/8'))
      .join('\n')
  );
}

// What works on a link above another is known a moment after it is up: its flags tell whether it is meant to be.
// One shell, since in the kernel lab processes are dear. Order is the kernel's where it means something, else sorted.
const SCRIPT = `
iptables-save; ip6tables-save; nft -s list tables | sort
for table in $(nft list tables inet | sort | cut -d' ' -f3); do nft -s list table inet $table; done
ipset save | sed 's/ \\(hashsize\\|bucketsize\\|initval\\) [^ ]*//g' | sort
ip -o link show | sed 's/^[0-9]*: //; s/ link.*//; s/ qdisc.*state/ state/; s/ state UNKNOWN / state UP /'
ip -o address show | sed 's/^[0-9]*: //; s/\\\\\\\\.*//' | sort
ip -4 route show table all | sort; ip -6 route show table all | sed 's/ expires [^ ]*//' | sort
ip -4 rule; ip -6 rule
sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all net.ipv4.conf.ext0.log_martians | sort
`;
