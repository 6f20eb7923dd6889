import { script } from "./script.ts";

/**
 * The scripts that look at waiting jobs and change nothing. None looks at more than it is told to, so that Redis serves
 * others after a millisecond or two, however much waits.
 *
 * A job of a list is known by its length and its SHA-1: records are unique, and of a producer's messages those of equal bytes
 * are the same. Its index only says where to begin the search: a list loses jobs at its front, so that
 * a job never stands behind the index it once had.
 */
export const lookPart = `
local places = {ready = ready, claimed = claimed, own = own, children = children}
local function listOf(place, key) return places[place] or (parked .. ':' .. key) end

-- Ids that are looked for, from this argument on; none: every job fits.
local needles, needle, isSought = {}, nil, false
local function seek(from)
  for at = from, #ARGV do
    needles[ARGV[at]] = true
    needle = ARGV[at]
    isSought = true
  end
  if #ARGV > from then needle = nil end
end

-- Whether the stored id is one of them, or a delivery's of theirs; or a member named id, or whose name ends so, has one.
local function fits(item)
  if not isSought then return true end
  -- One id alone is first looked for as a text, which nearly every job does not hold.
  if needle and not string.find(item, needle, 1, true) then return false end
  local _, _, id = string.find(string.sub(item, 1, 512), '^%S+ %d+ %d+ (%S+)\\n')
  if id and (needles[id] or (string.sub(id, -9, -9) == '_' and needles[string.sub(id, 1, -10)])) then return true end
  local at = 1
  while true do
    local _, behind = string.find(item, 'id"', at, true)
    if not behind then return false end
    local _, last, value = string.find(item, '^%s*:%s*"([^"]*)"', behind + 1)
    if value and needles[value] then return true end
    at = (last or behind) + 1
  end
end

-- Byte by byte: Lua compares texts as the server's locale would.
local function isBefore(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- The first rank whose member of this score begins with the prefix or comes after it; with "past", only after it.
local function rankOf(key, score, prefix, past)
  local low = try('ZCOUNT', key, '-inf', '(' .. score) or 0
  local high = try('ZCOUNT', key, '-inf', score) or 0
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = try('ZRANGE', key, middle, middle)
    local start = string.sub(member and member[1] or '', 1, 64)
    local isHigh
    if past then isHigh = isBefore(prefix, start) else isHigh = not isBefore(start, prefix) end
    if isHigh then high = middle else low = middle + 1 end
  end
  return low
end
`;

/**
 * A part of a list. ARGV: place, key (where the place is "parked"), most items, most bytes, most entries looked at, index to begin at, index
 * from which anchors are searched down, how many anchors, for each length and SHA-1; ids looked for.
 *
 * With anchors it begins behind the first of them that it meets on the way down, which is the last that is still there; at the front where
 * none is. Answers {failure, "far" | "more" | "end", length of the list, index to go on the search from, index, length and SHA-1 of the last
 * entry looked at, how many were looked at, then for each item: index, SHA-1, bytes}.
 */
export const listWindowScript = script(
  "list-window",
  `${lookPart}
local list = listOf(ARGV[1], ARGV[2])
local count, budget, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local index, from, anchors = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
seek(9 + 2 * anchors)
local size = try('LLEN', list) or 0
local out = {'', 'end', size, -1, -1, 0, '', 0}

local function isAnchor(item)
  local sha
  for at = 9, 7 + 2 * anchors, 2 do
    if #item == tonumber(ARGV[at]) then
      sha = sha or redis.sha1hex(item)
      if sha == ARGV[at + 1] then return true end
    end
  end
  return false
end

if anchors > 0 then
  local looked, seen, isThere = 0, 0, false
  from = math.min(from, size - 1)
  index = 0
  while from >= 0 and not isThere do
    if looked >= most or seen > budget then
      out[2], out[4], out[1] = 'far', from, failure
      return out
    end
    local low = math.max(from - 31, 0)
    local items = try('LRANGE', list, low, from) or {}
    for i = #items, 1, -1 do
      seen = seen + #items[i]
      if isAnchor(items[i]) then
        index, isThere = low + i, true
        break
      end
    end
    looked, from = looked + 32, low - 1
  end
end

local looked, bytes, found, last, isFull = 0, 0, 0, nil, false
while index < size and not isFull do
  local items = try('LRANGE', list, index, math.min(index + 31, size - 1)) or {}
  if #items == 0 then break end
  for i = 1, #items do
    local item = items[i]
    isFull = looked == most or found == count or (looked > 0 and bytes + #item > budget)
    if isFull then break end
    looked, bytes, last = looked + 1, bytes + #item, item
    if fits(item) then
      found = found + 1
      out[#out + 1] = index
      out[#out + 1] = redis.sha1hex(item)
      out[#out + 1] = item
    end
    index = index + 1
  end
end
if index < size and #failure == 0 then out[2] = 'more' end
if last then out[5], out[6], out[7] = index - 1, #last, redis.sha1hex(last) end
out[1], out[8] = failure, looked
return out
`,
);

