/**
 * The reference pages: from the schemas that judge documents to Markdown. Pure; a test holds the pages on disk to it.
 */
import { EXAMPLES } from './examples.js';
import { type JsonSchema, jsonSchema, jsonSchemaOf, toJsonSchema } from './json-schema.js';
import { API_VERSION, type Kind, KINDS } from './kinds.js';
import { cidr, duration, interfaceAddress, interfaceName, ipAddress, objectName, port, rate } from './scalars.js';

/** File name → text. */
export function referenceFiles(): ReadonlyMap<string, string> {
  const kinds = Object.keys(KINDS) as Kind[];
  return new Map([
    ['README.md', indexPage(kinds)],
    ...kinds.map((kind): [string, string] => [`${kind}.md`, kindPage(kind)]),
    ['schema.json', `${JSON.stringify(jsonSchema(), undefined, 2)}\n`],
  ]);
}

const ORIGIN = '<!-- Made by `npm run docs` from gateway/api. Edits are lost. -->';

/** Of every document, in `status`. */
export const CONDITIONS = {
  Accepted: 'The document is valid. A refused one is not in the list: `status` names what is wrong with it.',
  ResolvedRefs: 'All that it names is there.',
  Programmed: 'The kernel was read, and holds it.',
  Ready: 'It does its work. While it does not, the reason says why.',
} as const;

const CONNECTED =
  'The other end is there, and packets pass, if only by some of its peers or sessions. `Unknown` while nothing is known of it, as on a member of a pair that is not active.';

/** Of some kinds beside those. */
export const MORE_CONDITIONS: Partial<Record<Kind, Readonly<Record<string, string>>>> = {
  ElasticIP: { PortsAvailable: 'Of an address that a `SnatRule` shares: it has ports left for new connections.' },
  VpnConnection: {
    Connected: CONNECTED,
    CertificateLasting: 'Of a connection with certificates: none of them is out of its time soon.',
  },
  VpnPeer: { Connected: CONNECTED },
  DedicatedLine: { Connected: CONNECTED },
};

/** Of the gateway as a whole. */
export const GATEWAY_CONDITIONS = {
  DocumentsAccepted: 'The folder was taken as it stands. If not, the documents before it stay in force.',
  Programmed: 'The kernel was read, and holds the latest revision.',
  Unpaused: '`spec.paused` is not set.',
  StatePersisted: 'Revisions can be written to the state directory, and those on it could be read.',
  AuditKept: 'The audit can be written to the state directory.',
  MachineFit: 'Nothing is missing without which no gateway works. Found out only when nothing could be put into force.',
  SysctlsSet: 'Every kernel switch is as it has to be. If not, `vpcgw preflight` says how to set it.',
  PairReady:
    'A pair was asked for, and this member takes part in it. If not, the message says why; it stays a standby.',
  BandwidthEnforced: 'The kernel can hold the limits of bandwidth. If not, everything passes without a limit.',
  BalancedByIpvs:
    "Load balancers work by the kernel's own IPVS. If not, they work by rules, and each says in its notes what differs.",
  PortsAvailable: 'No shared elastic IP has used up its ports.',
  ConnectionsAvailable: 'The gateway holds fewer connections than `limits.connections`.',
} as const;

function indexPage(kinds: readonly Kind[]): string {
  const rows = kinds.map((kind) => [`[${kind}](${kind}.md)`, KINDS[kind].summary]);
  const types = [ipAddress, cidr, interfaceAddress, duration, rate, objectName, interfaceName, port].map((scalar) => {
    const { title, description, examples } = toJsonSchema(scalar);
    return [title ?? '', `\`${String(examples?.[0])}\``, description ?? ''];
  });
  return page([
    '# The document language',
    `Documents are YAML, any number in a file, each with \`apiVersion: ${API_VERSION}\`, a \`kind\`, \`metadata\` and a \`spec\`.`,
    table(['Kind', 'What it is'], rows),
    'An editor completes and checks documents with [schema.json](schema.json), which `vpcgw schema` prints too. What is between documents (names, clashes, prefixes) only `vpcgw validate` can check.',
    '## Metadata',
    fieldTable((jsonSchemaOf('ElasticIP').properties as Properties)['metadata'] ?? {}),
    '## Types',
    'Texts are read strictly: no leading zeros (`010.0.0.1`), no IPv4 written as IPv6, no set bits behind a prefix. Quote IPv6 texts inside `[]` and `{}`: YAML has a meaning of its own for a colon at their end.',
    table(['Type', 'Example', 'Meaning'], types),
    '## Conditions',
    'Every document has these in `vpcgw status --json`, each `True` or `False` with a reason, and with the `observedGeneration`: how often the document was changed.',
    conditionTable(CONDITIONS),
    'Some kinds have more, of which `Connected` may be `Unknown` too:',
    moreConditionsTable(kinds),
  ]);
}

