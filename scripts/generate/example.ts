import { stringify } from 'yaml';
import { type ListedKey, type Plain, allKeys, sections } from '../../src/config/keys.js';
import { boundsOf, defaultInWords, defaultOf, withoutBackticks, wrap } from './words.js';

const HEADER = `# yaml-language-server: $schema=./config.schema.json
# patroniglue: configuration
#
# Ready to use beside a Patroni whose REST API is at localhost:8008. Times are in seconds; fractions
# such as 0.25 are fine. Lines that begin with #key are optional, and show an example or the default.
# All keys may be left out.
# Check your changes with: patroniglue --config FILE --check
`;

/** config.yml.example: every key with its comment. Keys that are not in use are commented out. */
export function exampleFile(): string {
  const parts = Object.entries(sections).map(([name, about]) => {
    const listed = allKeys.filter(({ section }) => section === name);
    const head = `${wrap(withoutBackticks(about), '# ')}\n${name}:\n`;
    return head + listed.map(keyInExample).join('\n');
  });
  return [HEADER, ...parts].join('\n');
}

function keyInExample(listed: ListedKey): string {
  const { key } = listed;
  const bounds = boundsOf(key);
  const range = bounds === undefined ? '' : `${key.kind === 'seconds' ? 'Seconds' : 'Range'}: ${bounds}. `;
  const comment = [key.about, `${range}Default: ${defaultInWords(listed)}`];
  const lines = yamlLines(key.name, key.example ?? defaultOf(listed) ?? '');
  const mark = key.inUse === true ? '' : '#';
  return [
    ...comment.map((text) => wrap(withoutBackticks(text), '  # ')),
    ...lines.map((line) => `  ${mark}${line}`),
    '',
  ].join('\n');
}

function yamlLines(name: string, value: Plain): readonly string[] {
  return stringify({ [name]: value }, { lineWidth: 0 })
    .trimEnd()
    .split('\n');
}
