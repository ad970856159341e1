// Whether an address is in a list of addresses and ranges. Imports nothing of ours.
import { BlockList, isIP } from "node:net";

/**
 * Makes the test. An entry is an address or a range (`10.0.0.0/8`, `2001:db8::/32`).
 * @throws RangeError naming the entry that is neither
 */
export function ipRanges(entries: readonly string[]): (ip: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", bits] = entry.split("/");
    const family = isIP(address);
    if (family === 0) throw new RangeError(`\`${entry}\` is neither an IP address nor a CIDR range`);
    const prefix = bits === undefined ? (family === 4 ? 32 : 128) : Number(bits);
    list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  }
  return (ip) => {
    const family = isIP(ip);
    return family !== 0 && list.check(ip, family === 4 ? "ipv4" : "ipv6");
  };
}
