import { describe, expect, it } from 'vitest';
import { parseKernelEvent } from '../../gateway/system/kernel-event.js';

describe('a line about the kernel', () => {
  const address = 'address vg-ext0 6 20010db8000000000000000000000007 64 0';
  const whole = [address, 'link bond0.100 1 0', 'route 118', 'rule 118', 'nft 7 inet element 0 vpcgw_fence lease'];

  it('is read', () => {
    expect(whole.map(parseKernelEvent)).toEqual([
      { kind: 'address', link: 'vg-ext0', address: '2001:db8::7/64', gone: false },
      { kind: 'link', link: 'bond0.100', carries: true, gone: false },
      { kind: 'route', protocol: 118 },
      { kind: 'rule', protocol: 118 },
      { kind: 'nft', pid: 7, family: 'inet', object: 'element', gone: false, table: 'vpcgw_fence', name: 'lease' },
    ]);
    expect(parseKernelEvent('nft 7 ip table 1 nat -')).toMatchObject({ table: 'nat', name: '', gone: true });
  });

  it('that its writer did not end says nothing', () => {
    for (const line of whole)
      for (let end = line.indexOf(' ') + 1; end <= line.lastIndexOf(' ') + 1; end++)
        expect(parseKernelEvent(line.slice(0, end)), line.slice(0, end)).toBeUndefined();
  });

  it('of another kind is none', () => {
    for (const line of ['', 'missed', 'answers', 'answers ext0/0/3/-1', 'lost ext0', 'constructor', 'toString 1'])
      expect(parseKernelEvent(line), line).toBeUndefined();
  });
});
