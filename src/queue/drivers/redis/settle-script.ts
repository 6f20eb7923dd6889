import { script } from "./script.ts";

/**
 * Ends leases.
 *
 * ARGV: retention, n, n tokens to ack, then for each other settlement: verb, token and
 * "retry" delayMs keep body id | "release" | "park" key keep body id | "dead" meta attempted keep body id |
 * "replace" n, n × (id, body). keep = "1": the stored body stays; id = "": the stored id stays.
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
    local fixed = verb == 'dead' and 7 or 6
    a, keep, body = ARGV[at + 2], ARGV[at + fixed - 3], ARGV[at + fixed - 2]
    if ARGV[at + fixed - 1] ~= '' then id = ARGV[at + fixed - 1] end
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
  if verb == 'dead' then at = at + 7 elseif verb == 'retry' or verb == 'park' then at = at + 6 end
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
