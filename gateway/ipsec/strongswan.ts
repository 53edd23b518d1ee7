/**
 * What strongSwan's daemon is told when it starts: constant, but for paths. Pure. Only what a tunnel needs is loaded,
 * routes are the gateway's own to make, and a silent peer is given up after 7 s instead of three minutes.
 */

const PLUGINS =
  'random nonce hmac sha2 kdf openssl pem x509 pubkey pkcs1 pkcs8 constraints kernel-netlink socket-default vici';

/** Of the IKE daemon. What it says goes to its standard error, each line with the connection that it is about. */
export const charonConfig = (socket: string): string =>
  [
    'charon-systemd {',
    `  load = ${PLUGINS}`,
    '  install_routes = no',
    '  install_virtual_ip = no',
    // Sent anew after 0.1, 0.3, 0.8, 1.7 and 3.4 s, given up after 7: what is sent in the moment of a takeover may be lost.
    '  retransmit_tries = 5',
    '  retransmit_timeout = 0.11',
    '  retransmit_base = 2',
    // An edited connection has its own from the beginning, while the former's still carry.
    '  reuse_ikesa = no',
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
    '      time_add_ms = yes',
    '    }',
    '  }',
    '}',
    '',
  ].join('\n');
