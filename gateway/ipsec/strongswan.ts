/**
 * What strongSwan's programs are told when they start: constant, but for paths. Pure. Only what a tunnel needs is loaded,
 * routes are the gateway's own to make, and a silent peer is given up after 7 s instead of three minutes.
 */

const PLUGINS = 'random nonce hmac sha2 kdf openssl kernel-netlink socket-default vici';

/** Of the IKE daemon. What it says goes to its standard error, each line with the connection that it is about. */
export const charonConfig = (socket: string): string =>
  [
    'charon-systemd {',
    `  load = ${PLUGINS}`,
    '  install_routes = no',
    '  install_virtual_ip = no',
    // Sent anew after 1, 1.4, 2 and 2.7 s.
    '  retransmit_tries = 3',
    '  retransmit_timeout = 1',
    '  retransmit_base = 1.4',
    '  plugins {',
    `    vici { socket = unix://${socket} }`,
    // Where a tunnel begins is said by its connection, whatever interfaces come and go.
    '    kernel-netlink { roam_events = no }',
    '  }',
    '  journal { default = -1 }',
    '  filelog {',
    '    stderr {',
    '      default = 1',
    '      ike_name = yes',
    '      flush_line = yes',
    '      time_format = %FT%T',
    '    }',
    '  }',
    '}',
    '',
  ].join('\n');

/** Of the program that speaks to it, which else complains of every plugin of the daemon's that it has no use for. */
export const SWANCTL_PROGRAM_CONFIG = 'swanctl { load = random openssl }\n';
