// Stands in the bundle for packages whose code no route of ours reaches; see bundle.mjs.
export default function neverCalled() {
  throw new Error('a route has a schema for the compilers of fastify, which are not bundled');
}
