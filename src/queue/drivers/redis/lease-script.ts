import { script } from "./script.ts";

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
