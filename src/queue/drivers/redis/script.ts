import { createHash } from "node:crypto";

/**
 * The Lua scripts: every change of a job's state is one of them, so that no process can die in between.
 *
 * Rules that hold for all:
 * - A script that fails keeps what it has written, and any command may fail: a key has another type, or the
 *   user lacks a right. So each script first proves, by a command that changes nothing, that it can remove what it is about to
 *   remove or to take back; it writes before it removes; and where a removal fails all the same it takes back what
 *   was written. A call that answers a failure has moved nothing of the jobs that it names as failed.
 * - From its first write on a script calls commands through `try` (or redis.pcall) only. What failed first stands in
 *   `failure`. Every script answers a list, and the failure ("" = none) is its first item.
 * - Redis refuses a script as a whole when memory is full and its first write may need memory
 *   (deny-oom). Consuming must go on then, or the queue could never shrink: lease, settle and extend
 *   therefore write something harmless first (HDEL or ZREM of a token that nobody has, DEL of `:fence`, a key that never
 *   exists). Enqueue and redrive do not: they are refused before they have written anything.
 * - What a key of ours holds may have been written by anybody: numbers and ids are checked before they are used.
 * - Time is the server's, so that processes with different clocks agree on who holds a lease.
 * - Lists of arguments for one command stay below 4,000, half of what Lua's stack takes.
 */
export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
}

const prelude = `
local ready, claimed, own, children, delayed, leased, leases = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local parked, paused, waiters, dead, deadjobs, dedup = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13]
local deadcounts, living, ranks, ranked, fence = KEYS[14], KEYS[15], KEYS[16], KEYS[17], KEYS[18]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The first error that a command answered; '' while all went well.
local failure = ''

-- The command's answer, or nil where it failed.
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if failure == '' then failure = reply.err end
    return nil
  end
  return reply
end

-- Positions and fields of a record's head, see record.ts; nil when it is not one. Numbers out of range are 0, an
-- id that is none is nil.
local function parse(record)
  local _, last, attempts, enqueued, id = string.find(record, '^%S+ (%d+) (%d+) (%S+)\\n')
  if not last or last > 512 then return nil end
  if #attempts > 9 then attempts = 0 end
  if #enqueued > 15 then enqueued = 0 end
  if #id > 128 or string.find(id, '[^%w_-]') then id = nil end
  return last, attempts, enqueued, id
end

local function record(uid, attempts, enqueued, id, body)
  return uid .. ' ' .. attempts .. ' ' .. enqueued .. ' ' .. id .. '\\n' .. body
end

-- Wakes up to count waiting processes. PUBLISH answers how many heard it: one that is gone does not
-- count. A user without the right to publish must not fail what was written before.
local function wake(count, message)
  for _ = 1, 100 do
    if count <= 0 then return end
    local waiter = try('ZPOPMAX', waiters)
    if not waiter or not waiter[1] then return end
    local heard = redis.pcall('PUBLISH', waiters .. ':' .. waiter[1], message)
    if type(heard) ~= 'number' or heard > 0 then count = count - 1 end
  end
end

-- Tells one waiting process when the delayed set's head is due, if that head is new.
local function announce(due)
  local head = try('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if not head or not head[2] or tonumber(head[2]) < due then return end
  local waiter = try('ZREVRANGE', waiters, 0, 0)
  if waiter and waiter[1] then redis.pcall('PUBLISH', waiters .. ':' .. waiter[1], string.format('%d', math.max(due - now, 0))) end
end
`;

/** A script of this body behind the prelude. */
export function script(name: string, body: string): Script {
  return plainScript(name, `${prelude}${body}`);
}

/** A script of this text alone, for keys that are not a queue's. */
export function plainScript(name: string, source: string): Script {
  return { name, source, sha: createHash("sha1").update(source).digest("hex") };
}
