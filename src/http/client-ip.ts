// Who is at the other end: the peer's address, or what trusted proxies say of it.
import { isIP } from "node:net";
import { ipRanges } from "../ip-ranges.ts";

/** Tells the client's address from the socket's peer and `x-forwarded-for`. */
export type ClientIp = (peer: string | undefined, forwardedFor: string | readonly string[] | undefined) => string;

/**
 * Addresses in `trustedProxies` (IP or CIDR) may speak for others: the right-most `x-forwarded-for`
 * entry that is not one of them is the client. Everybody else is taken for what the socket says.
 * @throws RangeError naming the entry that is no address or CIDR
 */
export function createClientIp(trustedProxies: readonly string[]): ClientIp {
  if (trustedProxies.length === 0) return (peer) => plainIp(peer ?? "");
  const isTrusted = ipRanges(trustedProxies);
  return (peer, forwardedFor) => {
    let ip = plainIp(peer ?? "");
    const hops = forwardedFor === undefined ? [] : String(forwardedFor).split(",");
    while (hops.length > 0 && isTrusted(ip)) {
      const next = plainIp((hops.pop() ?? "").trim());
      if (isIP(next) === 0) break;
      ip = next;
    }
    return ip;
  };
}

/** An IPv4 address that arrived on an IPv6 socket is written as IPv4. */
function plainIp(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
