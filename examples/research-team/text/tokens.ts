/**
 * Text to comparable terms: lower-cased words, plural folded, stop words dropped. Scripts written without spaces
 * (Chinese, Japanese) become pairs of characters. Depends on nothing but its argument: the same text always gives
 * the same terms, on every machine. It is no linguist: inflection other than the English plural is left alone.
 */

const word = /[\p{L}\p{N}]+(?:['’]\p{L}+)*/gu;
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+$/u;

const stopWords = new Set(
  `a about above after again against all almost already also although always am an and any anyone anything are as at be became because
  been before being below between both but by can can't cannot could did didn't do does doesn't doing don't done down due during
  each either else etc even ever every few first for from further get gets give given go goes going got had happen happens has have having he her here
  hers him his how however i i'd i'll i'm i've if in instead into is isn't it it's its itself just keep kind know last let let's like
  long made make makes many may maybe me mean means might more most much must my need needs never new next no nor not nothing now of off
  often on once one ones only or other others otherwise our out over own part please put rather really same say see seem several
  shall she should since so some something soon still such sure take than thank thanks that that's the their them then there these they
  thing things this those though through thus to too two under until up upon us use used useful user users uses using usually
  very via want was way ways we we'll well were what when whenever where whether which while who whole whom whose why will with within
  without won't work works would yes yet you you'd you'll you're your yours`.split(/\s+/),
);

/** Words of software documents that carry no subject: never the title of a topic. */
const furniture = new Set(
  `api argument arguments author badge blob call called calls change changes changelog check code com contribute contributing contributor
  copyright default defaults details doc docs documentation e.g example examples false feature features file files following found github
  html http https i.e import include included information install installation instance issue issues javascript js json latest library
  license list main manual method methods mit module modules name named names node nodejs note npm null object objects open option
  options org output package packages page param parameter parameters possible project property properties provide provided provides
  pull readme release released releases repo repository require result results return returned returns run running section select set
  sets setting settings show simple simply source sponsor sponsors start string strings support supported supports table test true
  type typescript undefined update url usage value values version versions void www yarn pnpm add added multiple number array
  function functions current currently define defined different create created specific specified specify via available pass passed
  backer backers website people time times line lines better best avoid real wrong affect improve compare compared handle
  handled emitted aim pure lost local order warning help impact good bad kind sort bit lot half entire entirely immediately important
  certain main basic common specify case cases three four five six seven eight nine ten first second third built reduce unknown invalid`.split(
    /\s+/,
  ),
);

/** Words in order, lower case, with pairs for unspaced scripts. */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const [match] of text.toLowerCase().matchAll(word)) {
    if (!unspaced.test(match)) found.push(match.replaceAll('’', "'").replace(/'s$/, ''));
    else if (match.length === 1) found.push(match);
    else for (let index = 0; index + 1 < match.length; index += 1) found.push(match.slice(index, index + 2));
  }
  return found;
}

/** English plural folded away: `queries` and `query` are one term. */
export function stem(token: string): string {
  if (token.length < 4 || !token.endsWith('s')) return token;
  if (token.endsWith('ies') && token.length > 4) return `${token.slice(0, -3)}y`;
  if (/(?:ss|sh|[tnr]ch|[eo]ach|x|zz)es$/.test(token)) return token.slice(0, -2);
  return /(?:ss|us|is|'s)$/.test(token) ? token : token.slice(0, -1);
}

export function isStopWord(token: string): boolean {
  return stopWords.has(token) || (token.length < 2 && !unspaced.test(token)) || /^\d+$/.test(token);
}

/** Carries no subject of its own. */
export function isFurniture(token: string): boolean {
  return furniture.has(token) || furniture.has(stem(token));
}

/** Terms in order: words without stop words, stemmed. */
export function terms(text: string): string[] {
  return words(text)
    .filter((token) => !isStopWord(token))
    .map(stem);
}
