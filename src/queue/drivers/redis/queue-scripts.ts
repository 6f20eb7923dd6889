import { script } from "./script.ts";

/**
 * Takes a process off the list of waiters, and wakes another when there is something that this one was
 * woken for and will not take. ARGV: process. Answers {failure}.
 */
export const leaveScript = script(
  "leave",
  `
try('ZREM', waiters, ARGV[1])
if try('EXISTS', paused) == 0 and (try('EXISTS', claimed, own, children) or 0) > 0 then wake(1, '') end
return {failure}
`,
);

/** Pauses ("1") or resumes ("0") the queue for every process. ARGV: state. Answers {""}. */
export const pauseScript = script(
  "pause",
  `
redis.call('DEL', fence)
if ARGV[1] == '1' then redis.call('SET', paused, string.format('%d', now)) else redis.call('DEL', paused) end
redis.pcall('PUBLISH', paused, ARGV[1])
return {''}
`,
);

/** What is parked: {failure, key, how many, enqueue time of the first in ms or 0, key…}. */
export const parkedScript = script(
  "parked",
  `
local answer = {''}
for _, key in ipairs(try('SMEMBERS', parked) or {}) do
  local list = parked .. ':' .. key
  local count = try('LLEN', list) or 0
  if count > 0 then
    local _, _, enqueued = parse(try('LINDEX', list, 0) or '')
    for _, value in ipairs({key, count, tonumber(enqueued) or 0}) do answer[#answer + 1] = value end
  end
end
answer[1] = failure
return answer
`,
);

/**
 * Counts: {failure, waiting in lists, delayed and due, delayed, leases run out, leases, parked, dead, paused (0 or 1),
 * oldest known time in ms or -1, now}. -1 is what a broken key does not tell; the others are told all the same.
 */
export const statsScript = script(
  "stats",
  `
local function count(...) return try(...) or -1 end
local parkedJobs = 0
for _, key in ipairs(try('SMEMBERS', parked) or {false}) do
  local jobs = key and try('LLEN', parked .. ':' .. key)
  parkedJobs = (jobs and parkedJobs >= 0) and parkedJobs + jobs or -1
end
local waiting, oldest = 0, -1
for _, list in ipairs({children, claimed, own, ready}) do
  local jobs = try('LLEN', list)
  waiting = (jobs and waiting >= 0) and waiting + jobs or -1
  local head = jobs and try('LINDEX', list, 0)
  if head then
    local at
    if list == own or list == children then
      local _, _, enqueued = parse(head)
      at = tonumber(enqueued)
    else
      at = tonumber(string.match(head, '"time_ms"%s*:%s*(%d+)'))
    end
    -- A time beyond the year 33658 is not one.
    if at and at > 0 and at < 1e15 and (oldest < 0 or at < oldest) then oldest = at end
  end
end
return {
  failure, waiting, count('ZCOUNT', delayed, '-inf', now), count('ZCARD', delayed),
  count('ZCOUNT', leases, '-inf', now), count('ZCARD', leases),
  parkedJobs, count('ZCARD', dead), redis.call('EXISTS', paused), oldest, now
}
`,
);
