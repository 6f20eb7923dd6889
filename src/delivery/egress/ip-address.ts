import { isIP } from "node:net";

/** An IP address as a number, so that ranges are comparisons. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A range: the addresses whose first `bits` bits are those of `value`. */
export interface IpNetwork extends IpAddress {
  readonly bits: number;
}

/**
 * Parses an address in its usual spellings (dotted quad; IPv6 with `::`, a dotted tail or a zone); null
 * for anything else. Octal, hexadecimal and short IPv4 spellings are the URL parser's: by the time a host
 * gets here they are dotted quads.
 */
export function parseIp(text: string): IpAddress | null {
  // An address of the one family ends in a digit, one of the other has a colon. Most hosts have neither.
  if (!/\d(?:%|$)|:/.test(text)) return null;
  const [bare = ""] = text.split("%", 1);
  const family = isIP(bare);
  if (family === 4) return { family, value: ipv4Value(bare) };
  if (family !== 6) return null;
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  const low = tail === null ? 0n : ipv4Value(tail[2] ?? "");
  const hex = tail === null ? bare : `${tail[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [left = "", right] = hex.split("::");
  const before = left === "" ? [] : left.split(":");
  const after = right === undefined || right === "" ? [] : right.split(":");
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  let value = 0n;
  for (const group of [...before, ...zeros, ...after]) value = (value << 16n) | BigInt(`0x${group}`);
  return { family, value };
}

/** Parses an address or a CIDR range; null for anything else. A mapped IPv4 range is an IPv4 range. */
export function parseNetwork(text: string): IpNetwork | null {
  const [address = "", suffix] = text.split("/");
  const ip = parseIp(address);
  if (ip === null) return null;
  const width = ip.family === 4 ? 32 : 128;
  const bits = suffix === undefined ? width : Number(suffix);
  if (!Number.isInteger(bits) || bits < 0 || bits > width) return null;
  if (ip.family === 6 && bits >= 96 && isMapped(ip.value)) {
    return { family: 4, value: low32(ip.value), bits: bits - 96 };
  }
  return { ...ip, bits };
}

/** Whether the address lies in the range. */
export function networkHas(network: IpNetwork, ip: IpAddress): boolean {
  if (network.family !== ip.family) return false;
  const shift = BigInt((ip.family === 4 ? 32 : 128) - network.bits);
  return network.value >> shift === ip.value >> shift;
}

/**
 * The addresses that connecting to this one may really reach: itself (an IPv4-mapped one as IPv4), and
 * the IPv4 address inside an IPv6 one that a gateway or the system translates.
 */
export function reachedThrough(ip: IpAddress): IpAddress[] {
  if (ip.family === 4) {
    // Linux connects 0.0.0.0 to the loopback address.
    return ip.value === 0n ? [ip, v4(0x7f00_0001n)] : [ip];
  }
  const { value } = ip;
  if (value === 0n) return [ip, { family: 6, value: 1n }, v4(0n), v4(0x7f00_0001n)];
  // ::ffff:a.b.c.d, RFC 4291 §2.5.5.2: the same socket address as a.b.c.d.
  if (isMapped(value)) return reachedThrough(v4(low32(value)));
  const inside: bigint[] = [];
  const top = (bits: number): bigint => value >> BigInt(128 - bits);
  // ::a.b.c.d (RFC 4291 §2.5.5.1), but for ::1.
  if (top(96) === 0n && value !== 1n) inside.push(low32(value));
  // ::ffff:0:a.b.c.d, RFC 2765.
  if (top(96) === 0xffff_0000n) inside.push(low32(value));
  // NAT64: the well-known prefix (RFC 6052) and the local-use one (RFC 8215), which is a /48 or carries a /96.
  if (top(96) === 0x0064_ff9b_0000_0000_0000_0000n) inside.push(low32(value));
  if (top(48) === 0x0064_ff9b_0001n) {
    inside.push(low32(value));
    // RFC 6052 §2.2: with a /48, bits 64 to 71 are skipped.
    inside.push((((value >> 64n) & 0xffffn) << 16n) | ((value >> 40n) & 0xffffn));
  }
  // 6to4 (RFC 3056) and Teredo, where the client's address is inverted (RFC 4380 §4).
  if (top(16) === 0x2002n) inside.push((value >> 80n) & 0xffff_ffffn);
  if (top(32) === 0x2001_0000n) inside.push(low32(value) ^ 0xffff_ffffn);
  // ISATAP, RFC 5214 §6.1.
  const marker = (value >> 32n) & 0xffff_ffffn;
  if (marker === 0x0000_5efen || marker === 0x0200_5efen) inside.push(low32(value));
  return [ip, ...inside.flatMap((address) => reachedThrough(v4(address)))];
}

function v4(value: bigint): IpAddress {
  return { family: 4, value };
}

function low32(value: bigint): bigint {
  return value & 0xffff_ffffn;
}

function isMapped(value: bigint): boolean {
  return value >> 32n === 0xffffn;
}

function ipv4Value(text: string): bigint {
  let value = 0n;
  for (const part of text.split(".")) value = (value << 8n) | BigInt(part);
  return value;
}
