import js from '@eslint/js';
import rxjs from 'eslint-plugin-rxjs-x';
import tseslint from 'typescript-eslint';

/** Why the wall clock is out of bounds: docs in src/streams/clock.ts. */
const noWallClock = {
  object: 'Date',
  property: 'now',
  message:
    'Ages and durations are taken from src/streams/clock.ts (scheduler.now()); the wall clock is for people only.',
};

export default tseslint.config(
  { ignores: ['build/', 'build-*/', 'dist/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked, rxjs.configs.strict],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      'rxjs-x/finnish': 'off', // also flags functions that return observables, which RxJS's own do not mark
      'rxjs-x/no-ignored-subscription': 'error',
      'no-restricted-properties': ['error', noWallClock],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['it', 'describe', 'test'] }] },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'rxjs-x/no-ignored-default-value': 'off' }, // a test that gets no value is meant to fail
  },
  {
    files: ['src/status/assets/*.js'], // for browsers
    languageOptions: {
      globals: { document: 'readonly', EventSource: 'readonly', performance: 'readonly', setInterval: 'readonly' },
    },
  },
  {
    files: ['*.js', '*.cjs', '.ci/*.mjs', 'scripts/*.mjs'],
    languageOptions: {
      globals: {
        module: 'writable',
        require: 'readonly',
        __dirname: 'readonly',
        process: 'readonly',
        console: 'readonly',
      },
    },
  },
);
