import type { AgentError, Outcome } from '../agent-operations.js';

// Failures that a test wants to tell apart carry a code; the kernel's own come with one.

export class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function toAgentError(error: unknown): AgentError {
  if (!(error instanceof Error)) return { code: 'UNKNOWN', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
  return { code, message: error.message };
}

export async function outcomeOf<Value>(attempt: Promise<Value>): Promise<Outcome<Value>> {
  try {
    return (await attempt) as Outcome<Value>;
  } catch (error) {
    return { error: toAgentError(error) };
  }
}

/** Starts at most `concurrency` at a time; results in the order of the inputs. */
export async function inParallel<Input, Output>(
  inputs: readonly Input[],
  concurrency: number,
  work: (input: Input) => Promise<Output>,
): Promise<Output[]> {
  const outputs: Output[] = new Array<Output>(inputs.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < inputs.length) {
      const index = next++;
      outputs[index] = await work(inputs[index] as Input);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, inputs.length) }, worker));
  return outputs;
}
