/** What is made of an unchanged object is made once, and kept for as long as the object is. */
export function remember<Key extends object, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, Value>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

/** The same for what depends on a context too: made again when the context is another one. */
export function rememberWithin<Key extends object, Context, Value>(
  make: (key: Key, context: Context) => Value,
): (key: Key, context: Context) => Value {
  const known = new WeakMap<Key, { readonly context: Context; readonly value: Value }>();
  return (key, context) => {
    const entry = known.get(key);
    if (entry && entry.context === context) return entry.value;
    const value = make(key, context);
    known.set(key, { context, value });
    return value;
  };
}

/** The same of two objects; neither keeps the other alive, or each model would keep all that were before it. */
export function rememberPair<A extends object, B extends object, Value>(
  make: (a: A, b: B) => Value,
): (a: A, b: B) => Value {
  const known = new WeakMap<A, WeakMap<B, { readonly value: Value }>>();
  return (a, b) => {
    const ofA = known.get(a) ?? new WeakMap<B, { readonly value: Value }>();
    known.set(a, ofA);
    const entry = ofA.get(b) ?? { value: make(a, b) };
    ofA.set(b, entry);
    return entry.value;
  };
}

/** The same where what it depends on besides is put into words: made again when they are others. */
export function rememberBy<Key extends object, Value>(): (key: Key, terms: string, make: () => Value) => Value {
  const known = new WeakMap<Key, { readonly terms: string; readonly value: Value }>();
  return (key, terms, make) => {
    const entry = known.get(key);
    if (entry?.terms === terms) return entry.value;
    const value = make();
    known.set(key, { terms, value });
    return value;
  };
}
