import { OPTIONS } from '../../src/cli/usage.js';

/** The options by name; `file` if the option takes one. */
const options = OPTIONS.map(([option, meaning]) => {
  const [name = '', value] = option.split(' ');
  return { name, meaning, file: value !== undefined };
});

const withFile = options.filter(({ file }) => file).map(({ name }) => name);

/** Completes options and files in bash. */
export function bashCompletion(): string {
  return `# patroniglue(8)
_patroniglue() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
    case $prev in
        ${withFile.join('|')})
            COMPREPLY=($(compgen -f -- "$cur"))
            return ;;
    esac
    COMPREPLY=($(compgen -W "${options.map(({ name }) => name).join(' ')}" -- "$cur"))
}
complete -o filenames -F _patroniglue patroniglue
`;
}

/** The same for zsh. */
export function zshCompletion(): string {
  const quoted = (text: string): string => text.replaceAll("'", String.raw`'\''`).replaceAll(':', String.raw`\:`);
  const lines = options.map(
    ({ name, meaning, file }) => `  '${name}[${quoted(meaning)}]${file ? ':file:_files' : ''}'`,
  );
  return `#compdef patroniglue\n_arguments \\\n${lines.join(' \\\n')}\n`;
}

/** The same for fish. */
export function fishCompletion(): string {
  const quoted = (text: string): string => text.replaceAll("'", String.raw`\'`);
  return options
    .map(({ name, meaning, file }) => {
      const value = file ? ' -r -F' : ' -f';
      return `complete -c patroniglue -l ${name.slice(2)}${value} -d '${quoted(meaning)}'\n`;
    })
    .join('');
}
