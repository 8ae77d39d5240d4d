/** What `--help` prints, on top of what `cac` makes of the commands: what the command does, each option once, and how it may end. */

export interface HelpSection {
  title?: string;
  body: string;
}

const exitCodes: HelpSection = { title: 'Exit codes', body: '  0  done\n  1  it failed, or found a problem\n  2  called wrongly' };

/** `about`: of the command that is asked for. */
export function helpOf(sections: readonly HelpSection[], about: string | undefined): HelpSection[] {
  const [name, ...rest] = sections.map((section) => (section.title === 'Options' ? { ...section, body: eachOnce(section.body) } : section));
  return [...(name === undefined ? [] : [name]), ...(about === undefined || about === '' ? [] : [{ body: about }]), ...rest, exitCodes];
}

/** A command says of an option that all have what it means there, and says it first. What is off unless it is given has no default. */
function eachOnce(options: string): string {
  const seen = new Set<string>();
  const lines = options.split('\n').filter((line) => {
    const [flag = line] = /--[a-z-]+/.exec(line) ?? [];
    const isNew = !seen.has(flag);
    seen.add(flag);
    return isNew;
  });
  return lines.map((line) => (/^ *--no-/.test(line) ? line.replace(/ \(default: true\)$/, '') : line)).join('\n');
}
