import { script } from "./script.ts";

/**
 * Takes up to `max` jobs and hides them.
 *
 * ARGV: max, leaseMs, uid, process, register ("1": the process will wait), registered ("1": it stands in
 * waiters), first ("own" or "ready": who gets the odd job), parkedMax, "all" or "some", rank (0 = none), then with "all" the
 * closed keys, with "some" the keys to look at.
 * Answers {failure, head, keys, item…}: head = "records reclaimed nextMs paused full registered", and " 1" more where
 * processes of a newer rank live; keys = open parked keys that hold more; the first `records` items are records, the rest as producers wrote them; an item that could
 * not be taken after all is nil. The token of item i is uid followed by i in four digits.
 *
 * Expired leases come first, then due delayed jobs, open parked ones, children, claimed ones; what room
 * is left is shared between own and ready, so that neither can starve the other.
 *
 * Three steps: read from every place, write the leases, remove from every place. A place that cannot be read is left out,
 * and the jobs of one that cannot be removed from stay where they are: their leases are taken back. The other places'
 * jobs go out.
 */
export const leaseScript = script(
  "lease",
  `
local max, leaseMs, uid, me = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local register, registered, first, parkedMax, scan = ARGV[5] == '1', ARGV[6] == '1', ARGV[7], tonumber(ARGV[8]), ARGV[9]
local rank = tonumber(ARGV[10])
local records, wire, remaining = {}, {}, {}
local left, reclaimed, nextMs = max, 0, -1
-- A call ends when it has gathered so many bytes: large jobs must not pile up in one answer.
local budget = 4194304

local function enlist(want)
  if not want then
    if registered then try('ZREM', waiters, me) end
    return '0'
  end
  if registered then return '1' end
  -- With memory full nobody can register, and the wait is bounded anyway.
  local added = redis.pcall('ZADD', waiters, now + 60000, me)
  if type(added) ~= 'number' then
    if failure == '' and not string.find(added.err, 'OOM', 1, true) then failure = added.err end
    return '0'
  end
  try('ZREMRANGEBYSCORE', waiters, '-inf', now)
  try('PEXPIRE', waiters, 120000)
  return '1'
end

-- A process of a newer rank lives: this one gets nothing more, and who may take what is there is told.
local function isBehind()
  if rank == 0 then return false end
  for _, one in ipairs(try('ZRANGEBYSCORE', ranked, '(' .. string.format('%d', now), '+inf') or {}) do
    if #one <= 15 and (tonumber(one) or 0) > rank then return true end
  end
  return false
end
if isBehind() then
  local head = '0 0 -1 0 0 ' .. enlist(false) .. ' 1'
  if (try('EXISTS', claimed, own, children) or 0) > 0 then wake(1, '') end
  return {failure, head, {}}
end

if redis.call('EXISTS', ready, claimed, own, children, delayed, leases, parked, paused) == 0 then
  local head = '0 0 -1 0 0 ' .. enlist(register)
  return {failure, head, {}}
end
if redis.call('EXISTS', paused) == 1 then
  local head = '0 0 -1 1 0 ' .. enlist(false)
  return {failure, head, {}}
end

-- Read. A list's entry says which items came from it: so many of into, beginning at from.
local lists = {}

local function take(key, count, into)
  local list = lists[key]
  local seen = list and list.count or 0
  local wanted = seen + count
  while seen < wanted and budget > 0 do
    local step = math.min(wanted - seen, 32)
    local items = try('LRANGE', key, seen, seen + step - 1)
    if not items or #items == 0 then break end
    if not list then
      list = {key = key, into = into, from = #into + 1}
      lists[key] = list
      lists[#lists + 1] = list
    end
    for i = 1, #items do
      into[#into + 1] = items[i]
      budget = budget - #items[i]
    end
    seen = seen + #items
    left = left - #items
    if #items < step then break end
  end
  if list then list.count = seen end
end

local expired = try('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, math.min(left, 64)) or {}
local old = #expired > 0 and try('HMGET', leased, unpack(expired))
if old then
  for i = 1, #expired do
    if old[i] then
      local last, attempts, enqueued, id = parse(old[i])
      if last then old[i] = record(expired[i], attempts + 1, enqueued, id or expired[i], string.sub(old[i], last + 1)) end
      records[#records + 1] = old[i]
      budget = budget - #old[i]
    end
  end
  left = left - #records
end

local olds, dues = #records, 0
while left > 0 and budget > 0 do
  local step = math.min(left, 64)
  local due = try('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', dues, step)
  if not due or #due == 0 then break end
  for i = 1, #due do
    records[#records + 1] = due[i]
    budget = budget - #due[i]
  end
  dues = dues + #due
  left = left - #due
  if #due < step then break end
end

local keys = {}
if scan == 'all' then
  local stored = try('SMEMBERS', parked) or {}
  if #stored > 0 then
    local closed = {}
    for i = 11, #ARGV do closed[ARGV[i]] = true end
    for i = 1, #stored do
      if not closed[stored[i]] then keys[#keys + 1] = stored[i] end
    end
  end
else
  for i = 11, #ARGV do keys[#keys + 1] = ARGV[i] end
end
-- Begins at another key each time: the first ones must not always fill the call.
local from = #keys > 1 and now % #keys or 0
for i = 1, #keys do
  take(parked .. ':' .. keys[(from + i - 1) % #keys + 1], math.min(parkedMax, left), records)
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

-- Write.
local wired, total = #records, #records + #wire
local items, tokens = records, {}
if total + #expired > 0 then
  -- Changes nothing, needs no memory, and proves that the leases below can be taken back.
  local canTakeBack = try('HDEL', leased, '') and try('ZREM', leases, '')
  local fields, ends = {}, {}
  local deadline = now + leaseMs
  for i = 1, total do
    local token = uid .. string.format('%04d', i)
    local item = records[i]
    if i > wired then
      item = wire[i - wired]
      items[i] = item
      item = record(token, 0, 0, token, item)
    end
    tokens[i] = token
    fields[2 * i - 1], fields[2 * i] = token, item
    ends[2 * i - 1], ends[2 * i] = deadline, token
  end
  -- Ends first: an end without a lease is dropped when it has passed, a lease without an end would stay for ever.
  local written = canTakeBack
  if written and total > 0 then
    written = try('ZADD', leases, unpack(ends))
    if written and not try('HSET', leased, unpack(fields)) then
      written = nil
      try('ZREM', leases, unpack(tokens))
    end
  end

  -- Remove.
  local function withdraw(from, count)
    if count <= 0 then return end
    try('HDEL', leased, unpack(tokens, from, from + count - 1))
    try('ZREM', leases, unpack(tokens, from, from + count - 1))
    for i = from, from + count - 1 do items[i] = false end
  end
  if not written then
    items, total, wired, lists, keys = {}, 0, 0, {}, {}
  else
    if old then
      if try('HDEL', leased, unpack(expired)) then
        try('ZREM', leases, unpack(expired))
        reclaimed = olds
      else
        withdraw(1, olds)
      end
    end
    if dues > 0 and not try('ZREMRANGEBYRANK', delayed, 0, dues - 1) then withdraw(olds + 1, dues) end
    for i = 1, #lists do
      local list = lists[i]
      if not try('LTRIM', list.key, list.count, -1) then
        withdraw(list.from + (list.into == wire and wired or 0), list.count)
      end
    end
  end
end
for i = 1, #keys do
  if try('EXISTS', parked .. ':' .. keys[i]) == 0 then
    try('SREM', parked, keys[i])
  else
    remaining[#remaining + 1] = keys[i]
  end
end

local full = left <= 0 or budget <= 0
if not full then
  for _, key in ipairs({delayed, leases}) do
    local head = try('ZRANGE', key, 0, 0, 'WITHSCORES')
    if head and head[2] then
      local wait = math.max(tonumber(head[2]) - now, 0)
      if nextMs < 0 or wait < nextMs then nextMs = wait end
    end
  end
end
local head = wired .. ' ' .. reclaimed .. ' ' .. string.format('%d', nextMs) .. ' 0 ' .. (full and 1 or 0) .. ' ' .. enlist(register and not full)
return {failure, head, remaining, unpack(items, 1, total)}
`,
);
