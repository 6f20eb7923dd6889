import { createHash } from "node:crypto";

/**
 * The Lua scripts: every change of a job's state is one of them, so that no process can die in between.
 *
 * Rules that hold for all:
 * - Redis refuses a script as a whole when memory is full and its first write may need memory
 *   (deny-oom). Consuming must go on then, or the queue could never shrink: lease, settle and extend
 *   therefore write something harmless first (LTRIM, ZREM, or DEL of `:fence`, a key that never exists).
 *   Enqueue and redrive do not: they are refused before they have written anything.
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
local parked, paused, waiters, dead, deadjobs, dedup, fence = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Positions and fields of a record's head, see record.ts; nil when it is not one.
local function parse(record)
  local _, last, attempts, enqueued, id = string.find(record, '^%S+ (%d+) (%d+) (%S+)\\n')
  return last, attempts, enqueued, id
end

local function record(uid, attempts, enqueued, id, body)
  return uid .. ' ' .. attempts .. ' ' .. enqueued .. ' ' .. id .. '\\n' .. body
end

-- Wakes up to count waiting processes. PUBLISH answers how many heard it: one that is gone does not
-- count. pcall, because a user without the right to publish must not fail what was written before.
local function wake(count, message)
  while count > 0 do
    local waiter = redis.call('ZPOPMAX', waiters)
    if not waiter[1] then return end
    local heard = redis.pcall('PUBLISH', waiters .. ':' .. waiter[1], message)
    if type(heard) ~= 'number' or heard > 0 then count = count - 1 end
  end
end

-- Tells one waiting process when the delayed set's head is due, if that head is new.
local function announce(due)
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if not head[2] or tonumber(head[2]) < due then return end
  local waiter = redis.call('ZREVRANGE', waiters, 0, 0)
  if waiter[1] then redis.pcall('PUBLISH', waiters .. ':' .. waiter[1], string.format('%d', math.max(due - now, 0))) end
end
`;

function script(name: string, body: string): Script {
  const source = `${prelude}${body}`;
  return { name, source, sha: createHash("sha1").update(source).digest("hex") };
}

/**
 * Takes up to `max` jobs and hides them.
 *
 * ARGV: max, leaseMs, uid, process, register ("1": the process will wait), registered ("1": it stands in
 * waiters), first ("own" or "ready": who gets the odd job), parkedMax, then "all" and the closed keys, or
 * "some" and the keys to look at.
 * Answers {head, keys, item…}: head = "records reclaimed nextMs paused full registered"; keys = open
 * parked keys that hold more; the first `records` items are records, the rest as producers wrote them.
 * The token of item i is uid followed by i in four digits.
 *
 * Expired leases come first, then due delayed jobs, open parked ones, children, claimed ones; what room
 * is left is shared between own and ready, so that neither can starve the other.
 */
