import { plainScript } from "./script.ts";

/**
 * The scripts of the stored records. Keys: the hash of values, the sorted set of their revisions, and the sorted set of
 * tombstones with theirs (keys.ts, `recordKeys`). The highest revision of the two is the store's.
 *
 * A key that stands among the revisions without a value counts as removed, and of a key that stands in both sets the
 * higher revision counts: so a write that fails half-way leaves what was there, or nothing that misleads.
 */

const prelude = `
local records, revisions, removed = KEYS[1], KEYS[2], KEYS[3]
local failure = ''
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if failure == '' then failure = reply.err end
    return nil
  end
  return reply
end
local function highest()
  local live = try('ZREVRANGE', revisions, 0, 0, 'WITHSCORES')
  local gone = try('ZREVRANGE', removed, 0, 0, 'WITHSCORES')
  return math.max(tonumber(live and live[2] or 0), tonumber(gone and gone[2] or 0))
end
`;

/**
 * Writes a record, or removes it where there is no value, if the store's highest revision is the one that the writer
 * has seen. ARGV: key, revision seen, milliseconds that a tombstone stays, value or nothing.
 *
 * Answers the failure, "written" or "behind", the highest revision, and 0 where the user may not publish.
 *
 * Removing begins with what needs no memory, so that it works with memory full too. Writing does not: it is refused as
 * a whole then, before it has changed anything.
 */
export const writeRecordScript = plainScript(
  "write-record",
  `${prelude}
local key, seen, value = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local known = highest()
try('HEXISTS', records, key)
if failure ~= '' then return {failure} end
if known ~= seen then return {'', 'behind', string.format('%.0f', known), 1} end
local revision = string.format('%.0f', math.max(known + 1, now))
if value then
  try('ZADD', revisions, revision, key)
  if failure == '' then try('HSET', records, key, value) end
  if failure == '' then redis.pcall('ZREM', removed, key) end
else
  try('HDEL', records, '\\0 a key that nobody sets')
  try('ZREM', revisions, '\\0 a key that nobody sets')
  try('ZREM', removed, '\\0 a key that nobody sets')
  if failure == '' then try('ZADD', removed, revision, key) end
  if failure == '' then
    try('ZREM', revisions, key)
    try('HDEL', records, key)
    if failure ~= '' then redis.pcall('ZREM', removed, key) end
  end
end
if failure ~= '' then return {failure} end
redis.pcall('ZREMRANGEBYSCORE', removed, '-inf', string.format('%.0f', now - ARGV[3] * 1000))
local heard = redis.pcall('PUBLISH', records, revision)
return {'', 'written', revision, type(heard) == 'number' and 1 or 0}
`,
);

/**
 * What was written after a revision. ARGV: the revision, most records.
 *
 * Answers the failure, the store's highest revision, live keys with their revisions in turns, their values, and removed keys
 * with their revisions in turns; each list is cut at the most records.
 */
export const readRecordsScript = plainScript(
  "read-records",
  `${prelude}
local after, most = '(' .. ARGV[1], ARGV[2]
local live = try('ZRANGEBYSCORE', revisions, after, '+inf', 'WITHSCORES', 'LIMIT', 0, most) or {}
local gone = try('ZRANGEBYSCORE', removed, after, '+inf', 'WITHSCORES', 'LIMIT', 0, most) or {}
local known = string.format('%.0f', highest())
local keys = {}
for at = 1, #live, 2 do keys[#keys + 1] = live[at] end
local values = {}
if #keys > 0 then values = try('HMGET', records, unpack(keys)) or {} end
return {failure, known, live, values, gone}
`,
);