/**
 * A part of the delayed jobs or of the leases, by time. ARGV: "delayed" or "leases", "past", "coming" or "all", most items, most bytes, most
 * entries looked at, rank to begin at, score and first 64 bytes of the member to begin behind ("" and "" = the first); ids looked for.
 *
 * Answers {failure, "more" | "end", members in that part, score and prefix of the last one looked at, how many were looked at, now, then for each item:
 * score, SHA-1, member, bytes}. Of a delayed job the member is its bytes, and those are "".
 */
export const sortedWindowScript = script(
  "sorted-window",
  `${lookPart}
local isDelayed, part = ARGV[1] == 'delayed', ARGV[2]
local count, budget, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
seek(9)
local key = isDelayed and delayed or leases
local low, high = 0, try('ZCARD', key) or 0
if part == 'past' then high = try('ZCOUNT', key, '-inf', now) or 0
elseif part == 'coming' then low = try('ZCOUNT', key, '-inf', now) or 0 end
local out = {'', 'end', high - low, '', '', 0, now}
local rank = low + tonumber(ARGV[6])
if ARGV[7] ~= '' then rank = math.max(low, rankOf(key, ARGV[7], ARGV[8], true)) end

local looked, bytes, found, isFull = 0, 0, 0, false
while rank < high and not isFull do
  local members = try('ZRANGE', key, rank, math.min(rank + 31, high - 1), 'WITHSCORES') or {}
  if #members == 0 then break end
  local stored
  if not isDelayed then
    local tokens = {}
    for i = 1, #members, 2 do tokens[#tokens + 1] = members[i] end
    stored = try('HMGET', leased, unpack(tokens))
    if not stored then break end
  end
  for i = 1, #members, 2 do
    local member, score = members[i], members[i + 1]
    local item = isDelayed and member or stored[(i + 1) / 2]
    local size = item and #item or 0
    isFull = looked == most or found == count or (looked > 0 and bytes + size > budget)
    if isFull then break end
    looked, bytes = looked + 1, bytes + size
    out[4], out[5] = score, string.sub(member, 1, 64)
    -- An end without a lease is dropped when it has passed.
    if item and fits(item) then
      found = found + 1
      out[#out + 1] = score
      out[#out + 1] = redis.sha1hex(item)
      out[#out + 1] = member
      out[#out + 1] = isDelayed and '' or item
    end
    rank = rank + 1
  end
end
if rank < high and #failure == 0 then out[2] = 'more' end
out[1], out[6] = failure, looked
return out
`,
);

/**
 * The jobs of some ids among those that are parked under several keys. ARGV: most items, most bytes, most entries looked at, how many keys, the
 * keys, ids looked for. Answers {failure, how many keys were looked at, entries, {keys that hold more than so many entries, which were left out}, then
 * for each item: key, index, SHA-1, bytes}.
 */
export const parkedFindScript = script(
  "parked-find",
  `${lookPart}
local count, budget, most, keys = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
seek(5 + keys)
local large = {}
local out, looked, bytes, found, done = {'', 0, 0, large}, 0, 0, 0, 0
while done < keys and looked < most and bytes < budget and found < count do
  local key = ARGV[5 + done]
  local list = listOf('parked', key)
  local size = try('LLEN', list) or 0
  if size > most then
    large[#large + 1] = key
    size = 0
  end
  for index = 0, size - 1, 32 do
    local items = try('LRANGE', list, index, index + 31) or {}
    for i = 1, #items do
      bytes = bytes + #items[i]
      if fits(items[i]) then
        found = found + 1
        for _, value in ipairs({key, index + i - 1, redis.sha1hex(items[i]), items[i]}) do out[#out + 1] = value end
      end
    end
  end
  looked, done = looked + size + 1, done + 1
end
out[1], out[2], out[3] = failure, done, looked
return out
`,
);

/** The keys under which jobs are parked. Answers {failure, {key…}}. */
export const parkedKeysScript = script(
  "parked-keys",
  `
local keys = try('SMEMBERS', parked) or {}
return {failure, keys}
`,
);

/**
 * Dead letters by their names, and `.2` to `.10` beside each. ARGV: most bytes, names. Answers {failure, how many names were looked at, name,
 * content…}.
 */
export const deadFindScript = script(
  "dead-find",
  `
local out, looked, bytes = {'', 0}, 0, 0
for i = 2, #ARGV do
  if bytes > tonumber(ARGV[1]) then break end
  for copy = 1, 10 do
    local name = copy == 1 and ARGV[i] or (ARGV[i] .. '.' .. copy)
    local content = try('HGET', deadjobs, name)
    if not content and copy > 1 then break end
    if content then
      bytes = bytes + #content
      out[#out + 1] = name
      out[#out + 1] = content
    end
  end
  looked = looked + 1
end
out[1], out[2] = failure, looked
return out
`,
);
