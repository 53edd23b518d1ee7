/** The member file, with every problem at its file:line:column. */
import { type MemberFile, memberFile } from '../api/member-file.js';
import { VpcgwError } from '../errors.js';
import { type Diagnostic, formatPath } from '../model/diagnostic.js';
import type { Member, MemberPath } from '../model/high-availability.js';
import type { SourceFile } from './document.js';
import { explainIssue } from './explain.js';
import { readYaml } from './parse.js';

export function parseMemberFile({ file, text }: SourceFile): Member {
  const { value, diagnostics: problems, positionOf } = readYaml({ file, text, firstLine: 1 });
  const complaint = (path: readonly PropertyKey[], message: string, atKey = false): Diagnostic => ({
    position: positionOf(path, atKey),
    path: formatPath(path),
    message,
    severity: 'Error',
  });
  const result = memberFile.safeParse(value, { reportInput: true });
  const diagnostics = [
    ...problems,
    ...(problems.length > 0 ? [] : (result.error?.issues ?? []))
      .flatMap((issue) => explainIssue(issue, memberFile))
      .map(({ path, message, atKey }) => complaint(path, message, atKey)),
    ...(result.data ? clashes(result.data, complaint) : []),
  ];
  if (diagnostics.length > 0 || !result.data)
    throw new VpcgwError('ConfigInvalid', `the member file ${file} is not valid`, { diagnostics });
  const { name, secretFile, encryption, vote, secondPath, ...first } = result.data;
  return { name, secretFile, encryption, vote, paths: secondPath ? [first, secondPath] : [first] };
}

type Complain = (path: readonly PropertyKey[], message: string) => Diagnostic;

function clashes({ secondPath, encryption, secretFile, ...first }: MemberFile, complain: Complain) {
  const found = (path: MemberPath, at: readonly PropertyKey[]): Diagnostic[] => [
    ...(path.address.family === path.peer.family
      ? []
      : [complain([...at, 'peer'], `${path.peer.text} is not of the family of ${path.address.text}`)]),
    ...(path.address.text === path.peer.text
      ? [complain([...at, 'peer'], `${path.peer.text} is this member's own address`)]
      : []),
  ];
  return [
    ...found(first, []),
    ...(secondPath ? found(secondPath, ['secondPath']) : []),
    ...(secondPath?.interface === first.interface
      ? [
          complain(
            ['secondPath', 'interface'],
            `${first.interface} is the first path already; a second one fails apart`,
          ),
        ]
      : []),
    ...(encryption !== undefined && secretFile === undefined
      ? [complain(['encryption'], `${encryption} needs secretFile, since its keys are made from that secret`)]
      : []),
  ];
}
