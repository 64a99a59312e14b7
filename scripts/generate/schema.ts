import { MAX_ENDPOINTS, MAX_PATH } from '../../src/config/checks.js';
import { type Kind, type ListedKey, allKeys, sections, subsectionsOf } from '../../src/config/keys.js';
import { minVersions } from '../../src/config/tls-names.js';
import { defaultInWords, withoutBackticks } from './words.js';

/** A JSON Schema, or a part of one. */
type Schema = Readonly<Record<string, unknown>>;

/** Values that count as absent. */
const NULL: Schema = { type: 'null' };
const EMPTY: Schema = { const: '' };

/** config.schema.json (JSON Schema, draft 7). A schema checks each value alone, not whether values fit together. */
export function schemaFile(): string {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'patroniglue: config.yml',
    description: 'Times are in seconds; fractions such as 0.25 are fine. Every section may be left out.',
    anyOf: [objectOf(sectionsIn())],
  };
  return JSON.stringify(schema, null, 2);
}

/** A property of an object: its name, its schema, and whether it must be there. */
type Property = readonly [name: string, schema: Schema, isRequired: boolean];

/** The sections that are directly in another one, or in the file. A section with a key that must be there must not be null. */
function sectionsIn(parent?: ListedKey['section']): readonly Property[] {
  return subsectionsOf(parent).map(({ section, name }) => {
    const keys = allKeys.filter((listed) => listed.section === section).map(keyProperty);
    const properties = [...keys, ...sectionsIn(section)];
    const isNeeded = properties.some(([, , isRequired]) => isRequired);
    const description = withoutBackticks(sections[section]);
    const schema = { description, anyOf: [objectOf(properties), ...(isNeeded ? [] : [NULL])] };
    return [name, schema, isNeeded && parent !== undefined];
  });
}

function objectOf(properties: readonly Property[]): Schema {
  const required = properties.filter(([, , isRequired]) => isRequired).map(([name]) => name);
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(properties),
  };
}

function keyProperty(listed: ListedKey): Property {
  const { key } = listed;
  const isRequired = 'required' in key;
  const unit = key.kind === 'seconds' ? ' In seconds.' : '';
  const otherwise = 'default' in key || isRequired ? '' : ` Default: ${defaultInWords(listed)}.`;
  const schema = {
    description: withoutBackticks(`${key.about}${unit}${otherwise}`),
    ...('default' in key && { default: key.default }),
    ...(key.suggestions && { examples: key.suggestions }),
    anyOf: [...valueSchemas(key), ...(isRequired || (key.kind === 'networks' && 'empty' in key) ? [] : [NULL])],
  };
  return [key.name, schema, isRequired];
}

/** Schemas of the values of a kind, as far as a schema can check them. For most kinds, an empty text counts as absent. */
function valueSchemas(kind: Kind): readonly Schema[] {
  switch (kind.kind) {
    case 'host':
      return [{ type: 'string', ...(kind.empty !== undefined && { minLength: 1 }) }];
    case 'endpoints':
      return [{ ...listOf({ type: 'string', minLength: 1 }), minItems: 1, maxItems: MAX_ENDPOINTS, uniqueItems: true }];
    case 'endpoint or none':
      return [{ type: 'string' }];
    case 'whole number':
      return [{ type: 'integer', minimum: kind.min, maximum: kind.max }, EMPTY];
    case 'seconds':
      return [{ type: 'number', minimum: kind.min, maximum: kind.max }, EMPTY];
    case 'boolean':
      return [{ type: 'boolean' }, inAnyCase(['y', 'yes', 'on', 'n', 'no', 'off'])];
    case 'word':
      return [{ enum: kind.words }, inAnyCase(kind.words)];
    case 'file':
    case 'password file':
      return [{ type: 'string', maxLength: MAX_PATH }];
    case 'log line':
    case 'text':
      return [{ type: 'string' }];
    case 'key prefix':
      return [{ type: 'string', pattern: '^/+[^/]' }];
    case 'TLS version':
      return [{ enum: minVersions }, { type: 'string' }];
    case 'ciphers':
      return [listOf({ type: 'string' }), { type: 'string' }];
    case 'route':
      return [{ type: 'string', pattern: '^(/.*)?$' }];
    case 'routes':
      return [{ ...listOf({ type: 'string', pattern: '^/' }), minItems: 1 }, EMPTY];
    case 'networks':
      return [
        listOf({ type: 'string', pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' }),
        ...(kind.empty === undefined ? [EMPTY] : []),
      ];
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
