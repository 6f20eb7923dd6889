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
 * next rank; a process that was away, and whose hash has been forgotten meanwhile, brings the rank it had.
 */
export const rankScript = script(
  "rank",
  `
redis.call('DEL', fence)
local member, former, hash, revision, had, lives = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
try('ZREMRANGEBYSCORE', living, '-inf', now)
try('ZREMRANGEBYSCORE', ranked, '-inf', now)
if former ~= '' and former ~= member then try('ZREM', living, former) end

local function number(text)
  if not text or #text > 15 then return 0 end
  return tonumber(text) or 0
end

local held = {}
for _, one in ipairs(try('ZRANGE', living, 0, -1) or {}) do held[string.match(one, '^%S+') or ''] = true end
local known = try('HGETALL', ranks) or {}
local rank, highest = 0, 0
for i = 1, #known, 2 do
  local one = number(known[i + 1])
  if known[i] == 'last' then
    highest = math.max(highest, one)
  elseif held[known[i]] then
    highest = math.max(highest, one)
    if known[i] == hash then rank = one end
  elseif known[i] ~= hash then
    try('HDEL', ranks, known[i])
  end
end
if revision > 0 then rank = revision
elseif rank == 0 then rank = had > 0 and had or highest + 1 end
try('HSET', ranks, hash, string.format('%d', rank), 'last', string.format('%d', math.max(highest, rank)))
try('ZADD', living, now + lives, member)
try('ZADD', ranked, now + lives, string.format('%d', rank))
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
