import { AgentError } from './agent.js';
import type { Agent } from './agent.js';
import type { TimedTarget } from './agent-operations.js';

// Who answers at an address, in a form that one `toEqual` compares.

/** Which server answered and whom it saw, or what went wrong instead. */
export type Reached = { server: string; client: string } | { error: string };

type Where = Omit<TimedTarget, 'port'> & { port?: number };

/** A connection, and a line there and back. */
export function overTcp(agent: Agent, where: Where): Promise<Reached> {
  return reached(async () => {
    const connection = await agent.tcpConnect({ port: 80, ...where });
    await connection.close({ reset: true });
    return connection.greeting;
  });
}

/** A datagram there and one back. */
export function overUdp(agent: Agent, where: Where): Promise<Reached> {
  return reached(async () => (await agent.udpExchange({ port: 53, payload: 'who', ...where })).greeting);
}

async function reached(
  attempt: () => Promise<{ server: string; remote: { address: string } } | undefined>,
): Promise<Reached> {
  try {
    const greeting = await attempt();
    return greeting ? { server: greeting.server, client: greeting.remote.address } : { error: 'NOT_OURS' };
  } catch (error) {
    if (error instanceof AgentError) return { error: error.code };
    throw error;
  }
}

/** For what must not be answered: long against a round trip here, also on a slow machine. */
export const silenceMs = 700;

/** What connecting or sending to a silent address comes to. */
export const silence: Reached = { error: 'TIMEOUT' };
