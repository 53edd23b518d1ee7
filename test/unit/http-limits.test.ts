import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { VpcgwError } from '../../gateway/errors.js';
import { isKnown, demandDocument, demandRevision, documentTag, preconditionsOf } from '../../gateway/http/etag.js';
import { EventHub } from '../../gateway/http/event-hub.js';
import { Gate, RateLimit } from '../../gateway/http/limits.js';

describe('a rate limit', () => {
  it('lets a burst through, then so many in a second, each address for itself', () => {
    let nowMs = 0;
    const limit = new RateLimit(3, 2, () => nowMs);
    expect([limit.take('ada'), limit.take('ada'), limit.take('ada')]).toEqual([0, 0, 0]);
    expect(limit.take('ada')).toBe(1);
    expect(limit.take('bob')).toBe(0);
    nowMs += 499;
    expect(limit.take('ada')).toBe(1);
    nowMs += 1_000;
    expect([limit.take('ada'), limit.take('ada'), limit.take('ada')].map((wait) => wait > 0)).toEqual([
      false,
      false,
      true,
    ]);
    nowMs += 3_600_000;
    expect(Array.from({ length: 4 }, () => limit.take('ada') > 0)).toEqual([false, false, false, true]);
  });

  it('remembers only so many addresses, and forgets those first that were silent longest', () => {
    const limit = new RateLimit(1, 0.001, () => 0);
    limit.take('early');
    limit.take('busy');
    for (let i = 0; i < RateLimit.MAX_KEYS - 1; i++) {
      limit.take(`other${i}`);
      if (i === 10) limit.take('busy');
    }
    expect(limit.take('busy'), 'still known').toBeGreaterThan(0);
    expect(limit.take('early'), 'forgotten').toBe(0);
  });
});

it('a gate lets so many in at once', () => {
  const gate = new Gate(2, 'requests');
  const [leave] = [gate.enter(), gate.enter()];
  expect(() => gate.enter()).toThrow('2 requests are under way');
  leave?.();
  expect(() => gate.enter()).not.toThrow();
});

describe('entity tags', () => {
  const text = 'kind: ElasticIP\n';
  const tag = documentTag(text);
  const present = { revision: 7, documents: new Map([['a/b', { source: { file: '', firstLine: 1, text } }]]) };
  const refused = (headers: Record<string, string>, id = 'a/b'): boolean => {
    try {
      demandDocument(preconditionsOf(headers), id)(present);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: 'PreconditionFailed', etag: id === 'a/b' ? tag : undefined });
      return true;
    }
  };

  it('are of a text, not of the space around it', () => {
    expect(documentTag(`\n${text}\n\n`)).toBe(tag);
    expect(documentTag(`${text}x`)).not.toBe(tag);
  });

  it.each<[Record<string, string>, string, boolean]>([
    [{}, 'a/b', false],
    [{ 'if-match': tag }, 'a/b', false],
    [{ 'if-match': `"x", ${tag}` }, 'a/b', false],
    [{ 'if-match': '*' }, 'a/b', false],
    [{ 'if-match': '"x"' }, 'a/b', true],
    [{ 'if-match': `W/${tag}` }, 'a/b', true],
    [{ 'if-match': 'nonsense' }, 'a/b', true],
    [{ 'if-match': '' }, 'a/b', true],
    [{ 'if-match': '*' }, 'a/c', true],
    [{ 'if-none-match': '*' }, 'a/b', true],
    [{ 'if-none-match': '*' }, 'a/c', false],
    [{ 'if-none-match': tag }, 'a/b', true],
    [{ 'if-none-match': '"x"' }, 'a/b', false],
  ])('%j on %s refuses: %s', (headers, id, expected) => {
    expect(refused(headers, id)).toBe(expected);
  });

  it('of the whole set are its revision', () => {
    expect(() => demandRevision({ ifMatch: ['"r7"'] })(present)).not.toThrow();
    expect(() => demandRevision({ ifMatch: ['"r6"'] })(present)).toThrow(VpcgwError);
    expect(isKnown({ ifNoneMatch: ['W/"r7"'] }, '"r7"')).toBe(true);
    expect(isKnown({}, '"r7"')).toBe(false);
  });
});

describe('events', () => {
  let server: Server | undefined;
  let served: ServerResponse[] = [];
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    served = [];
  });

  async function serve(hub: EventHub): Promise<() => Promise<IncomingMessage>> {
    server = createServer((_request, response) => {
      served.push(response);
      hub.add(response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return async () => {
      const [response] = (await once(request({ port, agent: false }).end(), 'response')) as [IncomingMessage];
      // It is broken off by one side or the other.
      return response.on('error', () => undefined);
    };
  }

  it('let one go that does not read, and go on for the others', async () => {
    const hub = new EventHub();
    const listen = await serve(hub);
    const [slow, quick] = [await listen(), await listen()];
    slow.pause();
    let heard = '';
    quick.setEncoding('utf8').on('data', (chunk: string) => (heard += chunk));
    const [towardsSlow, towardsQuick] = served;
    const event = { type: 'Applied', message: 'x'.repeat(10_000) };
    // What the kernel's buffers take comes before the backlog.
    for (let told = 0; told < 5_000 && !towardsSlow?.destroyed; told++) {
      hub.publish(event);
      expect(towardsSlow?.writableLength).toBeLessThan(80_000);
      await new Promise(setImmediate);
    }
    expect([towardsSlow?.destroyed, towardsQuick?.destroyed]).toEqual([true, false]);
    hub.publish({ type: 'Last', message: '' });
    await expect.poll(() => heard.includes('event: Last')).toBe(true);
  });

  it('are for so many listeners at once, and a place is free again when one goes', async () => {
    const hub = new EventHub();
    const listen = await serve(hub);
    const all = await Promise.all(Array.from({ length: 32 }, listen));
    expect(() => hub.refuseWhenFull()).toThrow('32 listen to events already');
    all[0]?.destroy();
    await expect.poll(() => refuses(hub)).toBe(false);
  });

  it('break the silence by a heartbeat', async () => {
    const hub = new EventHub(10);
    const listening = await (await serve(hub))();
    listening.setEncoding('utf8');
    let heard = '';
    for await (const chunk of listening as AsyncIterable<string>) {
      heard += chunk;
      if (heard.split(': alive').length > 2) break;
    }
    expect(heard).toMatch(/^: listening\n\n(: alive\n\n)+/);
  });
});

function refuses(hub: EventHub): boolean {
  try {
    hub.refuseWhenFull();
    return false;
  } catch {
    return true;
  }
}
