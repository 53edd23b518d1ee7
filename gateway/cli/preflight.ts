/** `vpcgw preflight`: what a gateway needs of its machine, tried in this network namespace; what is made for it is taken away. */
import { probe, type Finding } from '../system/probe.js';
import { SystemRunner } from '../system/command-runner.js';
import { dim, green, print, red, table, yellow } from './output.js';
import type { Common } from './options.js';

/** False when something is missing without which no gateway works. */
export async function preflight({ output }: Common): Promise<boolean> {
  const findings = await probe(new SystemRunner());
  const mark = ({ state }: Finding): string =>
    state === 'Ok' ? green('ok') : state === 'Missing' ? red('missing') : yellow('degraded');
  print(output, findings, () =>
    table(findings, [
      { title: 'CHECK', value: (finding) => finding.check },
      { title: 'STATE', value: mark },
      { title: 'FOUND', value: (finding) => finding.found },
      { title: 'FIX', value: (finding) => (finding.state === 'Ok' ? dim('-') : finding.fix) },
    ]),
  );
  return findings.every((finding) => finding.state !== 'Missing');
}
