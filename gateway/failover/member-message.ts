/**
 * What members tell each other, a JSON object each. Fields and types that this version does not know are passed over: the
 * other member may be a version ahead. Fields that were added later are optional: it may be one behind. Pure.
 */
import * as z from 'zod';
import { MAX_EXTERNALS } from '../model/ownership.js';

const role = z.enum(['Active', 'Standby', 'Fault', 'Unknown']);

const documentsVersion = z.object({
  /** Counts edits on either member, where documents are edited by API. */
  revision: z.int().nonnegative(),
  /** Of the last edit. */
  time: z.string(),
  /** Equal when the documents are. */
  digest: z.string(),
  source: z.enum(['Folder', 'Api']),
});
export type DocumentsVersion = z.output<typeof documentsVersion>;

/** What is longer is cut: the rest of what it says must be heard all the same. */
const words = (most: number) =>
  z.array(z.string()).transform((all) => all.slice(0, most).map((word) => word.slice(0, 200)));

const memberState = z.object({
  type: z.literal('state'),
  name: z.string().max(63),
  version: z.string().max(63),
  role: role.catch('Unknown'),
  since: z.string(),
  /** Why it may not be active, by its own judgement. */
  notEligible: words(20),
  /** What is wrong with it, by name, whoever is active. */
  faults: words(50),
  /** `undefined`: it has none yet. */
  documents: documentsVersion.optional().catch(undefined),
  /** Numbers of its external networks, by name, as the marks of connections have them. */
  externals: z.record(z.string().max(63), z.int().min(1).max(MAX_EXTERNALS)).optional(),
  /** How long ago somebody answered it, by interface. */
  answeredMsAgo: z.record(z.string(), z.number()).optional(),
  /** It wants to know how the other is, now. */
  asks: z.boolean().optional(),
  /** Its own clock when it said this, ms since the epoch. */
  sentMs: z.number(),
  /** The last that it heard, and how long ago by then. */
  heard: z.object({ sentMs: z.number(), agoMs: z.number() }).optional(),
});
export type MemberState = z.output<typeof memberState>;

const source = z.object({ file: z.string(), firstLine: z.int().positive(), text: z.string() });
const wantDocuments = z.object({ type: z.literal('want-documents') });
const documents = z.object({ type: z.literal('documents'), version: documentsVersion, sources: z.array(source) });
export type MemberDocuments = z.output<typeof documents>;

/** Where the peers of the active member's tunnels are, by the public keys of both ends. */
const endpoints = z.object({ type: z.literal('endpoints'), all: z.record(z.string().max(100), z.string().max(60)) });

/** What the active member's lines have learnt, by their names: networks that its kernel leads by them. */
const learnt = z.object({ type: z.literal('learnt'), all: z.record(z.string().max(63), z.array(z.string().max(50))) });

const message = z.discriminatedUnion('type', [memberState, wantDocuments, documents, endpoints, learnt]);
export type MemberMessage = z.output<typeof message>;

/** `undefined` for what this version does not understand. */
export const parseMessage = (value: unknown): MemberMessage | undefined => message.safeParse(value).data;

/** Whether one set of documents is later than another. The same on both members, whatever each believes. */
export function isLater(one: DocumentsVersion, other: DocumentsVersion | undefined): boolean {
  if (!other) return true;
  if (one.digest === other.digest) return one.source === 'Api' && one.revision > other.revision;
  // Each folder counts for itself: there the moment tells.
  if (one.source === 'Api' && one.revision !== other.revision) return one.revision > other.revision;
  return one.time === other.time ? one.digest > other.digest : one.time > other.time;
}
