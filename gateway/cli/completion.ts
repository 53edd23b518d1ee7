/** Completion scripts, from the commands themselves. */
import type { Command } from 'commander';

interface Entry {
  readonly name: string;
  readonly description: string;
  readonly words: readonly string[];
}

const entriesOf = (program: Command): Entry[] =>
  program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    words: [
      ...command.commands.map((inner) => inner.name()),
      ...[...command.options, ...program.options].map((option) => option.long ?? option.short ?? ''),
      ...command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
    ],
  }));

const SHELLS: Readonly<Record<string, (entries: readonly Entry[]) => string>> = {
  bash: (entries) => `_vpcgw() {
  local word=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" = 1 ]; then words="${entries.map((entry) => entry.name).join(' ')}"
  else case \${COMP_WORDS[1]} in
${entries.map((entry) => `    ${entry.name}) words="${entry.words.join(' ')}" ;;`).join('\n')}
  esac; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; compgen -f -- "$word")
}
complete -F _vpcgw vpcgw
`,
  zsh: (entries) => `#compdef vpcgw
_vpcgw() {
  if (( CURRENT == 2 )); then
    local -a commands=(${entries.map((entry) => `'${entry.name}:${entry.description.replace(/[':]/g, ' ')}'`).join(' ')})
    _describe command commands
  else case $words[2] in
${entries.map((entry) => `    ${entry.name}) compadd -- ${entry.words.join(' ')}; _files ;;`).join('\n')}
  esac; fi
}
compdef _vpcgw vpcgw
`,
  fish: (entries) =>
    entries
      .flatMap((entry) => [
        `complete -c vpcgw -n __fish_use_subcommand -a ${entry.name} -d '${entry.description.replace(/'/g, '')}'`,
        ...entry.words.map(
          (word) =>
            `complete -c vpcgw -n '__fish_seen_subcommand_from ${entry.name}' ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`}`,
        ),
      ])
      .join('\n') + '\n',
};

export function printCompletion(shell: string, program: Command): void {
  process.stdout.write(SHELLS[shell]?.(entriesOf(program)) ?? '');
}
