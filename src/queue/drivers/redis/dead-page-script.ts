import { script } from "./script.ts";

/**
 * A page of dead letters. ARGV: most items, first score, last score, most bytes, "new" or "old" first, most letters
 * looked at, "1" = with bodies, a filter as JSON ("" = none; dead-filter.ts).
 * Answers {"", letters looked at, score of the last one, 1 where there may be more, name, score, content or nil…}.
 *
 * A letter is read by the rules of dead-record.ts. Without bodies a content ends with its head.
 */
export const deadPageScript = script(
  "dead-page",
  `
local limit, most, looks, whole = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[6]), ARGV[7] == '1'
local filter = ARGV[8] ~= '' and cjson.decode(ARGV[8]) or nil
local command = ARGV[5] == 'old' and 'ZRANGEBYSCORE' or 'ZREVRANGEBYSCORE'
local page = redis.call(command, dead, ARGV[2], ARGV[3], 'WITHSCORES', 'LIMIT', 0, filter and looks or limit)

-- What is before the body, and its parts; the numbers 0 and the job the letter's name where they cannot be read.
local function headOf(name, content)
  local last, failed, _, _, id, meta
  if content then
    _, last, failed, _, _, id, meta = string.find(string.sub(content, 1, 16384), '^(%d+) (%d+) (%d+) (%S+) ([^\\n]*)\\n')
  end
  if not last then return 0, 0, name, nil end
  return last, #failed <= 15 and tonumber(failed) or 0, id, meta
end

local function isOf(id, job)
  return id == job or (#id == #job + 9 and string.sub(id, 1, #job + 1) == job .. '_')
end

local function fits(name, content)
  local _, failed, id, meta = headOf(name, content)
  if filter.since and failed < filter.since then return false end
  if filter['until'] and failed > filter['until'] then return false end
  if filter.jobId and not isOf(id, filter.jobId) then return false end
  if not (filter.reason or filter.endpoint or filter.endpointPrefix) then return true end
  local reason, endpoint = 'unreadable', nil
  local ok, read = pcall(cjson.decode, meta or '')
  if ok and type(read) == 'table' and type(read.reason) == 'string' then
    reason = read.reason
    if type(read.endpoint) == 'string' then endpoint = read.endpoint end
  end
  if filter.reason and reason ~= filter.reason then return false end
  if filter.endpoint and endpoint ~= filter.endpoint then return false end
  local prefix = filter.endpointPrefix
  return not (prefix and endpoint and string.sub(endpoint, 1, #prefix) ~= prefix)
end

local out = {'', 0, '', 0}
local bytes, items, at = 0, 0, 1
while at < #page and items < limit do
  local name, score = page[at], page[at + 1]
  local content = redis.call('HGET', deadjobs, name)
  if not filter or fits(name, content) then
    if content and not whole then
      local last = headOf(name, content)
      if last > 0 then content = string.sub(content, 1, last) end
    end
    bytes = bytes + #name + #(content or '')
    if bytes > most and items > 0 then break end
    items = items + 1
    out[#out + 1] = name
    out[#out + 1] = score
    out[#out + 1] = content
    -- A nil at its end would make the list shorter.
    if not content then out[#out] = false end
  end
  out[2], out[3] = out[2] + 1, score
  at = at + 2
end
if at < #page or #page >= 2 * (filter and looks or limit) then out[4] = 1 end
return out
`,
);
