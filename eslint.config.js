import tseslint from 'typescript-eslint';

/**
 * `Uint8Array.from(samples, f)` first makes a list of JavaScript values, some 23 bytes each, on a heap that ends the process when it is
 * full; `Math.max(...list)` fails for more than some 120 000 values.
 */
const BOUNDED = [
  {
    selector:
      'CallExpression[callee.property.name="from"][callee.object.name=/^(Big)?(Int|Uint|Float)\\d+(Clamped)?Array$/][arguments.length>1][arguments.0.type!="ObjectExpression"]',
    message: 'makes a list of all values first: fill a new array in a loop',
  },
  {
    selector:
      'CallExpression[callee.object.name="Math"][callee.property.name=/^(max|min)$/] > SpreadElement > CallExpression',
    message: 'fails for long lists: use reduce or a loop',
  },
];

/** Of whole numbers to powers of two alone a power is the same on every engine. */
const POWERS = [
  {
    selector:
      'BinaryExpression[operator="**"]:not([left.raw=/^(2|4|0\\.5|0\\.25)$/]), AssignmentExpression[operator="**="]',
    message: 'engines differ in its last bit: multiply, or use src/math',
  },
];

export default tseslint.config(
  // The kernels are AssemblyScript: TypeScript's words with other meanings.
  { ignores: ['dist/', 'node_modules/', 'kernels/', 'src/kernels/*.wasm.ts', 'out/', 'runs/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Bytes, counts and flags in messages are wanted.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `array[i]!` says to the reader that the index is known to be in range, whatever the compiler's settings.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // An async function without await may be there to keep an interface, and to reject rather than throw.
      '@typescript-eslint/require-await': 'off',
      // Interfaces here are bundles of functions, written as methods for brevity; `this` is used in classes alone.
      '@typescript-eslint/unbound-method': 'off',
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['error', 'warn'] }],
    },
  },
  // Programs, which talk on stdout.
  { files: ['bench/**/*.ts', 'corpus/**/*.ts', 'fuzz/**/*.ts', 'scripts/**/*.mjs'], rules: { 'no-console': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: {
      // node:test returns promises that its runner awaits.
      '@typescript-eslint/no-floating-promises': 'off',
      'no-console': 'off',
      // Tests make things that the types forbid.
      ...Object.fromEntries(
        ['assignment', 'member-access', 'call', 'return', 'argument'].map((what) => [
          `@typescript-eslint/no-unsafe-${what}`,
          'off',
        ]),
      ),
    },
  },
  {
    files: ['{src,web,cli,cluster,formats}/**/*.ts'],
    ignores: ['src/train/**'],
    rules: { 'no-restricted-syntax': ['error', ...BOUNDED] },
  },
  {
    // What decides bits must be the same on every engine (see src/math/exact.ts).
    files: ['src/{codec,container,diffusion,entropy,math,metrics,model,pixels,restore}/**/*.ts', 'src/format.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...BOUNDED, ...POWERS],
      'no-restricted-properties': [
        'error',
        ...[
          'exp',
          'exp2',
          'expm1',
          'log',
          'log2',
          'log10',
          'log1p',
          'pow',
          'sin',
          'cos',
          'tan',
          'tanh',
          'atan',
          'atan2',
          'cbrt',
          'hypot',
          'random',
        ].map((property) => ({ object: 'Math', property, message: 'engines differ in its last bit: use src/math' })),
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['node:*', 'fs', 'path', 'os'], message: 'the core runs in browsers too' }] },
      ],
      'no-restricted-globals': ['error', 'process', 'Buffer', 'performance', 'Date'],
    },
  },
  // The part that is of Node, by its name; only src/node.ts, tests and programs import it (test/package.test.ts).
  { files: ['src/**/*-node.ts'], rules: { 'no-restricted-imports': 'off', 'no-restricted-globals': 'off' } },
  // Works once, when a model is made; what it made is then data, the same for all.
  { files: ['src/model/integer/quantise.ts'], rules: { 'no-restricted-properties': 'off' } },
);
