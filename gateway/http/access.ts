/** Who asks: over the unix socket root, at the management address whoever has a token or a client's certificate. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { VpcgwError } from '../errors.js';
import { type Caller, mayActAs, type Role, ROLES, type Route } from './route.js';
import type { TokenFile } from './token-file.js';

/** `undefined` is somebody unknown, who gets only what is for everybody. */
export type Access = (request: IncomingMessage) => Caller | undefined;

/** Only root may connect to the socket: its file's mode is the guard. */
export const socketAccess: Access = () => ({ author: { name: 'root', via: 'Socket' }, role: 'operator' });

/** No accounts at all: health and metrics only. */
export const noAccess: Access = () => undefined;

export function accountAccess(tokens: TokenFile | undefined): Access {
  return (request) => {
    const account = byCertificate(request) ?? byToken(tokens, request);
    if (!account) return undefined;
    const { name, role, via } = account;
    return { role, author: { name, via, role, from: request.socket.remoteAddress ?? '' } };
  };
}

type Account = Pick<Caller['author'], 'name' | 'via'> & { readonly role: Role };

function byToken(tokens: TokenFile | undefined, request: IncomingMessage): Account | undefined {
  const token = /^Bearer +([A-Za-z0-9._~+/=-]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
  const account = token === undefined ? undefined : tokens?.find(token);
  return account && { ...account, via: 'Token' };
}

/** The subject's CN is the name, and one of its OUs the role. */
function byCertificate({ socket }: IncomingMessage): Account | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  // Without a certificate from the other side it is an empty object.
  const subject = (socket.getPeerCertificate() as { subject?: { CN?: string | string[]; OU?: string | string[] } })
    .subject;
  const roles = [subject?.OU ?? []].flat().filter((unit): unit is Role => (ROLES as readonly string[]).includes(unit));
  const [name] = [subject?.CN ?? []].flat();
  const [role] = roles;
  return name === undefined || role === undefined || roles.length > 1 ? undefined : { name, role, via: 'Certificate' };
}

/** Throws `Unauthorized` or `Forbidden`. A path that is no route is for those only who could call one. */
export function admit(route: Route | undefined, caller: Caller | undefined, access: Access): void {
  const needed = route ? route.role : 'viewer';
  if (needed === undefined || (route?.open && access === noAccess)) return;
  if (!caller) throw new VpcgwError('Unauthorized', access === noAccess ? NO_ACCOUNTS : UNKNOWN);
  if (!mayActAs(caller.role, needed))
    throw new VpcgwError('Forbidden', `this needs the role ${needed}; ${caller.author.name} is ${caller.role}`);
}

const UNKNOWN =
  'send a token of the tokens file as "Authorization: Bearer TOKEN", or a certificate whose OU is viewer, editor or operator';
const NO_ACCOUNTS =
  'this address answers only /healthz, /readyz and /metrics: the rest needs vpcgw run with --tokens FILE or --tls-client-ca FILE';
