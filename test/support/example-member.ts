import { parseMemberFile } from '../../gateway/documents/member-file.js';
import type { Member } from '../../gateway/model/high-availability.js';
import { memberAddresses } from './addresses.js';

/** The first of the two, as its node's file has it: what golden kernels are compiled for. */
export const exampleMember: Member = parseMemberFile({
  file: 'member.yaml',
  text: `{name: a, interface: sync0, address: ${memberAddresses[0]}, peer: ${memberAddresses[1]}}`,
});
