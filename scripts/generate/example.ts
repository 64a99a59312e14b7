import { stringify } from 'yaml';
import { type ListedKey, type Plain, allKeys, hasRequiredKey, sectionNames, sections } from '../../src/config/keys.js';
import { boundsOf, defaultInWords, defaultOf, withoutBackticks, wrap } from './words.js';

const HEADER = `# yaml-language-server: $schema=./config.schema.json
# patroniglue: configuration
#
# Ready to use beside a Patroni whose REST API is at localhost:8008. Times are in seconds; fractions
# such as 0.25 are fine. Lines that begin with #key are optional, and show an example or the default.
# Every section may be left out.
# Check your changes with: patroniglue --config FILE --check
`;

/** config.yml.example: every key with its comment. Keys that are not in use are commented out. */
export function exampleFile(): string {
  return [HEADER, ...sectionNames.map(sectionInExample)].join('\n');
}

/** A section that needs a key is commented out as well: without the key, patroniglue refuses it. */
function sectionInExample(section: (typeof sectionNames)[number]): string {
  const [name = '', ...parents] = section.split('.').reverse();
  const indent = '  '.repeat(parents.length);
  const mark = hasRequiredKey(section) ? '#' : '';
  const head = `${wrap(withoutBackticks(sections[section]), `${indent}# `)}\n${indent}${mark}${name}:\n`;
  const listed = allKeys.filter((key) => key.section === section);
  return head + listed.map((key) => keyInExample(key, `${indent}  `)).join('\n');
}

function keyInExample(listed: ListedKey, indent: string): string {
  const { key } = listed;
  const bounds = boundsOf(key);
  const range = bounds === undefined ? '' : `${key.kind === 'seconds' ? 'Seconds' : 'Range'}: ${bounds}. `;
  const comment = [key.about, `${range}Default: ${defaultInWords(listed)}`];
  const lines = yamlLines(key.name, key.example ?? defaultOf(listed) ?? '');
  const mark = key.inUse === true ? '' : '#';
  return [
    ...comment.map((text) => wrap(withoutBackticks(text), `${indent}# `)),
    ...lines.map((line) => `${indent}${mark}${line}`),
    '',
  ].join('\n');
}

function yamlLines(name: string, value: Plain): readonly string[] {
  return stringify({ [name]: value }, { lineWidth: 0 })
    .trimEnd()
    .split('\n');
}
