// IP addresses and CIDR networks as four 32-bit words. No sockets.

/** An address; IPv4 (and IPv4 mapped into IPv6) uses only the last word. */
export interface Ip {
  readonly v6: boolean;
  /** Four unsigned 32-bit words, most significant first. */
  readonly words: readonly [number, number, number, number];
}

/** A network; `prefix` counts bits of the family's own width (32 or 128). */
export interface Net {
  readonly ip: Ip;
  readonly prefix: number;
}

/** `10.0.0.1`, `2001:db8::1`, `fe80::1%eth0` → an address; null when it is not one. */
export function parseIp(text: string): Ip | null {
  const zone = text.indexOf("%");
  const bare = zone === -1 ? text : text.slice(0, zone);
  if (!bare.includes(":")) {
    const word = parseV4(bare);
    return word === null ? null : { v6: false, words: [0, 0, 0, word] };
  }
  const words = parseV6(bare);
  if (words === null) return null;
  const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return mapped ? { v6: false, words: [0, 0, 0, words[3]] } : { v6: true, words };
}

/** `10.0.0.0/8` or a single address → a network; null when it is not one. */
export function parseNet(text: string): Net | null {
  const slash = text.indexOf("/");
  const ip = parseIp(slash === -1 ? text : text.slice(0, slash));
  if (ip === null) return null;
  const width = ip.v6 ? 128 : 32;
  if (slash === -1) return { ip, prefix: width };
  const digits = text.slice(slash + 1);
  const prefix = /^\d{1,3}$/.test(digits) ? Number(digits) : -1;
  return prefix >= 0 && prefix <= width ? { ip, prefix } : null;
}

/** Whether the address lies in the network; the families never mix. */
export function netHolds(net: Net, ip: Ip): boolean {
  if (net.ip.v6 !== ip.v6) return false;
  if (!ip.v6) return sameBits(net.ip.words[3], ip.words[3], net.prefix);
  for (let i = 0; i < 4; i += 1) {
    if (!sameBits(net.ip.words[i] ?? 0, ip.words[i] ?? 0, net.prefix - 32 * i)) return false;
  }
  return true;
}

function sameBits(a: number, b: number, bits: number): boolean {
  if (bits <= 0) return true;
  return bits >= 32 ? a === b : (a ^ b) >>> (32 - bits) === 0;
}

function parseV4(text: string): number | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let word = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    word = word * 256 + Number(part);
  }
  return word;
}

function parseV6(text: string): [number, number, number, number] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] ?? "");
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? "") : [];
  if (head === null || tail === null) return null;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return null;
  const groups = [...head, ...new Array<number>(gap).fill(0), ...tail];
  const word = (i: number): number => (groups[i] ?? 0) * 65536 + (groups[i + 1] ?? 0);
  return [word(0), word(2), word(4), word(6)];
}

/** 16-bit groups between colons; a dotted IPv4 tail counts as two. */
function groupsOf(text: string): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes(".")) {
      const v4 = parseV4(part);
      if (v4 === null) return null;
      groups.push(v4 >>> 16, v4 & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}
