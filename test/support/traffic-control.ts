import type { Namespace } from './namespace.js';

// What a gateway's namespace holds of traffic control, read by other commands than the supervisor's own.

/**
 * Everything but what the kernel itself puts on a link, as text that is equal when it is: without counters, and without
 * the numbers that the kernel gives. Links of the kind are named too, as what comes in is shaped on one.
 */
export async function trafficControl(namespace: Namespace): Promise<string> {
  const { stdout } = await namespace.exec(['sh', '-c', SCRIPT]);
  return stdout;
}

const SCRIPT = `
ip -o link show type ifb | sed 's/^[0-9]*: //; s/ qdisc.*state/ state/; s/ *link.*//'
tc qdisc show | grep -v ' 0: ' | sed 's/refcnt [0-9]* //; s/direct_packets_stat [0-9]* //' | sort
for link in $(ip -o link show | sed 's/^[0-9]*: //; s/[@:].*//' | grep '^v[gi]-' | sort); do
  tc -d class show dev $link | grep 'class htb' | sed "s/^/$link /" | sort
  for parent in 1: ffff:; do
    tc filter show dev $link parent $parent 2>&- | grep -v 'ht divisor 1 ' | sed "s/^/$link $parent /; s/fh 80[0-9a-f]:/fh /; s/key ht 80[0-9a-f] /key /; s/index .*//"
  done
done`;

/** Bytes that passed each of these classes, and when they were read. */
export async function bytesOfClasses(
  namespace: Namespace,
  device: string,
  minors: readonly string[],
): Promise<{ bytes: number[]; ms: number }> {
  const began = performance.now();
  const { stdout } = await namespace.exec(['tc', '-s', 'class', 'show', 'dev', device]);
  const ms = (began + performance.now()) / 2;
  const bytes = minors.map((minor) => {
    const found = new RegExp(`^class htb 1:${minor} .*\\n Sent (\\d+) bytes`, 'm').exec(stdout)?.[1];
    if (found === undefined) throw new Error(`${device} has no class 1:${minor}:\n${stdout}`);
    return Number(found);
  });
  return { bytes, ms };
}

export async function bytesOfClass(namespace: Namespace, device: string, minor: string): Promise<number> {
  const { bytes } = await bytesOfClasses(namespace, device, [minor]);
  return bytes[0] ?? 0;
}
