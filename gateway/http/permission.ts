/**
 * Which documents a role may change: those of a tenant any editor, those of the gateway itself an operator. What an
 * operator's document is made of counts as the operator's too.
 */
import { isKind, KINDS } from '../api/kinds.js';
import type { GatewayDocument } from '../documents/document.js';
import { VpcgwError } from '../errors.js';
import type { DocumentChange } from '../reconcile/document-change.js';
import type { Supervisor } from '../reconcile/supervisor.js';
import { type Caller, mayActAs, type Role } from './route.js';

export const permissionOf =
  ({ role, author }: Caller, supervisor: Supervisor) =>
  ({ put, remove }: DocumentChange): void => {
    const operators = operatorsGroups([...(supervisor.current?.documents.values() ?? [])]);
    for (const id of [...Object.keys(put), ...remove]) {
      const needed = neededFor(id, operators);
      if (!mayActAs(role, needed))
        throw new VpcgwError('Forbidden', `${id} may be changed by the role ${needed}; ${author.name} is ${role}`);
    }
  };

function neededFor(id: string, operators: ReadonlySet<string>): Role {
  const kind = id.slice(0, id.indexOf('/'));
  return !isKind(kind) || operators.has(id) ? 'operator' : KINDS[kind].changedBy;
}

/** A tenant that could change a group of the baseline could change the baseline. */
function operatorsGroups(documents: readonly GatewayDocument[]): ReadonlySet<string> {
  const baselines = documents.flatMap((document) => (document.kind === 'FirewallBaseline' ? [document] : []));
  const peers = baselines.flatMap(({ spec }) => spec.rules.flatMap((rule) => rule.peers ?? []));
  return new Set(
    peers.flatMap(({ addressGroup }) => (addressGroup === undefined ? [] : [`AddressGroup/${addressGroup}`])),
  );
}
