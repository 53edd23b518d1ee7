import { existsSync } from 'node:fs';

/** Whether a gateway balances by IPVS here: as soon as one has asked for it, the kernel has loaded it if it can. */
export const hasIpvs = (): boolean => existsSync('/proc/sys/net/ipv4/vs') || existsSync('/proc/net/ip_vs');
