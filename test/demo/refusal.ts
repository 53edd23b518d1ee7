import { basename } from 'node:path';
import type { Scene } from './scene.js';
import { expectSame } from './story.js';

const document = 'refused.yaml';

interface Diagnostic {
  readonly position: { readonly file: string; readonly line: number; readonly column: number };
  readonly path: string;
  readonly message: string;
}

export const refusal: Scene = {
  title: 'A bad document: refused as a whole, every mistake named with its line',
  async play({ blue, inet }, story) {
    const { revision } = await blue.supervisor.status();
    let diagnostics: readonly Diagnostic[] = [];
    await story.check(`${document} is laid into the folder and refused`, async () => {
      const status = await blue.lay(document);
      expectSame('taken', status.folder?.taken, false);
      diagnostics = status.diagnostics as readonly Diagnostic[];
    });
    story.say(diagnostics.map(told).join('\n'));
    await story.check('every mistake in it was named', async () => expectSame('problems', diagnostics.length, 6));
    await story.check('nothing has changed: the former documents are in force and work', async () => {
      expectSame('revision', (await blue.supervisor.status()).revision, revision);
      const { greeting } = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
      expectSame('who answered', greeting.server, 'blue-web');
    });
    await story.check('taken away, the folder is accepted again', async () =>
      expectSame('taken', (await blue.takeAway(document)).folder?.taken, true),
    );
  },
};

const told = ({ position: { file, line, column }, path, message }: Diagnostic): string =>
  `${basename(file)}:${line}:${column}: ${path}: ${message}`;
