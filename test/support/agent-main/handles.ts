// What the agent holds open on behalf of its client, by number.

export interface Resource {
  close(reset: boolean): void;
}

const resources = new Map<number, Resource>();
const limit = 10_000;
let last = 0;

export function keep(resource: Resource): number {
  if (resources.size >= limit) throw new Error(`more than ${limit} open handles`);
  resources.set(++last, resource);
  return last;
}

/** A class, also one whose constructor is private. */
interface KindOf<Instance> {
  readonly name: string;
  readonly prototype: Instance;
  [Symbol.hasInstance](value: unknown): boolean;
}

export function held<Kind extends Resource>(handle: number, kind: KindOf<Kind>): Kind {
  const resource = resources.get(handle);
  if (!(resource instanceof kind)) throw new Error(`handle ${handle} is not an open ${kind.name}`);
  return resource as Kind;
}

/** Closing twice is fine. */
export function release(handle: number, reset: boolean): void {
  resources.get(handle)?.close(reset);
  resources.delete(handle);
}
