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
    if (entry?.context === context) return entry.value;
    const value = make(key, context);
    known.set(key, { context, value });
    return value;
  };
}
