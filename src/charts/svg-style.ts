/** How a drawn chart looks. Colours are custom properties: a page sets them where it wants others, and lights a state or an edge by its class alone. */

/** `auto`: as the reader's system has it. */
export type Theme = 'auto' | 'light' | 'dark';

const light = {
  ground: '#f6f7f9',
  fill: '#ffffff',
  inner: '#fafbfc',
  bar: '#eef0f4',
  line: '#c2c8d2',
  text: '#1c2330',
  muted: '#626d80',
  edge: '#8792a5',
  label: '#e9ecf2',
  tag: '#e3e8f1',
  error: '#bf3f38',
  'error-label': '#fae9e7',
  accent: '#2666d9',
  'accent-fill': '#e6effd',
  'accent-bar': '#cfe0fb',
};
const dark: typeof light = {
  ground: '#13161b',
  fill: '#1f242c',
  inner: '#181c22',
  bar: '#2a303a',
  line: '#434c5a',
  text: '#e7eaf0',
  muted: '#9ba6b7',
  edge: '#79859a',
  label: '#2c333e',
  tag: '#323b49',
  error: '#f2827a',
  'error-label': '#43292b',
  accent: '#74a9ff',
  'accent-fill': '#1b2d49',
  'accent-bar': '#26426d',
};
const properties = (colours: typeof light): string =>
  Object.entries(colours)
    .map(([name, colour]) => `--sw-${name}:${colour}`)
    .join(';');

export function styleOf(theme: Theme): string {
  const themes =
    theme === 'auto'
      ? `.sw-chart{${properties(light)}}@media(prefers-color-scheme:dark){.sw-chart{${properties(dark)}}}`
      : `.sw-chart{${properties(theme === 'dark' ? dark : light)}}`;
  return themes + rules;
}

const rules = `
.sw-chart{font-family:Helvetica,Arial,"Liberation Sans","Noto Sans",sans-serif}
.sw-chart text{fill:var(--sw-text);white-space:pre}
.sw-ground{fill:var(--sw-ground)}
.sw-box{fill:var(--sw-fill);stroke:var(--sw-line);stroke-width:1.25}
.sw-open>.sw-box{fill:var(--sw-inner)}
.sw-region>.sw-box{stroke-dasharray:6 4}
.sw-second{fill:none;stroke:var(--sw-line)}
.sw-bar{fill:var(--sw-bar)}
.sw-rule{stroke:var(--sw-line);stroke-width:1}
.sw-title,.sw-event{font-weight:600}
.sw-chart .sw-description{font-style:italic;fill:var(--sw-muted)}
.sw-chart .sw-invoke{fill:var(--sw-accent)}
.sw-chart .sw-entry,.sw-chart .sw-exit,.sw-chart .sw-hidden,.sw-chart .sw-guard,.sw-chart .sw-action,.sw-chart .sw-reenter{fill:var(--sw-muted)}
.sw-pill{fill:var(--sw-tag)}
.sw-line{fill:none;stroke:var(--sw-edge);stroke-width:1.25;stroke-linejoin:round}
.sw-head,.sw-dot{fill:var(--sw-edge)}
.sw-label{fill:var(--sw-label)}
.sw-history-edge .sw-line{stroke-dasharray:3 3}
.sw-error .sw-line{stroke:var(--sw-error)}
.sw-error .sw-head{fill:var(--sw-error)}
.sw-error .sw-label{fill:var(--sw-error-label)}
.sw-chart .sw-error .sw-event,.sw-chart .sw-internal.sw-error{fill:var(--sw-error)}
.sw-active>.sw-box,.sw-active>.sw-second{stroke:var(--sw-accent);stroke-width:2}
.sw-active:not(.sw-open)>.sw-box{fill:var(--sw-accent-fill)}
.sw-active>.sw-bar{fill:var(--sw-accent-bar)}
.sw-active.sw-open>.sw-bar{fill:var(--sw-accent-fill)}
.sw-lit .sw-line{stroke:var(--sw-accent);stroke-width:2.25}
.sw-lit .sw-head{fill:var(--sw-accent)}
.sw-lit .sw-label{fill:var(--sw-accent-bar)}
.sw-chart .sw-internal.sw-lit{fill:var(--sw-accent);font-weight:600}
`;