function kindPage(kind: Kind): string {
  const { about, yaml } = EXAMPLES[kind];
  const spec = (jsonSchemaOf(kind).properties as Properties)['spec'] ?? {};
  const parts = [
    `# ${kind}`,
    `${KINDS[kind].summary} ([all kinds](README.md))`,
    about,
    '## Example',
    `\`\`\`yaml\n${yaml}\`\`\``,
    '## Fields of `spec`',
    fieldTable(spec),
    '## Conditions',
    'Those of [every document](README.md#conditions).',
  ];
  const more = MORE_CONDITIONS[kind];
  if (more) parts.push('Also:', conditionTable(more));
  if (kind === 'VpcGateway') parts.push('The gateway as a whole has these too:', conditionTable(GATEWAY_CONDITIONS));
  return page(parts);
}

type Properties = Readonly<Record<string, JsonSchema>>;

const page = (parts: readonly string[]): string => `${ORIGIN}\n\n${parts.join('\n\n')}\n`;

const conditionTable = (conditions: Readonly<Record<string, string>>): string =>
  table(
    ['Condition', '`True` means'],
    Object.entries(conditions).map(([type, meaning]) => [`\`${type}\``, meaning]),
  );

/** Each with the kinds that have it. */
function moreConditionsTable(kinds: readonly Kind[]): string {
  const having = (type: string): Kind[] => kinds.filter((kind) => MORE_CONDITIONS[kind]?.[type] !== undefined);
  const all = Object.assign({}, ...Object.values(MORE_CONDITIONS)) as Readonly<Record<string, string>>;
  return table(
    ['Condition', 'Of', '`True` means'],
    Object.entries(all).map(([type, meaning]) => [`\`${type}\``, having(type).join(', '), meaning]),
  );
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

const fieldTable = (schema: JsonSchema): string =>
  table(['Field', 'Type', 'Default', 'Meaning'], fieldRows(schema, ''));

/** One row for each field, those inside a map or a list of maps after it. */
function fieldRows(schema: JsonSchema, path: string): string[][] {
  return Object.entries((schema.properties ?? {}) as Properties).flatMap(([name, field]) => {
    const own = `${path}${name}`;
    const inside = (field.items ?? field) as JsonSchema;
    const required = schema.required?.includes(name) ?? false;
    return [
      [`\`${own}\``, typeOf(field), defaultOf(field, required), field.description ?? ''],
      ...fieldRows(inside, `${own}${field.items ? '[]' : ''}.`),
    ];
  });
}

function typeOf(schema: JsonSchema): string {
  const { title, type, minimum, maximum, minItems, maxItems, items } = schema;
  if (schema.enum) return schema.enum.map((value) => `\`${value as string}\``).join(', ');
  if (items) return `list of ${minItems ?? 0} to ${maxItems ?? 'many'}: ${typeOf(items as JsonSchema)}`;
  if (title !== undefined) return title;
  if (type === 'integer') return maximum === Number.MAX_SAFE_INTEGER ? 'number' : `number, ${minimum} to ${maximum}`;
  if (type === 'boolean') return '`true`, `false`';
  return type === 'object' ? (schema.properties ? 'map' : 'map of texts') : 'text';
}

function defaultOf(schema: JsonSchema, required: boolean): string {
  if (required) return '**required**';
  const value = schema.default as string | boolean | object | undefined;
  return value === undefined || typeof value === 'object' ? '' : `\`${value}\``;
}
