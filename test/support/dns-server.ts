import { createSocket } from "node:dgram";

/** A name server on 127.0.0.1 that answers as it is told, or not at all. */
export interface DnsServer {
  /** `127.0.0.1:PORT`, for createResolver's `servers`. */
  readonly address: string;
  /** Questions so far, as `name/A` or `name/AAAA`, in order. */
  readonly questions: readonly string[];
  close(): Promise<void>;
}

/** What to answer to one question: addresses, "nxdomain", "servfail", or "silence". */
export type DnsAnswer =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
  | "nxdomain"
  | "servfail"
  | "silence";

/**
 * Starts one; `choose` sees the lower-case name and the type, and may change its mind at any time.
 *
 * @param at Where it listens; a free port of 127.0.0.1 where left out. Ports below 1024 take root.
 */
export async function startDnsServer(
  choose: (name: string, type: "A" | "AAAA", n: number) => DnsAnswer,
  at: { readonly host: string; readonly port: number } = { host: "127.0.0.1", port: 0 },
): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const questions: string[] = [];
  socket.on("message", (message, from) => {
    const { name, typeCode, end } = readQuestion(message);
    const type = typeCode === 28 ? "AAAA" : "A";
    questions.push(`${name}/${type}`);
    const answer = choose(name, type, questions.length);
    if (answer === "silence") return;
    const wanted =
      typeof answer === "string" ? [] : answer.addresses.filter((a) => a.includes(":") === (type === "AAAA"));
    const rcode = answer === "nxdomain" ? 3 : answer === "servfail" ? 2 : 0;
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | rcode, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(wanted.length, 6);
    const ttl = typeof answer === "string" ? 0 : (answer.ttl ?? 60);
    const records = wanted.map((address) => record(address, typeCode, ttl));
    socket.send(Buffer.concat([head, message.subarray(12, end), ...records]), from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(at.port, at.host, resolve);
  });
  return {
    address: `${at.host}:${socket.address().port}`,
    questions,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function readQuestion(message: Buffer): { name: string; typeCode: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join(".").toLowerCase(), typeCode: message.readUInt16BE(at + 1), end: at + 5 };
}

function record(address: string, typeCode: number, ttl: number): Buffer {
  const data = typeCode === 28 ? ipv6Bytes(address) : Buffer.from(address.split(".").map(Number));
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(typeCode, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6Bytes(address: string): Buffer {
  const [left = "", right] = address.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(left);
  const after = right === undefined ? [] : groups(right);
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  const bytes = Buffer.alloc(16);
  all.forEach((group, index) => bytes.writeUInt16BE(group, index * 2));
  return bytes;
}
