import { variableOf } from '../../src/config/environment.js';
import { type ListedKey, allKeys, sections } from '../../src/config/keys.js';
import { defaultInWords, kindInWords, wrap } from './words.js';

const BEGIN = '<!-- keys: begin -->';
const END = '<!-- keys: end -->';

/** The page with a new list of all keys between its two markers. */
export function withReference(page: string): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`the page has no ${BEGIN} and ${END}`);
  return [before, BEGIN, '\n\n', reference(), '\n', END, after].join('');
}

function reference(): string {
  const parts = Object.entries(sections).map(([name, about]) => {
    const listed = allKeys.filter(({ section }) => section === name);
    return [`### \`${name}\`\n`, `${wrap(about, '')}\n`, ...listed.map(keyInReference)].join('\n');
  });
  return parts.join('\n');
}

function keyInReference(listed: ListedKey): string {
  const { key, path } = listed;
  const facts = `- **\`${path}\`** (${kindInWords(key)}; default: ${defaultInWords(listed)}; \`${variableOf(listed)}\`)`;
  return `${wrap(facts, '  ').slice(2)}\n\n${wrap(key.about, '  ')}\n`;
}
