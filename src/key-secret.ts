// A virtual key's secret: making one, telling a typo from a key, hashing it for the store.
import { createHmac, hash as digest, randomBytes } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARACTERS = 34;
const CHECK_CHARACTERS = 6;
const SHAPE = new RegExp(`^sk-[0-9A-Za-z]{${RANDOM_CHARACTERS + CHECK_CHARACTERS}}$`);
/** Bytes at or above this are thrown away, so that every character is equally likely. */
const UNBIASED_BELOW = 256 - (256 % ALPHABET.length);

/** A fresh secret: `sk-`, 34 random characters (202 bits) and a 6-character checksum. */
export function newKeySecret(): string {
  let random = "";
  while (random.length < RANDOM_CHARACTERS) {
    for (const byte of randomBytes(RANDOM_CHARACTERS)) {
      if (byte < UNBIASED_BELOW && random.length < RANDOM_CHARACTERS) random += ALPHABET[byte % ALPHABET.length];
    }
  }
  return `sk-${random}${checksum(random)}`;
}

/** True when the text has a key's shape and its checksum holds; a typo is told without a look-up. */
export function looksLikeKey(text: string): boolean {
  return SHAPE.test(text) && text.endsWith(checksum(text.slice(3, 3 + RANDOM_CHARACTERS)));
}

/** What the store keeps of a secret: HMAC-SHA-256 under the server's pepper, 32 bytes. */
export function hashKey(secret: string, pepper: Buffer): Buffer {
  return createHmac("sha256", pepper).update(secret).digest();
}

/** What people are shown of a secret, and the only parts of it that are stored in clear. */
export function displayParts(secret: string): { prefix: string; lastFour: string } {
  return { prefix: secret.slice(0, 7), lastFour: secret.slice(-4) };
}

function checksum(random: string): string {
  let rest = Number.parseInt(digest("sha256", random, "hex").slice(0, 12), 16);
  let text = "";
  for (let i = 0; i < CHECK_CHARACTERS; i += 1) {
    text += ALPHABET[rest % ALPHABET.length];
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}
