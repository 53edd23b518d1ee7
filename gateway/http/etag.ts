/** Entity tags: of a document the digest of its text, of all documents the revision; and what callers demand of them. */
import type { IncomingHttpHeaders } from 'node:http';
import { VpcgwError } from '../errors.js';
import { textDigest } from '../reconcile/document-change.js';
import type { Present } from '../reconcile/submission.js';

export const documentTag = (text: string): string => `"${textDigest(text)}"`;
export const revisionTag = (revision: number): string => `"r${revision}"`;

/** Lists of tags as they stand in the headers; absent without the header. */
export interface Preconditions {
  readonly ifMatch?: readonly string[];
  readonly ifNoneMatch?: readonly string[];
}

export function preconditionsOf(headers: IncomingHttpHeaders): Preconditions {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: tagsOf(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: tagsOf(ifNoneMatch) }),
  };
}

/** What is no tag matches nothing: better refused than overwritten. */
const tagsOf = (header: string): string[] => header.match(/\*|(W\/)?"[^"]*"/g) ?? [];

/** Whether what the caller has is what stands here, so that it need not be sent again. */
export const isKnown = ({ ifNoneMatch = [] }: Preconditions, etag: string): boolean =>
  ifNoneMatch.some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag);

/** Throws `PreconditionFailed` when the thing is not as the caller believes; without `etag` it is not there. */
function demand({ ifMatch, ifNoneMatch }: Preconditions, what: string, etag: string | undefined): void {
  const failed = (why: string): never => {
    throw new VpcgwError('PreconditionFailed', `${what} ${why}`, { etag });
  };
  if (ifMatch && etag === undefined) failed('is not there');
  if (ifMatch && etag !== undefined && !ifMatch.some((tag) => tag === '*' || tag === etag))
    failed(`is at ${etag} by now: read it again, and change that`);
  if (ifNoneMatch && etag !== undefined && isKnown({ ifNoneMatch }, etag)) failed(`is there already, at ${etag}`);
}

export const demandDocument =
  (preconditions: Preconditions, id: string) =>
  ({ documents }: Present): void => {
    const document = documents.get(id);
    demand(preconditions, id, document && documentTag(document.source.text));
  };

export const demandRevision =
  (preconditions: Preconditions) =>
  ({ revision }: Present): void =>
    demand(preconditions, 'the set of documents', revisionTag(revision));
