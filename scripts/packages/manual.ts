import { allKeys, sectionNames, sections } from '../../src/config/keys.js';
import { roff } from '../../src/cli/usage.js';
import { defaultInWords, kindInWords, withoutBackticks } from '../generate/words.js';

/** The manual page of the configuration, patroniglue.yml(5), in the language of man(7). */
export function configurationManual(version: string): string {
  const text = (words: string): string => roff(withoutBackticks(words));
  const parts = sectionNames.map((section) => {
    const listed = allKeys.filter((key) => key.section === section);
    const entries = listed.map((entry) => {
      const facts = `${kindInWords(entry.key)}; default: ${defaultInWords(entry)}`;
      return `.TP\n.B ${roff(entry.path)}\n${text(entry.key.about)}\n.br\n${text(`(${facts})`)}`;
    });
    return [`.SH SECTION ${roff(section.toUpperCase())}`, text(sections[section]), ...entries].join('\n');
  });
  return `.TH PATRONIGLUE.YML 5 "" "patroniglue ${version}" "File Formats"
.SH NAME
patroniglue.yml \\- configuration of patroniglue, /etc/patroniglue/config.yml
.SH DESCRIPTION
YAML, with sections and keys. Times are in seconds; fractions are fine.
Every section and most keys may be left out.
.B patroniglue \\-\\-check
tells every mistake with its line.
SIGHUP makes the service read the file again.
${parts.join('\n')}
.SH SEE ALSO
.BR patroniglue (8)
`;
}
