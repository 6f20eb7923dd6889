/**
 * What the scripts share that add or remove dead letters: one letter's place in `:dead` and `:dead-jobs`, and the counts in
 * `:dead-counts`. Lua, to stand between the prelude and the script's own text.
 *
 * The counts are one hash:
 *
 * | field | holds |
 * |---|---|
 * | `at` | letters up to this time of `:dead` are counted, "inf" = all; a scan moves it on (dead-keeper.ts) |
 * | `n`, `bytes` | the letters counted, and the bytes they take, their names included |
 * | `since` | epoch ms at which the scan began |
 * | `=ENDPOINT\nREASON` | letters of one endpoint ("" = none) and reason |
 *
 * The hash is missing when nothing has been counted yet, and when there is no dead letter. A new letter's time is later than
 * that of all others, so while a scan is under way a letter counts exactly when its time is at or before `at`:
 * the counts are right at every moment, whoever writes meanwhile, and two processes that scan at once only share the work.
 *
 * A process of version 0.1 beside this one adds and removes letters without counting. `n` then differs from the number of
 * letters, which is looked at once a minute, and the counts are built anew. Where as many came as went in between, the numbers
 * agree and the groups may be wrong until the next difference, which the next letter of that process makes.
 */
export const deadPart = `
local place, changes = nil, {}

-- Up to which time letters are counted: a number, or false where none is. To be asked before the first change.
local function counting()
  if place == nil then
    place = try('HGET', deadcounts, 'at')
    if try('ZCARD', dead) == 0 then
      -- Nothing is there: whatever was counted is over.
      redis.pcall('DEL', deadcounts)
      redis.pcall('HSET', deadcounts, 'at', 'inf')
      place = 'inf'
    end
    place = place == 'inf' and math.huge or (place and tonumber(place)) or false
  end
  return place
end

-- The group of a letter's content: endpoint and reason as its meta names them, see record.ts.
local function groupOf(content)
  local endpoint, reason = '', 'unreadable'
  local meta = string.match(string.sub(content, 1, 16384), '^%d+ %d+ %d+ %S+ ([^\\n]*)\\n')
  local ok, read = pcall(cjson.decode, meta or '')
  if ok and type(read) == 'table' and type(read.reason) == 'string' then
    reason = string.sub(read.reason, 1, 200)
    if type(read.endpoint) == 'string' then endpoint = string.sub(read.endpoint, 1, 200) end
  end
  return '=' .. string.gsub(endpoint, '\\n', ' ') .. '\\n' .. string.gsub(reason, '\\n', ' ')
end

-- Notes that a letter came (1) or went (-1).
local function count(delta, score, name, content)
  local upTo = counting()
  if not upTo or (score or 0) > upTo then return end
  local group = groupOf(content)
  changes[group] = (changes[group] or 0) + delta
  changes.n = (changes.n or 0) + delta
  changes.bytes = (changes.bytes or 0) + delta * (#name + #content)
end

-- Writes what was noted. Counts never fail a job: where one cannot be written they are built anew.
local function writeCounts()
  if not changes.n then return end
  local letters = 1
  for field, change in pairs(changes) do
    if string.sub(field, 1, 1) == '=' and redis.pcall('HEXISTS', deadcounts, field) == 0 then
      -- Names come from producers: whatever they make up, the hash stays small.
      local fields = redis.pcall('HLEN', deadcounts)
      if change < 0 or type(fields) ~= 'number' or fields >= 2000 then field = '=\\nother' end
    end
    local sum = redis.pcall('HINCRBY', deadcounts, field, change)
    if type(sum) ~= 'number' then
      try('HDEL', deadcounts, 'at')
    elseif field == 'n' then
      letters = sum
    elseif sum <= 0 then
      try('HDEL', deadcounts, field)
    end
  end
  if letters <= 0 and place == math.huge then try('DEL', deadcounts) end
end

-- Writes a letter; answers whether it is there. Nothing is left behind where it is not.
local function bury(id, attempts, enqueued, meta, body)
  local upTo = counting()
  local name = id
  local taken = try('HEXISTS', deadjobs, name)
  if taken == 1 then
    -- The next free number: doubled until it is free, then halved between, because one id may have died thousands of times.
    local low, high = 1, 2
    while high do
      taken = try('HEXISTS', deadjobs, id .. '.' .. high)
      if taken ~= 1 then break end
      low, high = high, high * 2
    end
    while taken and high - low > 1 do
      local middle = math.floor((low + high) / 2)
      local used = try('HEXISTS', deadjobs, id .. '.' .. middle)
      if not used then return false end
      if used == 1 then low = middle else high = middle end
    end
    name = id .. '.' .. high
  end
  if not taken then return false end
  -- Microseconds, one more than the newest where that is taken: pages go by this number alone. One that is far ahead
  -- is not ours.
  local score = time[1] * 1000000 + time[2]
  local newest = try('ZRANGE', dead, -1, -1, 'WITHSCORES')
  if not newest then return false end
  local last = tonumber(newest[2] or 0)
  if last >= score and last < score + 3600000000 then score = last + 1 end
  local content = string.format('%d', now) .. ' ' .. attempts .. ' ' .. enqueued .. ' ' .. id .. ' ' .. meta .. '\\n' .. body
  if not try('HSET', deadjobs, name, content) then return false end
  if not try('ZADD', dead, string.format('%.0f', score), name) then
    try('HDEL', deadjobs, name)
    return false
  end
  if upTo then count(1, score, name, content) end
  return true
end

-- Removes a letter for good. Answers whether there was one, nil where it could not be removed; and whether its content is
-- gone, which decides.
local function unbury(name, content)
  local upTo = counting()
  local score = upTo and upTo ~= math.huge and try('ZSCORE', dead, name)
  local gone = try('HDEL', deadjobs, name)
  local entry = gone and try('ZREM', dead, name)
  if not entry then return nil, gone == 1 end
  if entry == 1 then count(-1, tonumber(score or 0), name, content or '') end
  return gone + entry > 0, true
end

-- Removes these letters, up to the first that could not be removed; answers how many.
local function trim(names)
  local trimmed = 0
  for i = 1, #names do
    local content = try('HGET', deadjobs, names[i])
    if content == nil or (unbury(names[i], content)) == nil then break end
    trimmed = trimmed + 1
  end
  return trimmed
end
`;
