import { lookPart } from "./list-scripts.ts";
import { script } from "./script.ts";

/**
 * Reads, runs or cancels single jobs that a list has named. ARGV: "read", "run" or "cancel", a text that no job is, then for each job: place,
 * key, where it stood, its length and SHA-1, how it begins. Where it stood is an index, a score, or for a lease nothing: its key is the
 * token.
 *
 * Answers {failure, now, for each job: outcome, number, bytes}. Outcomes: "1" done; "l" leased; "0" not there; "~" not at this index or up to
 * a thousand before it, go on from `number`; "x" failed, it is where it was. `number` is the time that it is due or its lease ends.
 *
 * A job goes from the middle of a list in two commands: its place gets the text that no job is, then all such places are removed at once. Where the
 * second fails the first is taken back. A parked job is written among the delayed ones before that.
 */
export const changeScript = script(
  "change-jobs",
  `${lookPart}
local verb, tomb = ARGV[1], ARGV[2]
local changes = verb ~= 'read'
local results, lists, missing = {}, {}, {}
local runnable = 0
-- Changes nothing, needs no memory, and proves that what is written can be removed or taken back.
local mayRemove = not changes
  or (try('DEL', fence) and try('LREM', fence, 0, '') and try('ZREM', delayed, '') and try('HDEL', leased, '') and try('ZREM', leases, ''))

local function isIt(item, job)
  return #item == job.size and redis.sha1hex(item) == job.sha
end

-- A delayed job of this score: the member, or nil.
local function memberAt(job, score)
  local rank = rankOf(delayed, score, job.prefix, false)
  for _, member in ipairs(try('ZRANGE', delayed, rank, rank + 7) or {}) do
    if isIt(member, job) then return member end
  end
  return nil
end

local function answer(job, outcome, number, bytes)
  results[job.number] = {outcome, number or 0, bytes or ''}
end

local function onDelayed(job, member, score)
  local isDone = true
  if verb == 'run' then
    if tonumber(score) > now then isDone = try('ZADD', delayed, 0, member) end
    runnable = runnable + 1
  elseif verb == 'cancel' then
    isDone = try('ZREM', delayed, member)
  end
  answer(job, isDone and '1' or 'x', score, member)
end

local function lookAtDelayed(job, scores)
  for _, score in ipairs(scores) do
    local member = memberAt(job, score)
    if member then return onDelayed(job, member, score) end
  end
  missing[#missing + 1] = job
end

local function lookAtLease(job)
  local ends = try('ZSCORE', leases, job.key)
  local item = ends and try('HGET', leased, job.key)
  if not item then return answer(job, #failure > 0 and 'x' or '0') end
  if tonumber(ends) > now then return answer(job, 'l', ends, item) end
  local isDone = true
  if verb == 'run' then
    runnable = runnable + 1
  elseif verb == 'cancel' then
    -- The lease has run out. An end without a lease is dropped later.
    isDone = try('HDEL', leased, job.key)
    if isDone then try('ZREM', leases, job.key) end
  end
  answer(job, isDone and '1' or 'x', ends, item)
end

-- Looks at the list between two indexes, downwards; whether it is there.
local function findBetween(list, job, low, high)
  while high >= low do
    local first = math.max(high - 31, low)
    local items = try('LRANGE', list.key, first, high) or {}
    for i = #items, 1, -1 do
      local index = first + i - 1
      if not list.used[index] and isIt(items[i], job) then
        list.used[index], list.shift = true, tonumber(job.at) - index
        job.index, job.item = index, items[i]
        list.jobs[#list.jobs + 1] = job
        answer(job, '1', 0, items[i])
        return true
      end
    end
    high = first - 1
  end
  return false
end

local function lookAtList(job)
  local key = listOf(job.place, job.key)
  local list = lists[key]
  if not list then
    list = {key = key, size = try('LLEN', key) or 0, used = {}, jobs = {}, isLine = places[job.place] ~= nil, shift = 0}
    lists[key] = list
    lists[#lists + 1] = list
  end
  local at = tonumber(job.at)
  -- Jobs of one page have moved by as much as each other.
  local guess = at - list.shift
  if list.shift > 0 and findBetween(list, job, math.max(guess - 16, 0), math.min(guess + 15, list.size - 1)) then return end
  local from = math.min(at, list.size - 1)
  local stop = math.max(from - 999, 0)
  if list.isFar then
    if stop > 0 then return answer(job, '~', stop - 1) end
  elseif findBetween(list, job, stop, from) then
    return
  elseif stop > 0 then
    list.isFar = true
    return answer(job, '~', stop - 1)
  end
  if job.place == 'parked' then return lookAtDelayed(job, {'0'}) end
  missing[#missing + 1] = job
end

-- Takes the jobs found out of a list; all of them, or those that answer.
local function takeOut(list)
  local gone, highest = {}, 0
  for _, job in ipairs(list.jobs) do
    local isWritten = true
    if verb == 'run' then isWritten = try('ZADD', delayed, 0, job.item) end
    if isWritten and try('LSET', list.key, job.index, tomb) then
      gone[#gone + 1] = job
      highest = math.max(highest, job.index)
    else
      if isWritten and verb == 'run' then try('ZREM', delayed, job.item) end
      answer(job, 'x')
    end
  end
  if #gone == 0 then return end
  local count = highest * 2 < list.size and #gone or -#gone
  if try('LREM', list.key, count, tomb) then
    runnable = runnable + #gone
    return
  end
  for _, job in ipairs(gone) do
    try('LSET', list.key, job.index, job.item)
    if verb == 'run' then try('ZREM', delayed, job.item) end
    answer(job, 'x')
  end
end

local number = 0
for at = 3, #ARGV, 6 do
  number = number + 1
  local job = {
    number = number, place = ARGV[at], key = ARGV[at + 1], at = ARGV[at + 2], size = tonumber(ARGV[at + 3]), sha = ARGV[at + 4], prefix = ARGV[at + 5],
  }
  if not mayRemove then answer(job, 'x')
  elseif job.place == 'delayed' then lookAtDelayed(job, job.at == '0' and {'0'} or {job.at, '0'})
  elseif job.place == 'leases' then lookAtLease(job)
  else lookAtList(job) end
end

if changes then
  for _, list in ipairs(lists) do
    -- What waits in line is ready already.
    if verb == 'run' and list.isLine then
      runnable = runnable + #list.jobs
    else
      takeOut(list)
    end
  end
end

-- Whoever is not where it stood may have been leased since: as it was, or behind a new head where a producer wrote it.
local tokens = #missing > 0 and try('ZRANGE', leases, 0, 4999) or {}
for at = 1, #tokens, 100 do
  if #missing == 0 then break end
  local stored = try('HMGET', leased, unpack(tokens, at, math.min(at + 99, #tokens))) or {}
  for i = 1, #stored do
    local item = stored[i]
    local last = item and parse(item) or 0
    for which = #missing, 1, -1 do
      local job = missing[which]
      if item and (isIt(item, job) or (#item - last == job.size and isIt(string.sub(item, last + 1), job))) then
        answer(job, 'l', 0, item)
        table.remove(missing, which)
      end
    end
  end
end
for _, job in ipairs(missing) do answer(job, #failure > 0 and 'x' or '0') end

if verb == 'run' and runnable > 0 then wake(math.min(runnable, 8), '') end
local out = {failure, now}
for i = 1, number do
  for _, value in ipairs(results[i]) do out[#out + 1] = value end
end
return out
`,
);
