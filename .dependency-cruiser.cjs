// The arrows of the house: composition roots -> adapters -> core. See docs/architecture.md.
const tests = '\\.test\\.ts$'

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A type, or what a command loads when it runs, may look back.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    {
      name: 'core-imports-no-io',
      comment: 'Core is the domain: its time, ids and stores are passed in.',
      severity: 'error',
      from: { path: '^core/src', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-imports-no-adapter',
      severity: 'error',
      from: { path: '^core/src', pathNot: tests },
      to: { path: '^(sandbox|runtime-|gateway|security|storage|api|daemon|sdk|cli|tests|bench)' },
    },
    {
      name: 'http-contract-imports-core-only',
      comment: 'API and SDK both read it; it knows neither.',
      severity: 'error',
      from: { path: '^http-contract/', pathNot: tests },
      to: { path: '^(sandbox|runtime-[a-z]+|gateway|security|storage|api|sdk|daemon|cli)/src' },
    },
    {
      name: 'adapters-never-import-one-another',
      severity: 'error',
      from: { path: '^(sandbox|gateway|security|storage|api)/src', pathNot: tests },
      to: {
        path: '^(sandbox|runtime-[a-z]+|gateway|security|storage|api|daemon|sdk/typescript|cli)/src',
        pathNot: '^$1/src',
      },
    },
    {
      name: 'runtimes-import-sandbox-and-core-only',
      severity: 'error',
      from: { path: '^(runtime-[a-z]+)/src', pathNot: tests },
      to: {
        path: '^(runtime-[a-z]+|gateway|security|storage|api|daemon|sdk/typescript|cli)/src',
        pathNot: '^$1/src',
      },
    },
    {
      name: 'sdk-imports-core-only',
      severity: 'error',
      from: { path: '^sdk/', pathNot: tests },
      to: { path: '^(sandbox|runtime-[a-z]+|gateway|security|storage|api|daemon|cli)/src' },
    },
    {
      name: 'cli-imports-core-contract-sdk-and-daemon-only',
      comment: 'It talks to a node through the control plane, wherever that node runs.',
      severity: 'error',
      from: { path: '^cli/src', pathNot: tests },
      to: { path: '^(sandbox|runtime-[a-z]+|gateway|security|storage|api)/src' },
    },
    {
      name: 'daemon-is-below-cli',
      severity: 'error',
      from: { path: '^daemon/src' },
      to: { path: '^(cli|sdk)/' },
    },
    {
      name: 'product-does-not-import-tests',
      severity: 'error',
      from: {
        path: '^(core|sandbox|runtime-[a-z]+|gateway|security|storage|http-contract|api|daemon|sdk|cli)/',
        pathNot: tests,
      },
      to: { path: '^(tests|bench|scripts)/' },
    },
    {
      name: 'declared-dependencies-only',
      severity: 'error',
      from: { pathNot: `${tests}|^(scripts|tests|bench)/|vitest\\.config\\.ts$` },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist|build)/' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
    tsConfig: { fileName: 'tsconfig.json' },
  },
}
