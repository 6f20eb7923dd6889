import { script } from "./script.ts";

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
