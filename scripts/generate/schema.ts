import { MAX_PATH } from '../../src/config/checks.js';
import { type Kind, type ListedKey, allKeys, sections } from '../../src/config/keys.js';
import { minVersions } from '../../src/config/tls-names.js';
import { defaultInWords, withoutBackticks } from './words.js';

/** A JSON Schema, or a part of one. */
type Schema = Readonly<Record<string, unknown>>;

/** Values that count as absent. */
const NULL: Schema = { type: 'null' };
const EMPTY: Schema = { const: '' };

/** config.schema.json (JSON Schema, draft 7). A schema checks each value alone, not whether values fit together. */
export function schemaFile(): string {
  const properties = Object.entries(sections).map(([name, about]) => {
    const keys = allKeys.filter(({ section }) => section === name);
    const section = objectOf(keys.map((listed) => [listed.key.name, keySchema(listed)]));
    return [name, { description: withoutBackticks(about), anyOf: [section, NULL] }] as const;
  });
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'patroniglue: config.yml',
    description: 'Times are in seconds; fractions such as 0.25 are fine. Every key may be left out.',
    anyOf: [objectOf(properties)],
  };
  return JSON.stringify(schema, null, 2);
}

function objectOf(properties: readonly (readonly [string, Schema])[]): Schema {
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) };
}

function keySchema(listed: ListedKey): Schema {
  const { key } = listed;
  const unit = key.kind === 'seconds' ? ' In seconds.' : '';
  const otherwise = 'default' in key ? '' : ` Default: ${defaultInWords(listed)}.`;
  return {
    description: withoutBackticks(`${key.about}${unit}${otherwise}`),
    ...('default' in key && { default: key.default }),
    ...(key.suggestions && { examples: key.suggestions }),
    anyOf: [...valueSchemas(key), NULL],
  };
}

/** Schemas of the values of a kind, as far as a schema can check them. For most kinds, an empty text counts as absent. */
function valueSchemas(kind: Kind): readonly Schema[] {
  switch (kind.kind) {
    case 'host':
      return [{ type: 'string', ...(kind.empty !== undefined && { minLength: 1 }) }];
    case 'whole number':
      return [{ type: 'integer', minimum: kind.min, maximum: kind.max }, EMPTY];
    case 'seconds':
      return [{ type: 'number', minimum: kind.min, maximum: kind.max }, EMPTY];
    case 'boolean':
      return [{ type: 'boolean' }, inAnyCase(['y', 'yes', 'on', 'n', 'no', 'off'])];
    case 'word':
      return [{ enum: kind.words }, inAnyCase(kind.words)];
    case 'file':
      return [{ type: 'string', maxLength: MAX_PATH }];
    case 'log line':
      return [{ type: 'string' }];
    case 'TLS version':
      return [{ enum: minVersions }, { type: 'string' }];
    case 'ciphers':
      return [listOf({ type: 'string' }), EMPTY];
    case 'route':
      return [{ type: 'string', pattern: '^(/.*)?$' }];
    case 'routes':
      return [{ ...listOf({ type: 'string', pattern: '^/' }), minItems: 1 }, EMPTY];
    case 'networks':
      return [listOf({ type: 'string', pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' }), EMPTY];
  }
}

function listOf(items: Schema): Schema {
  return { type: 'array', items };
}

/** One of these words, or an empty text. JSON Schema has no flag to ignore the case of letters. */
function inAnyCase(words: readonly string[]): Schema {
  const patterns = words.map((word) => word.replace(/./g, (letter) => `[${letter.toUpperCase()}${letter}]`));
  return { type: 'string', pattern: `^(${patterns.join('|')})?$` };
}
