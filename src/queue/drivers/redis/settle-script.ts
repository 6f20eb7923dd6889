import { deadPart } from "./dead-part.ts";
import { script } from "./script.ts";

/**
 * Ends leases.
 *
 * ARGV: retention, n, n tokens to ack, then for each other settlement: verb, token and
 * "retry" delayMs keep body id | "release" | "park" key keep body id | "dead" meta attempted keep body id |
 * "replace" n, n × (id, body). keep = "1": the stored body stays; id = "": the stored id stays.
 * Answers {failure; one character per settlement, acks first: "1" settled, "0" lost, "x" failed and nothing moved; dead
 * letters trimmed}.
 *
 * The job is written to where it goes before its lease is removed. That the removal cannot fail is proved at the start.
 */
export const settleScript = script(
  "settle",
  `${deadPart}
local retention, acks = tonumber(ARGV[1]), tonumber(ARGV[2])
local results = {}
-- Changes nothing and needs no memory; where leases cannot be removed, nothing is done.
redis.call('HDEL', leased, '')
redis.call('ZREM', leases, '')
if acks > 0 then
  local tokens = {}
  for i = 1, acks do tokens[i] = ARGV[i + 2] end
  if try('ZREM', leases, unpack(tokens)) == acks then
    try('HDEL', leased, unpack(tokens))
    results[1] = string.rep('1', acks)
  else
    for i = 1, acks do results[i] = tostring(try('HDEL', leased, tokens[i]) or 'x') end
  end
end

local at, runnable, soonest, buried = acks + 3, 0, nil, 0

local function bearChildren(token, enqueued, first, n)
  local rows = {}
  for i = 1, n do rows[i] = record(token .. '-' .. i, 0, enqueued, ARGV[first + 2 * i - 2], ARGV[first + 2 * i - 1]) end
  for i = 1, n, 1000 do
    if not try('RPUSH', children, unpack(rows, i, math.min(i + 999, n))) then
      if i > 1 then try('LTRIM', children, 0, -i) end
      return false
    end
  end
  return true
end

while at <= #ARGV do
  local verb, token = ARGV[at], ARGV[at + 1]
  local stored = try('HGET', leased, token)
  local last, attempts, enqueued, id
  if stored then
    last, attempts, enqueued, id = parse(stored)
    if not last then last, attempts, enqueued = 0, 0, 0 end
    if not id then id = token end
  end
  local done, a, keep, body = false, nil, nil, nil
  if verb == 'release' then
    if stored and try('ZADD', delayed, 0, record(token, attempts, enqueued, id, string.sub(stored, last + 1))) then
      done = true
      runnable = runnable + 1
    end
    at = at + 2
  elseif verb == 'replace' then
    a = tonumber(ARGV[at + 2])
    if stored and bearChildren(token, enqueued, at + 3, a) then
      done = true
      runnable = runnable + a
    end
    at = at + 3 + 2 * a
  else
    local fixed = verb == 'dead' and 7 or 6
    a, keep, body = ARGV[at + 2], ARGV[at + fixed - 3], ARGV[at + fixed - 2]
    if stored then
      if ARGV[at + fixed - 1] ~= '' then id = ARGV[at + fixed - 1] end
      if keep == '1' then body = string.sub(stored, last + 1) end
      if verb == 'retry' then
        local due = now + tonumber(a)
        done = try('ZADD', delayed, due, record(token, attempts + 1, enqueued, id, body))
        if done and (not soonest or due < soonest) then soonest = due end
      elseif verb == 'park' then
        -- The key first: one without jobs is dropped by the next lease call, jobs without their key are never found.
        done = try('SADD', parked, a) and try('RPUSH', parked .. ':' .. a, record(token, attempts, enqueued, id, body))
      elseif verb == 'dead' then
        done = bury(id, attempts + tonumber(ARGV[at + 3]), enqueued, a, body)
        if done then buried = buried + 1 end
      end
    end
    at = at + fixed
  end
  if done then
    try('HDEL', leased, token)
    try('ZREM', leases, token)
    results[#results + 1] = '1'
  else
    results[#results + 1] = stored == false and '0' or 'x'
  end
end

local trimmed = 0
if buried > 0 then
  local excess = (try('ZCARD', dead) or 0) - retention
  -- The rest of a limit that was lowered goes a step at a time (dead-keeper.ts).
  if excess > 0 then trimmed = trim(try('ZRANGE', dead, 0, math.min(excess, buried + 500) - 1) or {}) end
end
writeCounts()
if runnable > 0 then wake(math.min(runnable, 8), '') end
if soonest then announce(soonest) end
return {failure, table.concat(results), trimmed}
`,
);

/** Sets the end of leases. ARGV: leaseMs, token…. Answers {"", one character each: "1" extended, "0" lost}. */
export const extendScript = script(
  "extend",
  `
redis.call('ZREM', leases, '')
local results, deadline = {}, now + tonumber(ARGV[1])
for i = 2, #ARGV do
  if redis.call('ZSCORE', leases, ARGV[i]) then
    redis.call('ZADD', leases, deadline, ARGV[i])
    results[i - 1] = '1'
  else
    results[i - 1] = '0'
  end
end
return {'', table.concat(results)}
`,
);
