import { script } from "./script.ts";

/** How long a process counts after its last renewal. */
export const livesMs = 10_000;

/**
 * Renews this process' place among those that consume the queue, and answers its rank.
 *
 * ARGV: member (hash, a space, JSON about the process), its former member ("" = none; it leaves), hash, revision (0 = none), the
 * rank that this process had for this hash (0 = none), livesMs.
 * Answers {failure, rank}.
 *
 * A hash has the rank it was given for as long as a process of it lives. One that appears without a living holder gets the
 * next rank. All is read before anything is written; a process that was away, and whose hash has been forgotten meanwhile, brings the rank it had.
 */
export const rankScript = script(
  "rank",
  `
redis.call('DEL', fence)
local member, former, hash, revision, had, lives = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local function number(text)
  if not text or #text > 15 then return 0 end
  return tonumber(text) or 0
end

local held = {}
for _, one in ipairs(try('ZRANGEBYSCORE', living, '(' .. string.format('%d', now), '+inf') or {}) do
  held[string.match(one, '^%S+') or ''] = true
end
local known = try('HGETALL', ranks) or {}
-- Who cannot read who lives must not take a rank from anybody.
if failure ~= '' then return {failure, '0'} end
local rank, highest, forgotten = 0, 0, {}
for i = 1, #known, 2 do
  local one = number(known[i + 1])
  if known[i] == 'last' then
    highest = math.max(highest, one)
  elseif held[known[i]] then
    highest = math.max(highest, one)
    if known[i] == hash then rank = one end
  elseif known[i] ~= hash then
    forgotten[#forgotten + 1] = known[i]
  end
end
if revision > 0 then rank = revision
elseif rank == 0 then rank = had > 0 and had or highest + 1 end
try('HSET', ranks, hash, string.format('%d', rank), 'last', string.format('%d', math.max(highest, rank)))
try('ZADD', ranked, now + lives, string.format('%d', rank))
try('ZADD', living, now + lives, member)
if former ~= '' and former ~= member then try('ZREM', living, former) end
for i = 1, #forgotten do try('HDEL', ranks, forgotten[i]) end
try('ZREMRANGEBYSCORE', living, '-inf', now)
try('ZREMRANGEBYSCORE', ranked, '-inf', now)
try('PEXPIRE', living, 86400000)
try('PEXPIRE', ranked, 86400000)
try('PEXPIRE', ranks, 86400000)
return {failure, string.format('%d', rank)}
`,
);

/** Those that live: {failure, highest living rank, then member and rank in turns}. */
export const processesScript = script(
  "processes",
  `
local answer = {'', '0'}
local top = 0
for _, one in ipairs(try('ZRANGEBYSCORE', ranked, '(' .. string.format('%d', now), '+inf') or {}) do
  if #one <= 15 then top = math.max(top, tonumber(one) or 0) end
end
for _, member in ipairs(try('ZRANGEBYSCORE', living, '(' .. string.format('%d', now), '+inf') or {}) do
  answer[#answer + 1] = member
  answer[#answer + 1] = try('HGET', ranks, string.match(member, '^%S+') or '') or '0'
end
answer[1], answer[2] = failure, string.format('%d', top)
return answer
`,
);