export const leaseScript = script(
  "lease",
  `
local max, leaseMs, uid, me = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local register, registered, first, parkedMax, scan = ARGV[5] == '1', ARGV[6] == '1', ARGV[7], tonumber(ARGV[8]), ARGV[9]
local records, wire, remaining = {}, {}, {}
local left, reclaimed, nextMs = max, 0, -1
-- A call ends when it has gathered so many bytes: large jobs must not pile up in one answer.
local budget = 4194304

local function enlist(want)
  if not want then
    if registered then redis.call('ZREM', waiters, me) end
    return '0'
  end
  if registered then return '1' end
  -- pcall: with memory full nobody can register, and the wait is bounded anyway.
  local added = redis.pcall('ZADD', waiters, now + 60000, me)
  if type(added) ~= 'number' then return '0' end
  redis.call('ZREMRANGEBYSCORE', waiters, '-inf', now)
  redis.call('PEXPIRE', waiters, 120000)
  return '1'
end

if redis.call('EXISTS', ready, claimed, own, children, delayed, leases, parked, paused) == 0 then
  return {'0 0 -1 0 0 ' .. enlist(register), {}}
end
if redis.call('EXISTS', paused) == 1 then
  return {'0 0 -1 1 0 ' .. enlist(false), {}}
end

local function take(key, count, into)
  local taken = 0
  while taken < count and budget > 0 do
    local step = math.min(count - taken, 32)
    local items = redis.call('LRANGE', key, 0, step - 1)
    if #items == 0 then break end
    redis.call('LTRIM', key, #items, -1)
    for i = 1, #items do
      into[#into + 1] = items[i]
      budget = budget - #items[i]
    end
    taken = taken + #items
    if #items < step then break end
  end
  left = left - taken
  return taken
end

local expired = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, math.min(left, 64))
if #expired > 0 then
  local old = redis.call('HMGET', leased, unpack(expired))
  redis.call('ZREM', leases, unpack(expired))
  redis.call('HDEL', leased, unpack(expired))
  for i = 1, #expired do
    if old[i] then
      local last, attempts, enqueued, id = parse(old[i])
      if last then old[i] = record(expired[i], attempts + 1, enqueued, id, string.sub(old[i], last + 1)) end
      records[#records + 1] = old[i]
      budget = budget - #old[i]
      reclaimed = reclaimed + 1
    end
  end
  left = left - reclaimed
end

while left > 0 and budget > 0 do
  local step = math.min(left, 64)
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, step)
  if #due == 0 then break end
  redis.call('ZREMRANGEBYRANK', delayed, 0, #due - 1)
  for i = 1, #due do
    records[#records + 1] = due[i]
    budget = budget - #due[i]
  end
  left = left - #due
  if #due < step then break end
end

local keys = {}
if scan == 'all' then
  local stored = redis.call('SMEMBERS', parked)
  if #stored > 0 then
    local closed = {}
    for i = 10, #ARGV do closed[ARGV[i]] = true end
    for i = 1, #stored do
      if not closed[stored[i]] then keys[#keys + 1] = stored[i] end
    end
  end
else
  for i = 10, #ARGV do keys[#keys + 1] = ARGV[i] end
end
-- Begins at another key each time: the first ones must not always fill the call.
local from = #keys > 1 and now % #keys or 0
for i = 1, #keys do
  local key = keys[(from + i - 1) % #keys + 1]
  local list = parked .. ':' .. key
  take(list, math.min(parkedMax, left), records)
  if redis.call('EXISTS', list) == 0 then
    redis.call('SREM', parked, key)
  else
    remaining[#remaining + 1] = key
  end
end

take(children, left, records)
take(claimed, left, wire)
if left > 0 then
  local half = math.ceil(left / 2)
  if first == 'own' then
    take(own, half, records)
    take(ready, left, wire)
    take(own, left, records)
  else
    take(ready, half, wire)
    take(own, left, records)
    take(ready, left, wire)
  end
end

local total = #records + #wire
if total > 0 then
  local fields, ends, items = {}, {}, {}
  local deadline = now + leaseMs
  for i = 1, total do
    local token = uid .. string.format('%04d', i)
    local item = records[i]
    if item then
      items[i] = item
    else
      item = wire[i - #records]
      items[i] = item
      item = record(token, 0, 0, token, item)
    end
    fields[2 * i - 1], fields[2 * i] = token, item
    ends[2 * i - 1], ends[2 * i] = deadline, token
  end
  redis.call('HSET', leased, unpack(fields))
  redis.call('ZADD', leases, unpack(ends))
  records = items
end

local full = left <= 0 or budget <= 0
if not full then
  for _, key in ipairs({delayed, leases}) do
    local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if head[2] then
      local wait = math.max(tonumber(head[2]) - now, 0)
      if nextMs < 0 or wait < nextMs then nextMs = wait end
    end
  end
end
local head = total - #wire .. ' ' .. reclaimed .. ' ' .. string.format('%d', nextMs) .. ' 0 ' .. (full and 1 or 0) .. ' ' .. enlist(register and not full)
return {head, remaining, unpack(total > 0 and records or {})}
`,
);

/**
 * Ends leases.
 *
 * ARGV: retention, n, n tokens to ack, then for each other settlement: verb, token and
 * "retry" delayMs keep body | "release" | "park" key keep body | "dead" meta attempted keep body |
 * "replace" n, n × (id, body). keep = "1": the stored body stays.
 * Answers {one character per settlement, acks first: "1" settled, "0" lost; dead letters trimmed}.
 */
