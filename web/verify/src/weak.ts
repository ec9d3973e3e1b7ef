/** Public keys that look right and keep nobody out. */

/**
 * The `y` of the points of small order of edwards25519, little-endian with the sign bit cleared; the last two are not
 * canonical. For each of them a signature can be made without a secret.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "00".repeat(32),
  "01" + "00".repeat(31),
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ec" + "ff".repeat(30) + "7f",
  "ed" + "ff".repeat(30) + "7f",
  "ee" + "ff".repeat(30) + "7f",
]);

/** Whether an Ed25519 key is one of those points (RFC 8032 §5.1.7 leaves them to the application). */
export function isSmallOrder(x: Buffer): boolean {
  const y = Buffer.from(x);
  y[31] = y[31]! & 0x7f;
  return SMALL_ORDER.has(y.toString("hex"));
}

const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
  103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/**
 * Whether a modulus has the fingerprint of CVE-2017-15361: modulo each small prime it is a power of 65537. A sound modulus
 * has it by chance about once in 2^27.
 */
export function isRoca(n: Buffer): boolean {
  return PRIMES.every((prime) => {
    const rest = n.reduce((rest, byte) => (rest * 256 + byte) % prime, 0);
    let power = 1;
    for (let step = 0; step < prime; step += 1) {
      if (power === rest) return true;
      power = (power * 65537) % prime;
    }
    return false;
  });
}
