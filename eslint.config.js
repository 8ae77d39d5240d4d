/**
 * Type-aware lint. Beyond the strict rules it keeps three habits of this code: no promise is left floating, a switch over a union is complete, and
 * the library takes time, chance and output by injection.
 */
import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Time, chance and output are injected everywhere but at the edges. */
const injected = [
  { object: 'Date', property: 'now', message: 'Take the time from a Clock.' },
  { object: 'Math', property: 'random', message: 'Take chance from a Random.' },
  { object: 'performance', property: 'now', message: 'Take durations from a Clock.' },
];
const ambient = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'console'].map((name) => ({
  name,
  message: 'Inject it: see src/core/clock.ts and the logger option.',
}));
const exportAll = { selector: 'ExportAllDeclaration', message: 'Entry files list names.' };
const freshDate = { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Take the time from a Clock.' };

export default tseslint.config(
  { ignores: ['dist', '.build', 'node_modules', 'bench/node_modules', 'bench/peers', 'coverage'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './tsconfig.build.json', './src/console/page/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      // An arrow that calls for effect reads better without braces.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Types of records that come from outside say less than what may really come.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // `() => void work()` marks a value that is dropped on purpose.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // A counted walk is measurably quicker where every event passes.
      '@typescript-eslint/prefer-for-of': 'off',
      'no-control-regex': 'off',
      'no-restricted-syntax': ['error', exportAll],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    // The page runs in a browser, where the clock and the console are the person's own.
    ignores: ['src/core/**', 'src/cli/**', 'src/console/page/**'],
    rules: {
      'no-restricted-properties': ['error', ...injected],
      'no-restricted-globals': ['error', ...ambient],
      'no-restricted-syntax': ['error', exportAll, freshDate],
    },
  },
  {
    files: ['test/**/*.ts', 'examples/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  // These files are their own test: they must compile, or fail to where they say so.
  { files: ['test/types/**/*.ts'], rules: { '@typescript-eslint/no-unused-vars': 'off' } },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        require: 'readonly',
        module: 'writable',
        URL: 'readonly',
        performance: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
);