export const settleScript = script(
  "settle",
  `
local retention, acks = tonumber(ARGV[1]), tonumber(ARGV[2])
local results = {}
if acks > 0 then
  local tokens = {}
  for i = 1, acks do tokens[i] = ARGV[i + 2] end
  if redis.call('ZREM', leases, unpack(tokens)) == acks then
    redis.call('HDEL', leased, unpack(tokens))
    results[1] = string.rep('1', acks)
  else
    for i = 1, acks do results[i] = tostring(redis.call('HDEL', leased, tokens[i])) end
  end
end

local at, runnable, soonest, buried = acks + 3, 0, nil, 0
if at <= #ARGV then redis.call('DEL', fence) end

local function forget(token)
  redis.call('ZREM', leases, token)
  redis.call('HDEL', leased, token)
end

local function bury(id, attempts, enqueued, meta, body)
  local name, number = id, 2
  while redis.call('HEXISTS', deadjobs, name) == 1 do
    name = id .. '.' .. number
    number = number + 1
  end
  -- Microseconds, one more than the newest where that is taken: pages go by this number alone.
  local score = time[1] * 1000000 + time[2]
  local newest = redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')
  if newest[2] and tonumber(newest[2]) >= score then score = tonumber(newest[2]) + 1 end
  redis.call('HSET', deadjobs, name, string.format('%d', now) .. ' ' .. attempts .. ' ' .. enqueued .. ' ' .. id .. ' ' .. meta .. '\\n' .. body)
  redis.call('ZADD', dead, string.format('%.0f', score), name)
  buried = buried + 1
end

while at <= #ARGV do
  local verb, token = ARGV[at], ARGV[at + 1]
  local stored = redis.call('HGET', leased, token)
  local last, attempts, enqueued, id
  if stored then
    last, attempts, enqueued, id = parse(stored)
    if not last then last, attempts, enqueued, id = 0, 0, 0, token end
  end
  local a, keep, body
  if verb == 'release' then
    at = at + 2
  elseif verb == 'replace' then
    a = tonumber(ARGV[at + 2])
    if stored and a > 0 then
      local rows = {}
      for i = 1, a do
        rows[i] = record(token .. '-' .. i, 0, enqueued, ARGV[at + 1 + 2 * i], ARGV[at + 2 + 2 * i])
      end
      for i = 1, a, 1000 do redis.call('RPUSH', children, unpack(rows, i, math.min(i + 999, a))) end
      runnable = runnable + a
    end
    at = at + 3 + 2 * a
  else
    local fixed = verb == 'dead' and 6 or 5
    a, keep, body = ARGV[at + 2], ARGV[at + fixed - 2], ARGV[at + fixed - 1]
    if stored and keep == '1' then body = string.sub(stored, last + 1) end
  end
  if stored then
    if verb == 'retry' then
      local due = now + tonumber(a)
      redis.call('ZADD', delayed, due, record(token, attempts + 1, enqueued, id, body))
      if not soonest or due < soonest then soonest = due end
    elseif verb == 'release' then
      redis.call('ZADD', delayed, 0, record(token, attempts, enqueued, id, string.sub(stored, last + 1)))
      runnable = runnable + 1
    elseif verb == 'park' then
      redis.call('RPUSH', parked .. ':' .. a, record(token, attempts, enqueued, id, body))
      redis.call('SADD', parked, a)
    elseif verb == 'dead' then
      bury(id, attempts + tonumber(ARGV[at + 3]), enqueued, a, body)
    end
    forget(token)
    results[#results + 1] = '1'
  else
    results[#results + 1] = '0'
  end
  if verb == 'dead' then at = at + 6 elseif verb == 'retry' or verb == 'park' then at = at + 5 end
end

local trimmed = 0
if buried > 0 then
  local excess = redis.call('ZCARD', dead) - retention
  while excess > 0 do
    local oldest = redis.call('ZRANGE', dead, 0, math.min(excess, 1000) - 1)
    if #oldest == 0 then break end
    redis.call('ZREM', dead, unpack(oldest))
    redis.call('HDEL', deadjobs, unpack(oldest))
    trimmed = trimmed + #oldest
    excess = excess - #oldest
  end
end
if runnable > 0 then wake(math.min(runnable, 8), '') end
if soonest then announce(soonest) end
return {table.concat(results), trimmed}
`,
);

/** Sets the end of leases. ARGV: leaseMs, token…. Answers one character each: "1" extended, "0" lost. */
export const extendScript = script(
  "extend",
  `
redis.call('DEL', fence)
local results, deadline = {}, now + tonumber(ARGV[1])
for i = 2, #ARGV do
  if redis.call('ZSCORE', leases, ARGV[i]) then
    redis.call('ZADD', leases, deadline, ARGV[i])
    results[i - 1] = '1'
  else
    results[i - 1] = '0'
  end
end
return table.concat(results)
`,
);

/**
 * Writes jobs. ARGV: uid, dedupTtlMs, then for each: target ("own": a record; "ready": the body alone,
 * for producers' own workers), id, delayMs, dedup key or "", fingerprint, body.
 * Answers one text each: "" enqueued, "d" + id duplicate, "c" + id conflict.
 */
