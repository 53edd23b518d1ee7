import type { Socket } from 'node:net';
import type { Endpoint, Greeting } from '../agent-operations.js';

const [, , label = 'agent'] = process.argv;

export function localEnd(socket: Socket): Endpoint {
  return endpoint(socket.localAddress, socket.localPort);
}

export function greetingFor(local: Endpoint, remote: Endpoint): Greeting {
  return { server: label, local, remote };
}

export function greetingOn(socket: Socket): Greeting {
  return greetingFor(localEnd(socket), endpoint(socket.remoteAddress, socket.remotePort));
}

/** A socket for both families names IPv4 peers as ::ffff:1.2.3.4. */
export function endpoint(address = '', port = 0): Endpoint {
  return { address: address.replace(/^::ffff:(?=\d+\.)/, ''), port };
}
