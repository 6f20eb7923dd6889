import { script } from "./script.ts";

/**
 * A page of dead letters, newest first. ARGV: limit, cursor ("+inf" or "(" + score), most bytes. Answers
 * {1 where the page ends before its limit, else 0, id, score, content…}.
 */
export const deadPageScript = script(
  "dead-page",
  `
local page = redis.call('ZREVRANGEBYSCORE', dead, ARGV[2], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local out = {0}
local bytes = 0
for i = 1, #page, 2 do
  local content = redis.call('HGET', deadjobs, page[i]) or ''
  bytes = bytes + #content
  if bytes > tonumber(ARGV[3]) and i > 1 then
    out[1] = 1
    break
  end
  out[#out + 1] = page[i]
  out[#out + 1] = page[i + 1]
  out[#out + 1] = content
end
return out
`,
);

/** Makes dead letters ready, attempts 0, enqueued now. ARGV: uid, then "max" n (the oldest first), or "ids" id…. Answers how many. */
export const redriveScript = script(
  "redrive",
  `
local names = {}
if ARGV[2] == 'max' then
  names = redis.call('ZRANGE', dead, 0, tonumber(ARGV[3]) - 1)
else
  for i = 3, #ARGV do names[#names + 1] = ARGV[i] end
end
local count = 0
for i = 1, #names do
  local content = redis.call('HGET', deadjobs, names[i])
  if content then
    local _, last, id = string.find(content, '^%d+ %d+ %d+ (%S+) [^\\n]*\\n')
    redis.call('RPUSH', own, record(ARGV[1] .. i, 0, now, id, string.sub(content, last + 1)))
    redis.call('ZREM', dead, names[i])
    redis.call('HDEL', deadjobs, names[i])
    count = count + 1
  end
end
if count > 0 then wake(math.min(count, 8), '') end
return count
`,
);

/** Removes one dead letter. ARGV: id. Answers 1, or 0 when there is none. */
export const removeDeadScript = script(
  "remove-dead",
  `
redis.call('ZREM', dead, ARGV[1])
return redis.call('HDEL', deadjobs, ARGV[1])
`,
);
