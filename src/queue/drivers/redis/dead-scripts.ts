import { deadPart } from "./dead-part.ts";
import { script } from "./script.ts";

/**
 * Makes dead letters ready, attempts 0, enqueued now. ARGV: uid, then "max" n newest (the oldest first, none whose time is
 * after newest; "" = the newest letter's), or "ids" id…, or "to" with id, another job's id and its body for each.
 * Answers {failure, how many, how many names were looked at, newest}.
 *
 * A content that cannot be read becomes a job of these bytes, a name without content is dropped: neither may stay in the way
 * for ever.
 */
export const redriveScript = script(
  "redrive",
  `${deadPart}
local names, newest = {}, ''
if ARGV[2] == 'max' then
  newest = ARGV[4]
  if newest == '' then newest = redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')[2] or '' end
  if newest ~= '' then names = redis.call('ZRANGEBYSCORE', dead, '-inf', newest, 'LIMIT', 0, tonumber(ARGV[3])) end
else
  for i = 3, #ARGV, ARGV[2] == 'to' and 3 or 1 do names[#names + 1] = ARGV[i] end
end
local redriven, looked = 0, 0
for i = 1, #names do
  local name = names[i]
  local content = try('HGET', deadjobs, name)
  if content == nil then break end
  if content then
    local uid = ARGV[1] .. i
    local _, last, id = string.find(content, '^%d+ %d+ %d+ (%S+) [^\\n]*\\n')
    if not last then last, id = 0, name end
    local body = string.sub(content, last + 1)
    if ARGV[2] == 'to' then id, body = ARGV[3 * i + 1], ARGV[3 * i + 2] end
    if #id > 128 or string.find(id, '[^%w_-]') then id = uid end
    if not try('RPUSH', own, record(uid, 0, now, id, body)) then break end
    redriven = redriven + 1
    local removed, gone = unbury(name, content)
    if not gone then
      -- The dead letter is still there: the job would be twice.
      try('LTRIM', own, 0, -2)
      redriven = redriven - 1
    end
    if removed == nil then break end
  elseif (unbury(name, '')) == nil then
    break
  end
  looked = looked + 1
end
writeCounts()
if redriven > 0 then wake(math.min(redriven, 8), '') end
return {failure, redriven, looked, newest}
`,
);

/** Removes dead letters. ARGV: id…. Answers {failure, how many there were}. */
export const removeDeadScript = script(
  "remove-dead",
  `${deadPart}
redis.call('DEL', fence)
local removed = 0
for i = 1, #ARGV do
  local content = try('HGET', deadjobs, ARGV[i])
  if content == nil then break end
  local there = unbury(ARGV[i], content)
  if there == nil then break end
  if there then removed = removed + 1 end
end
writeCounts()
return {failure, removed}
`,
);

/**
 * Removes what retention does not keep, and looks at the counts. ARGV: retention, most ms a letter is kept.
 * Answers {failure, trimmed, 1 where there may be more to remove, 1 where all letters are counted, letters, bytes}.
 */
export const tidyScript = script(
  "tidy",
  `${deadPart}
local most, retention, keepMs = 200, tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('DEL', fence)
local letters = try('ZCARD', dead) or 0
local names = {}
if letters > 0 then
  -- A time before 2001 is not ours: nobody knows how old that letter is.
  names = try('ZRANGEBYSCORE', dead, '1000000000000000', string.format('(%.0f', (now - keepMs) * 1000), 'LIMIT', 0, most) or {}
  local excess = letters - retention
  if excess > #names then names = try('ZRANGE', dead, 0, math.min(excess, most) - 1) or {} end
end
local trimmed = trim(names)
writeCounts()
letters = try('ZCARD', dead) or 0
if letters == 0 then try('DEL', deadcounts) end
local counts = try('HMGET', deadcounts, 'at', 'n', 'bytes') or {}
local complete = letters == 0 or (counts[1] == 'inf' and tonumber(counts[2] or '') == letters)
return {failure, trimmed, (#names == most and trimmed == most) and 1 or 0, complete and 1 or 0, letters, tonumber(counts[3] or '') or 0}
`,
);

/**
 * One step of counting the letters that nobody has counted (dead-part.ts). ARGV: most letters, most bytes, least ms since the
 * last scan began. Answers {failure, 1 where all are counted}.
 *
 * A complete count that is wrong is begun anew, but not before that time has passed: whoever makes it wrong may go on.
 */
export const countDeadScript = script(
  "count-dead",
  `${deadPart}
redis.call('DEL', fence)
local counts = try('HMGET', deadcounts, 'at', 'n', 'since')
local letters = try('ZCARD', dead)
if not counts or not letters then return {failure, 0} end
local at = counts[1]
if at == 'inf' then
  if tonumber(counts[2] or '') == letters then return {'', 1} end
  if now - (tonumber(counts[3] or '') or 0) < tonumber(ARGV[3]) then return {'', 1} end
end
if at == 'inf' or not tonumber(at or '') then
  at = '-1e308'
  try('DEL', deadcounts)
  if not try('HSET', deadcounts, 'at', at, 'since', string.format('%d', now)) then return {failure, 0} end
end
local page = try('ZRANGEBYSCORE', dead, '(' .. at, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
if not page then return {failure, 0} end
place = math.huge
local bytes, seen = 0, 0
while seen < #page and bytes < tonumber(ARGV[2]) do
  local content = try('HGET', deadjobs, page[seen + 1]) or ''
  bytes = bytes + #content
  count(1, 0, page[seen + 1], content)
  seen = seen + 2
end
local done = seen == #page and seen < 2 * tonumber(ARGV[1])
try('HSET', deadcounts, 'at', done and 'inf' or page[seen])
writeCounts()
if done and letters == 0 then try('DEL', deadcounts) end
return {failure, done and 1 or 0}
`,
);

/** What is counted. Answers {"", letters, {field, value…}}, no fields where somebody else filled the hash. */
export const deadCountsScript = script(
  "dead-counts",
  `
local mine = redis.call('HLEN', deadcounts) <= 2010
return {'', redis.call('ZCARD', dead), mine and redis.call('HGETALL', deadcounts) or {}}
`,
);
