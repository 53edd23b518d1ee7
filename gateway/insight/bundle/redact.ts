/**
 * Takes what is secret out of texts that leave the machine: by its form (private keys, tokens, keys of WireGuard) and by
 * the name that it stands under. Rather too much than too little, in one pass over the lines. Pure.
 */
const REDACTED = '[redacted]';
const PEM_BEGIN = /-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----/;
const PEM_END = /-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----/;
const TOKEN = /\bvpcgw_[A-Za-z0-9_-]{8,}/g;
/** 32 bytes in base64, as WireGuard's keys are; a public one goes with them. */
const KEY = /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=/g;
const AUTHORIZATION = /\b(Bearer|Basic) [A-Za-z0-9._~+/=-]+/gi;
const NAME = /private[-_]?key|pre[-_]?shared[-_]?key|pass[-_]?word|passphrase|secret|token|psk|credential/gi;
/** Between a name and its value, in YAML, JSON and assignments. */
const SEPARATOR = /[\w.-]{0,40}["']?[ \t]{0,8}[:=]/y;

export function redact(text: string): string {
  const kept: string[] = [];
  /** Lines that stand deeper than this belong to a value that was taken out. */
  let deeperThan: number | undefined;
  let inKey = false;
  for (const line of text.split('\n')) {
    if (inKey) {
      inKey = !PEM_END.test(line);
      continue;
    }
    if (deeperThan !== undefined && (line.trim() === '' || indentOf(line) > deeperThan)) continue;
    const named = withoutValue(line);
    deeperThan = named === line ? undefined : indentOf(line);
    const key = PEM_BEGIN.exec(named);
    const end = key && PEM_END.exec(named);
    inKey = key !== null && end === null;
    kept.push(byForm(key ? `${named.slice(0, key.index)}${REDACTED}${end ? afterOf(named, end) : ''}` : named));
  }
  return kept.join('\n');
}

/** A comma stays, so that JSON stays JSON. */
function withoutValue(line: string): string {
  for (const { index, 0: name } of line.matchAll(NAME)) {
    SEPARATOR.lastIndex = index + name.length;
    if (!SEPARATOR.test(line)) continue;
    return `${line.slice(0, SEPARATOR.lastIndex)} "${REDACTED}"${line.endsWith(',') ? ',' : ''}`;
  }
  return line;
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
const afterOf = (line: string, { index, 0: found }: RegExpExecArray): string => line.slice(index + found.length);

const byForm = (line: string): string =>
  line.replace(AUTHORIZATION, `$1 ${REDACTED}`).replace(TOKEN, REDACTED).replace(KEY, REDACTED);
