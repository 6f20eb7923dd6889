import { script } from "./script.ts";

/**
 * Writes jobs. ARGV: uid, dedupTtlMs, then for each: target ("own": a record; "ready": the body alone,
 * for producers' own workers), id, delayMs, dedup key or "", fingerprint, body.
 * Answers {failure, one text each: "" enqueued, "d" + id duplicate, "c" + id conflict, "x" not written}.
 *
 * The jobs first, then what remembers their keys: a key remembered for a job that is not there would swallow its
 * repetition. Where a key cannot be remembered the job is taken back. The first write may need memory, so that with
 * memory full nothing is written.
 */
export const enqueueScript = script(
  "enqueue",
  `
local uid, ttl = ARGV[1], ARGV[2]
local results, owned, raw, later, marks, first = {}, {}, {}, {}, {}, {}
local number = 0
-- What is remembered under a key; false when there is nothing that can be read, nil when nobody knows.
local function remembered(key)
  local known = redis.pcall('GET', dedup .. ':' .. key)
  if type(known) ~= 'table' then
    local readable = known and #known <= 512 and string.find(known, '^[%w_-]+ ')
    return readable and known or false
  end
  if string.find(known.err, 'WRONGTYPE', 1, true) then return false end
  if failure == '' then failure = known.err end
  return nil
end

for at = 3, #ARGV, 6 do
  number = number + 1
  local target, id, delay, key, print, body = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  results[number] = ''
  local known, twin = false, nil
  if key ~= '' then
    twin = marks[key]
    known = twin and twin.value
    if not twin then known = remembered(key) end
  end
  local space = known and string.find(known, ' ', 1, true)
  if known == nil then
    results[number] = 'x'
  elseif space then
    results[number] = (string.sub(known, space + 1) == print and 'd' or 'c') .. string.sub(known, 1, space - 1)
    if twin then first[number] = twin.number end
  else
    if key ~= '' then
      marks[key] = {number = number, value = id .. ' ' .. print}
      marks[#marks + 1] = key
    end
    if delay > 0 then
      later[#later + 1] = {number = number, due = now + delay, row = record(uid .. number, 0, now, id, body)}
    elseif target == 'ready' then
      raw[#raw + 1] = {number = number, row = body}
    else
      owned[#owned + 1] = {number = number, row = record(uid .. number, 0, now, id, body)}
    end
  end
end

local function fail(jobs)
  for i = 1, #jobs do results[jobs[i].number] = 'x' end
end

local function push(list, jobs)
  if #jobs == 0 then return false end
  local rows = {}
  for i = 1, #jobs do rows[i] = jobs[i].row end
  if try('RPUSH', list, unpack(rows)) then return true end
  fail(jobs)
  return false
end

local pushedRaw, pushedOwn, soonest = push(ready, raw), push(own, owned), nil
for i = 1, #later do
  if not try('ZADD', delayed, later[i].due, later[i].row) then
    results[later[i].number] = 'x'
  elseif not soonest or later[i].due < soonest then
    soonest = later[i].due
  end
end

for i = 1, #marks do
  local mark = marks[marks[i]]
  if results[mark.number] == '' and not try('SET', dedup .. ':' .. marks[i], mark.value, 'PX', ttl) then
    for j = 1, i - 1 do try('DEL', dedup .. ':' .. marks[j]) end
    if pushedRaw then try('LTRIM', ready, 0, -1 - #raw) end
    if pushedOwn then try('LTRIM', own, 0, -1 - #owned) end
    for j = 1, #later do try('ZREM', delayed, later[j].row) end
    fail(raw) fail(owned) fail(later)
    pushedOwn, soonest = false, nil
    break
  end
end
for i, twin in pairs(first) do
  if results[twin] == 'x' then results[i] = 'x' end
end
if pushedOwn then wake(math.min(#owned, 8), '') end
if soonest then announce(soonest) end
return {failure, unpack(results)}
`,
);
