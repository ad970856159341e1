// Globs over names: `*` is any run of characters, `?` any one. Never a RegExp.

/** Tells whether a name matches. */
export type NameTest = (name: string) => boolean;

/** Whether an unquoted word is a glob. */
export function isGlob(word: string): boolean {
  return word.includes("*") || word.includes("?");
}

/** A glob → the cheapest test for it: anything, prefix, suffix, contains, or two pointers. */
export function compileGlob(glob: string): NameTest {
  const stars = glob.split("*");
  if (glob.includes("?") || stars.length > 3) return (name) => globMatches(glob, name);
  const [head = "", middle = "", tail = ""] = stars;
  if (stars.length === 1) return (name) => name === glob;
  if (stars.length === 2) return ends(head, middle);
  if (head === "" && tail === "") return (name) => name.includes(middle);
  return (name) => globMatches(glob, name);
}

function ends(head: string, tail: string): NameTest {
  if (head === "" && tail === "") return () => true;
  if (tail === "") return (name) => name.startsWith(head);
  if (head === "") return (name) => name.endsWith(tail);
  const least = head.length + tail.length;
  return (name) => name.length >= least && name.startsWith(head) && name.endsWith(tail);
}

/** The general matcher: two pointers and one way back, linear in practice and never exponential. */
export function globMatches(glob: string, name: string): boolean {
  let g = 0;
  let n = 0;
  let starAt = -1;
  let resume = 0;
  while (n < name.length) {
    if (glob[g] === "*") {
      starAt = g;
      resume = n;
      g += 1;
    } else if (g < glob.length && (glob[g] === "?" || glob[g] === name[n])) {
      g += 1;
      n += 1;
    } else if (starAt !== -1) {
      g = starAt + 1;
      resume += 1;
      n = resume;
    } else return false;
  }
  while (glob[g] === "*") g += 1;
  return g === glob.length;
}
