/** Control characters, line separators, and what turns the direction of the text that follows. */
const unseen = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** White space, and what takes no room: joiners, marks of order, fillers. */
const blank = /^[\p{White_Space}\p{Cf}\u115f\u1160\u3164\uffa0\u2800]*$/u;

/** What is wrong with a text that people are to read, if anything: it would show itself as another one. */
export function faultOfText(text: string): string | undefined {
  return unseen.test(text) ? 'text without control characters, also those of direction' : undefined;
}

/** The same of a name, which must show something. */
export function faultOfName(name: string): string | undefined {
  return blank.test(name) ? 'a name that can be seen' : faultOfText(name);
}