export const enqueueScript = script(
  "enqueue",
  `
local uid, ttl = ARGV[1], ARGV[2]
local results, owned, raw, soonest = {}, {}, {}, nil
local number = 0
for at = 3, #ARGV, 6 do
  number = number + 1
  local target, id, delay, key, print, body = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local known = key ~= '' and redis.call('GET', dedup .. ':' .. key)
  if known then
    local space = string.find(known, ' ', 1, true)
    results[number] = (string.sub(known, space + 1) == print and 'd' or 'c') .. string.sub(known, 1, space - 1)
  else
    if key ~= '' then redis.call('SET', dedup .. ':' .. key, id .. ' ' .. print, 'PX', ttl) end
    if delay > 0 then
      redis.call('ZADD', delayed, now + delay, record(uid .. number, 0, now, id, body))
      if not soonest or now + delay < soonest then soonest = now + delay end
    elseif target == 'ready' then
      raw[#raw + 1] = body
    else
      owned[#owned + 1] = record(uid .. number, 0, now, id, body)
    end
    results[number] = ''
  end
end
if #raw > 0 then redis.call('RPUSH', ready, unpack(raw)) end
if #owned > 0 then
  redis.call('RPUSH', own, unpack(owned))
  wake(math.min(#owned, 8), '')
end
if soonest then announce(soonest) end
return results
`,
);

/**
 * Takes a process off the list of waiters, and wakes another when there is something that this one was
 * woken for and will not take. ARGV: process.
 */
export const leaveScript = script(
  "leave",
  `
redis.call('ZREM', waiters, ARGV[1])
if redis.call('EXISTS', paused) == 0 and redis.call('EXISTS', claimed, own, children) > 0 then wake(1, '') end
return 0
`,
);

/** Pauses ("1") or resumes ("0") the queue for every process. ARGV: state. */
export const pauseScript = script(
  "pause",
  `
redis.call('DEL', fence)
if ARGV[1] == '1' then redis.call('SET', paused, string.format('%d', now)) else redis.call('DEL', paused) end
redis.pcall('PUBLISH', paused, ARGV[1])
return 0
`,
);

/**
 * Counts: {waiting in lists, delayed and due, delayed, leases run out, leases, parked, dead, paused (0 or 1),
 * oldest known time in ms or -1, now}.
 */
export const statsScript = script(
  "stats",
  `
local parkedJobs = 0
for _, key in ipairs(redis.call('SMEMBERS', parked)) do parkedJobs = parkedJobs + redis.call('LLEN', parked .. ':' .. key) end
local waiting, oldest = 0, -1
for _, list in ipairs({children, claimed, own, ready}) do
  waiting = waiting + redis.call('LLEN', list)
  local head = redis.call('LINDEX', list, 0)
  if head then
    local at
    if list == own or list == children then
      local _, _, enqueued = parse(head)
      at = tonumber(enqueued)
    else
      at = tonumber(string.match(head, '"time_ms"%s*:%s*(%d+)'))
    end
    if at and at > 0 and (oldest < 0 or at < oldest) then oldest = at end
  end
end
return {
  waiting, redis.call('ZCOUNT', delayed, '-inf', now), redis.call('ZCARD', delayed),
  redis.call('ZCOUNT', leases, '-inf', now), redis.call('ZCARD', leases),
  parkedJobs, redis.call('ZCARD', dead), redis.call('EXISTS', paused), oldest, now
}
`,
);

/** A page of dead letters, newest first. ARGV: limit, cursor ("+inf" or "(" + score). Answers {id, score, content…}. */
export const deadPageScript = script(
  "dead-page",
  `
local page = redis.call('ZREVRANGEBYSCORE', dead, ARGV[2], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local out = {}
for i = 1, #page, 2 do
  out[#out + 1] = page[i]
  out[#out + 1] = page[i + 1]
  out[#out + 1] = redis.call('HGET', deadjobs, page[i]) or ''
end
return out
`,
);

/** Makes dead letters ready, attempts 0, enqueued now. ARGV: uid, then "max" n (the oldest first), or "ids" id…. Answers how many. */
export const redriveScript = script(
  "redrive",
  `
local names = {}
if ARGV[2] == 'max' then
  names = redis.call('ZRANGE', dead, 0, tonumber(ARGV[3]) - 1)
else
  for i = 3, #ARGV do names[#names + 1] = ARGV[i] end
end
local count = 0
for i = 1, #names do
  local content = redis.call('HGET', deadjobs, names[i])
  if content then
    local _, last, id = string.find(content, '^%d+ %d+ %d+ (%S+) [^\\n]*\\n')
    redis.call('RPUSH', own, record(ARGV[1] .. i, 0, now, id, string.sub(content, last + 1)))
    redis.call('ZREM', dead, names[i])
    redis.call('HDEL', deadjobs, names[i])
    count = count + 1
  end
end
if count > 0 then wake(math.min(count, 8), '') end
return count
`,
);

/** Removes one dead letter. ARGV: id. Answers 1, or 0 when there is none. */
export const removeDeadScript = script(
  "remove-dead",
  `
redis.call('ZREM', dead, ARGV[1])
return redis.call('HDEL', deadjobs, ARGV[1])
`,
);
