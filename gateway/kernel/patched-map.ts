/**
 * A map that differs from another in few entries, without a copy of it: an edit of one elastic IP among thousands costs
 * what it changes. Two maps with the same base differ only in what either has changed of it.
 */
const MOST_CHANGES = 256;

export class PatchedMap<Value> implements ReadonlyMap<string, Value> {
  private constructor(
    readonly base: ReadonlyMap<string, Value>,
    /** `undefined` is taken away. */
    readonly changes: ReadonlyMap<string, Value | undefined>,
    readonly size: number,
  ) {}

  static of<Value>(
    map: ReadonlyMap<string, Value>,
    removed: Iterable<string>,
    added: Iterable<readonly [string, Value]>,
  ): PatchedMap<Value> {
    const known = map instanceof PatchedMap ? (map as PatchedMap<Value>) : undefined;
    const isFull = known !== undefined && known.changes.size > MOST_CHANGES;
    const base = known === undefined ? map : isFull ? new Map(known) : known.base;
    const changes = new Map(isFull ? [] : known?.changes);
    for (const key of removed)
      if (base.has(key)) changes.set(key, undefined);
      else changes.delete(key);
    for (const [key, value] of added) changes.set(key, value);
    let size = base.size;
    for (const [key, value] of changes) size += Number(value !== undefined) - Number(base.has(key));
    return new PatchedMap(base, changes, size);
  }

  get(key: string): Value | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.base.get(key);
  }

  has(key: string): boolean {
    return this.changes.has(key) ? this.changes.get(key) !== undefined : this.base.has(key);
  }

  *entries(): MapIterator<[string, Value]> {
    for (const entry of this.base) if (!this.changes.has(entry[0])) yield entry;
    for (const [key, value] of this.changes) if (value !== undefined) yield [key, value];
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  forEach(call: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.entries()) call(value, key, this);
  }
}

const partsOf = <Value>(map: ReadonlyMap<string, Value>) =>
  map instanceof PatchedMap ? (map as PatchedMap<Value>) : { base: map, changes: new Map<string, Value | undefined>() };

/** All keys that the two may differ in; `undefined` when that may be any. */
export function keysOfDifference<Value>(
  one: ReadonlyMap<string, Value>,
  other: ReadonlyMap<string, Value>,
): ReadonlySet<string> | undefined {
  const [first, second] = [partsOf(one), partsOf(other)];
  return first.base === second.base ? new Set([...first.changes.keys(), ...second.changes.keys()]) : undefined;
}
