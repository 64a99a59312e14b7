// Who may import whom: docs/architecture.md says why. `npm run lint` checks it.

/** What each room of src/ may import of others; `config` stands for its types alone. */
const rooms = {
  patroni: [],
  network: [],
  linux: [],
  witness: ['patroni', 'network'],
  log: [],
  certificates: [],
  config: ['patroni', 'network', 'certificates', 'errors'],
  upstream: ['patroni', 'witness', 'network', 'certificates', 'config/types'],
  sockets: ['network', 'errors'],
  streams: ['patroni', 'witness', 'network', 'certificates', 'upstream', 'config/types'],
  'flight-recorder': ['patroni', 'witness', 'network', 'linux'],
  http: ['patroni', 'network', 'sockets', 'config/types', 'config/tls-names'],
  'agent-check': ['patroni', 'config/types'],
  metrics: [
    'patroni',
    'witness',
    'streams',
    'http/types',
    'http/reply',
    'http/broken-connection',
    'agent-check/types',
    'config/types',
    'version',
  ],
  status: ['patroni', 'witness', 'streams', 'flight-recorder', 'http/types', 'http/reply', 'version'],
  systemd: ['patroni', 'errors'],
  service: [
    ...['patroni', 'witness', 'network', 'log', 'certificates', 'config', 'upstream', 'sockets', 'streams', 'http'],
    ...['flight-recorder', 'agent-check', 'metrics', 'status', 'systemd', 'errors', 'version'],
  ],
  cli: [
    ...['service/service', 'config', 'patroni', 'witness', 'network', 'upstream', 'streams', 'sockets/listeners'],
    ...['sockets/open-files', 'certificates', 'linux', 'http/types', 'log/journal', 'log/levels', 'errors', 'version'],
  ],
};

const pathOf = (name) => (name.includes('/') ? `${name}\\.ts$` : `${name}(/|\\.ts$)`);

module.exports = {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'Two files that import each other can only be understood together. Move what both need into a third.',
      severity: 'error',
      from: { path: '^(src|test|bench|demo)/' },
      to: { circular: true },
    },
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `${room}-imports`,
      comment: `src/${room} may import of src/ only: ${[room, ...allowed].join(', ')}.`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].map(pathOf).join('|')})` },
    })),
    {
      name: 'process-imports',
      comment: 'The files directly under src/ are the process, and the leaves that every room may use.',
      severity: 'error',
      from: { path: '^src/[^/]+\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(cli/|[^/]+\\.ts$)' },
    },
    {
      name: 'no-other-room',
      comment: 'A new folder of src/ needs its line in `rooms`, and its row in docs/architecture.md.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${Object.keys(rooms).join('|')})/` },
      to: {},
    },
    {
      name: 'src-is-alone',
      comment: 'The program does not need its tests.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|demo)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true, // types count: they decide what a reader must know
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
