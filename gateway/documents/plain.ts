/**
 * Reads YAML of the plain kind, as people and programs mostly write it, in a tenth of the time that the `yaml` library
 * takes for a tree with all positions. Guarantees:
 * 1. A value that it returns is the library's, which would have nothing to say about the text.
 * 2. Of anything else it says nothing but that it is not plain: what is wrong, or meant, is the library's to say.
 *
 * Plain are block and flow collections, keys that are words, quoted texts without escapes, and scalars on one line that
 * YAML 1.2 cannot take for anything but a text, a whole number, a truth value or null.
 */

/** Also of a text that is no YAML. */
export const NOT_PLAIN = Symbol('not plain');

export function readPlain(text: string): unknown {
  if (!CHARACTERS.test(text)) return NOT_PLAIN;
  try {
    return new PlainText(text).whole();
  } catch (error) {
    if (error === NOT_PLAIN) return NOT_PLAIN;
    throw error;
  }
}

/** No tabs, no line ends of other systems, no byte order mark. */
const CHARACTERS = /^[\n\x20-\x7e\xa0-\ufefe\uff00-\ufffd]*$/;
const KEY = /(?:([A-Za-z][\w./-]*)|"([^"\\\n]*)"|'([^'\n]*)')(?=:(?: |\n|$))/y;
/** In JSON the value may follow at once. */
const FLOW_KEY = /(?:([A-Za-z][\w./-]*)(?=: )|"([^"\\\n]*)"(?=:))/y;
const QUOTED = /"([^"\\\n]*)"|'([^'\n]*)'(?!')/y;
/** A colon within it is followed by what cannot end it. */
const SCALAR = /[A-Za-z0-9/](?:[\w./+=-]|:(?=[\w:/])| (?=[\w/]))*/y;
const REST_OF_LINE = / *(?: #[^\n]*)?(?:\n|$)/y;
const EMPTY_LINES = /(?: *(?:#[^\n]*)?\n)*/y;
const SPACES = / */y;
const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,14})$/;
/** Of what begins with a digit. */
const MAYBE_NUMBER = /^(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|0[ox][\da-fA-F]+)$/;
const WORDS = new Map<string, boolean | null>(
  [null, true, false].flatMap((value) => {
    const word = `${value}`;
    return [word, word.toUpperCase(), `${word.charAt(0).toUpperCase()}${word.slice(1)}`].map((text) => [text, value]);
  }),
);
/** As a key it is more than a name. */
const PROTOTYPE = '__proto__';
const MAX_KEY_CHARACTERS = 200;
const MAX_DEPTH = 32;

class PlainText {
  /** What comes next. Between two lines of a block it is the first character of the second that is no space. */
  #at = 0;
  /** Of the line, or of what a dash began on it; -1 at the end of the text. */
  #column = 0;
  #depth = 0;

  constructor(private readonly text: string) {}

  whole(): unknown {
    this.#nextLine();
    if (this.#column < 0) return notPlain();
    const value = this.#block(-1);
    return this.#column < 0 ? value : notPlain();
  }

  // ---- blocks -----------------------------------------------------------------------------------------------------

  /** `around` is the column of the block that this one is a value of; -1 of none. */
  #block(around: number): unknown {
    if (++this.#depth > MAX_DEPTH) return notPlain();
    const value = this.#isDash() ? this.#sequence() : (this.#mapping() ?? this.#line(around));
    this.#depth--;
    return value;
  }

  #sequence(): unknown[] {
    const column = this.#column;
    const items: unknown[] = [];
    while (this.#column === column && this.#isDash()) {
      this.#at++;
      if (this.#takes(REST_OF_LINE)) items.push(this.#below(column, false));
      else {
        const dash = this.#at;
        this.#takes(SPACES);
        this.#column += 1 + this.#at - dash;
        items.push(this.#isDash() || this.#peeks(KEY) ? this.#block(column) : this.#line(column));
      }
    }
    return items;
  }

  #mapping(): object | undefined {
    const column = this.#column;
    let mapping: Record<string, unknown> | undefined;
    while (this.#column === column) {
      const key = this.#key(KEY, mapping);
      if (key === undefined) {
        if (mapping) break;
        return undefined;
      }
      mapping ??= {};
      mapping[key] = this.#takes(REST_OF_LINE) ? this.#below(column, true) : this.#line(column);
    }
    return mapping;
  }

  /** The value that stands on the lines after its key or dash. Under a key, dashes may stand at the key's column. */
  #below(column: number, isUnderKey: boolean): unknown {
    this.#nextLine();
    if (this.#column > column) return this.#block(column);
    return isUnderKey && this.#column === column && this.#isDash() ? this.#sequence() : null;
  }

  /** What stands on the rest of the line. */
  #line(around: number): unknown {
    this.#takes(SPACES);
    const value = this.#value(around);
    if (!this.#takes(REST_OF_LINE)) return notPlain();
    this.#nextLine();
    // It would be the scalar's second line.
    return this.#column > around ? notPlain() : value;
  }

  #nextLine(): void {
    this.#takes(EMPTY_LINES);
    const begin = this.#at;
    this.#takes(SPACES);
    this.#column = this.#takes(REST_OF_LINE) || this.#at >= this.text.length ? -1 : this.#at - begin;
  }

  #isDash(): boolean {
    const after = this.text[this.#at + 1];
    return this.text[this.#at] === '-' && (after === ' ' || after === '\n' || after === undefined);
  }

  // ---- within a line ----------------------------------------------------------------------------------------------

  #value(around: number): unknown {
    const first = this.text[this.#at];
    if (first === '{') return this.#flow('}', {}, (mapping) => this.#pair(mapping, around), around);
    if (first === '[') return this.#flow(']', [] as unknown[], (items) => items.push(this.#value(around)), around);
    return first === '"' || first === "'" ? (this.#take(QUOTED) ?? notPlain()) : this.#scalar();
  }

  #scalar(): unknown {
    if (!this.#peeks(SCALAR)) return notPlain();
    const text = this.text.slice(this.#at, SCALAR.lastIndex);
    this.#at = SCALAR.lastIndex;
    if (text.charCodeAt(0) > 0x39) return WORDS.has(text) ? WORDS.get(text) : text;
    if (WHOLE_NUMBER.test(text)) return Number(text);
    return MAYBE_NUMBER.test(text) ? notPlain() : text;
  }

  #flow<Collection>(end: string, collection: Collection, entry: (into: Collection) => unknown, around: number) {
    if (++this.#depth > MAX_DEPTH) return notPlain();
    this.#at++;
    this.#blank(around);
    while (this.text[this.#at] !== end) {
      entry(collection);
      this.#blank(around);
      if (this.text[this.#at] === end) break;
      if (this.text[this.#at++] !== ',') return notPlain();
      this.#blank(around);
      if (this.text[this.#at] === end) return notPlain();
    }
    this.#at++;
    this.#depth--;
    return collection;
  }

  #pair(mapping: Record<string, unknown>, around: number): void {
    const key = this.#key(FLOW_KEY, mapping) ?? notPlain();
    this.#takes(SPACES);
    mapping[key] = this.#value(around);
  }

  /** Lines of a flow stand to the right of the block around it. */
  #blank(around: number): void {
    this.#takes(SPACES);
    while (this.text[this.#at] === '\n') {
      const begin = ++this.#at;
      this.#takes(SPACES);
      if (this.text[this.#at] !== '\n' && this.#at - begin <= around) notPlain();
    }
  }

  /** With its colon. */
  #key(form: RegExp, known: object | undefined): string | undefined {
    const quoted = this.text[this.#at] === '"' || this.text[this.#at] === "'";
    const key = this.#take(form);
    if (key === undefined) return undefined;
    if ((!quoted && WORDS.has(key)) || key === PROTOTYPE || key.length > MAX_KEY_CHARACTERS) return notPlain();
    if (known && Object.hasOwn(known, key)) return notPlain();
    this.#at++;
    return key;
  }

  // ---- by expressions ---------------------------------------------------------------------------------------------

  #peeks(form: RegExp): boolean {
    form.lastIndex = this.#at;
    return form.test(this.text);
  }

  #takes(form: RegExp): boolean {
    const found = this.#peeks(form);
    if (found) this.#at = form.lastIndex;
    return found;
  }

  /** The one of its groups that there is. */
  #take(form: RegExp): string | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.text);
    if (!found) return undefined;
    this.#at = form.lastIndex;
    return found[1] ?? found[2] ?? found[3];
  }
}

function notPlain(): never {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- no error, but a way out; a stack would cost more than the text
  throw NOT_PLAIN;
}
