import { builtinModules } from 'node:module';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

// The core that turns documents into a plan. It must give the same answer for the same input, anywhere, so it may
// reach neither Node nor the machine; whatever it needs from them is handed in.
const pureFiles = [
  'gateway/{api,model,features,documents,failover,ipsec,routing}/**/*.ts',
  'gateway/reconcile/{compile,plan}*.ts',
  'gateway/kernel/**/{state,parse,diff,render}.ts',
  'gateway/insight/explain/{check,checks,codes,subject}.ts',
  'gateway/insight/explain/checks/*.ts',
  'gateway/insight/top/rates.ts',
  'gateway/insight/bundle/{redact,tar}.ts',
  'gateway/insight/capture/{sides,pcap,pcapng,headers-only}.ts',
  'gateway/insight/trace/{packet,walk,steps,traveller,kernel-trace,compare}*.ts',
];

// As `node:net` or, in the old spelling, as plain `net`.
const nodeModules = `^(node:|(${builtinModules.filter((name) => !name.startsWith('_')).join('|')})(/|$))`;

export default defineConfig(
  globalIgnores(['dist/', 'coverage/']),
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      // An effect can satisfy an interface whose other implementations do await.
      '@typescript-eslint/require-await': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ImportDeclaration[source.value="zod"] > :not(ImportNamespaceSpecifier, Literal)',
          message: 'import * as z from zod: by its own name it brings all of its languages into the bundle.',
        },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  { files: ['**/*.{js,mjs}'], extends: [tseslint.configs.disableTypeChecked] },
  {
    files: pureFiles,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: nodeModules, message: 'A pure file: what it needs of Node is handed in by its caller.' },
            { regex: '(^|/)system/', message: 'A pure file: effects belong to gateway/system and its callers.' },
          ],
        },
      ],
    },
  },
);
