import { script } from "./script.ts";

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
