import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HeldProgram } from '../../gateway/system/held-program.js';

const env = { PATH: process.env['PATH'] };
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const question = (line: string) => ({ lines: [line, 'the end'], until: 'the end' });

describe('a program that is held', () => {
  it('is asked again and again, and answers with the digest of all that it says', async () => {
    const cat = new HeldProgram(['cat'], env);
    expect(await cat.ask(question('one'), 5_000)).toBe(sha256('one\nthe end\n'));
    expect(await cat.ask(question('two'), 5_000)).toBe(sha256('two\nthe end\n'));
    const long = 'x'.repeat(300_000);
    expect(await cat.ask(question(long), 5_000)).toBe(sha256(`${long}\nthe end\n`));
    cat.stop();
  });

  it('answers one after the other who ask at once', async () => {
    const cat = new HeldProgram(['cat'], env);
    const words = ['a', 'b', 'c'];
    const answers = await Promise.all(words.map((word) => cat.ask(question(word), 5_000)));
    expect(answers).toEqual(words.map((word) => sha256(`${word}\nthe end\n`)));
    cat.stop();
  });

  it('is started again by the next question when it ended', async () => {
    const once = new HeldProgram(['sed', '-u', '2q'], env);
    expect(await once.ask(question('one'), 5_000)).toBe(sha256('one\nthe end\n'));
    await expect(once.ask(question('lost'), 5_000)).rejects.toThrow('has ended');
    expect(await once.ask(question('two'), 5_000)).toBe(sha256('two\nthe end\n'));
    once.stop();
  });

  it('is given up when it does not answer, and when it is not there', async () => {
    const silent = new HeldProgram(['sleep', '60'], env);
    await expect(silent.ask(question('one'), 50)).rejects.toThrow('has ended');
    await expect(new HeldProgram(['vpcgw-no-such-program'], env).ask(question('one'), 5_000)).rejects.toThrow('ENOENT');
  });
});
