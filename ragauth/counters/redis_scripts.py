"""The Lua scripts of the Redis store: each is one atomic step.

Every key begins with `ragauth:<installation>:`, which each script is given as its only key, and
has a time to live: two installations on one Redis do not meet. What an account has used stands
under the source id (`…:account:<source>:…`, `…:usage:<source>:…`), so that a Redis that lost its
data, or was set back to a snapshot, cannot mix old totals with new ones: a new source begins at
nothing, and its months are read from the database again. Keys are built inside the scripts, which
Redis Cluster does not allow; one Redis (or one with replicas) is what we ask for.
"""

from hashlib import sha1

#: One more with every change of what the keys hold. That version then writes the number to `layout`
#: before anything else, and this one touches nothing any more: it would count beside the other.
_LAYOUT = 1
OTHER_LAYOUT = "LAYOUT"
# What begins every name, and whether this version may count here.
_BEGINNING = f"""local ours = KEYS[1]
if tonumber(redis.call('GET', ours .. 'layout') or {_LAYOUT}) ~= {_LAYOUT} then
  return redis.error_reply('{OTHER_LAYOUT} a newer version of ragauth counts here; end this one')
end
"""


class Script:
    """Lua text and the name under which Redis keeps it."""

    def __init__(self, text: str) -> None:
        self.text = text = _BEGINNING + text
        # Redis names scripts by their SHA-1; nothing is protected by it.
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()


_DAY_SECONDS = 86_400
#: A month that expires is read from the database again.
_ACCOUNT_SECONDS = 2 * _DAY_SECONDS
#: From a row's first hit: longer than its day lasts, and than a database should be away.
_USAGE_SECONDS = 8 * _DAY_SECONDS
_SOURCE_SECONDS = 100 * _DAY_SECONDS

# ARGV: account member, usage member, minute limit, month limit, cost, month, now, now + a minute,
# longest plausible minute. Reply: false (month unknown), or {verdict, used, ends, spent}.
ADMIT = Script(f"""
local source = redis.call('GET', ours .. 'source')
if not source then return false end
local account = ours .. 'account:' .. source .. ':' .. ARGV[1]
local found = redis.call('HMGET', account, 'ends', 'used', ARGV[6])
if not found[3] then return false end
local cost, now = tonumber(ARGV[5]), tonumber(ARGV[7])
local spent = tonumber(found[3])
local ends, used = tonumber(found[1] or 0), tonumber(found[2] or 0)
local left = ends - now
local fresh = left <= 0 or left > tonumber(ARGV[9])
if fresh then
  ends, used = tonumber(ARGV[8]), 0
end
if spent + cost > tonumber(ARGV[4]) then return {{2, used, ends, spent}} end
if used >= tonumber(ARGV[3]) then return {{1, used, ends, spent}} end
if fresh then
  redis.call('HSET', account, 'ends', ARGV[8], 'used', 1)
  redis.call('EXPIRE', account, {_ACCOUNT_SECONDS})
else
  redis.call('HINCRBY', account, 'used', 1)
end
redis.call('HINCRBY', account, ARGV[6], ARGV[5])
local member = source .. ':' .. ARGV[2]
local row = ours .. 'usage:' .. member
local first = redis.call('HINCRBY', row, 'requests', 1) == 1
redis.call('HINCRBY', row, 'units', ARGV[5])
if now > tonumber(redis.call('HGET', row, 'last') or 0) then
  redis.call('HSET', row, 'last', ARGV[7])
end
if first then redis.call('EXPIRE', row, {_USAGE_SECONDS}) end
if redis.call('ZADD', ours .. 'changed', 'NX', ARGV[7], member) == 1 then
  redis.call('EXPIRE', ours .. 'changed', {_USAGE_SECONDS})
end
return {{0, used + 1, ends, spent + cost}}
""")

# ARGV: account member, month. Reply: {ends, used, spent}, the missing ones false.
PEEK = Script("""
local source = redis.call('GET', ours .. 'source')
if not source then return {false, false, false} end
return redis.call('HMGET', ours .. 'account:' .. source .. ':' .. ARGV[1], 'ends', 'used', ARGV[2])
""")

# ARGV: a new source id. A Redis that was started again may have come back with an older snapshot:
# its totals would be below what was saved, its months below what was used. So another run of the
# server is another source. Where an ACL forbids INFO, only the loss of all data is noticed.
_SOURCE = f"""
local source = redis.call('GET', ours .. 'source')
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or 'unknown'
if not source or redis.call('GET', ours .. 'run') ~= run then
  source = ARGV[1]
end
redis.call('SET', ours .. 'source', source, 'EX', {_SOURCE_SECONDS})
redis.call('SET', ours .. 'run', run, 'EX', {_SOURCE_SECONDS})
"""
# ARGV: a new source id, account member, month, base units, the month before.
SEED_MONTH = Script(
    _SOURCE
    + f"""
local account = ours .. 'account:' .. source .. ':' .. ARGV[2]
redis.call('HSETNX', account, ARGV[3], ARGV[4])
for _, field in ipairs(redis.call('HKEYS', account)) do
  local month = tonumber(field)
  if month and month < tonumber(ARGV[5]) then redis.call('HDEL', account, field) end
end
redis.call('EXPIRE', account, {_ACCOUNT_SECONDS})
"""
)

# ARGV: account members.
FORGET_ACCOUNT = Script("""
local source = redis.call('GET', ours .. 'source')
if not source then return end
for _, member in ipairs(ARGV) do
  redis.call('DEL', ours .. 'account:' .. source .. ':' .. member)
end
""")

# ARGV: bucket, window, now, amount (0 only reads), longest plausible window. Reply: {count, ends}.
WINDOW = Script("""
local name = ours .. 'window:' .. ARGV[1]
local length, now, amount = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local found = redis.call('HMGET', name, 'ends', 'count')
local ends, count = tonumber(found[1] or 0), tonumber(found[2] or 0)
local left = ends - now
if left <= 0 or left > tonumber(ARGV[5]) then
  ends, count = now + length, 0
end
count = math.max(count + amount, 0)
if amount ~= 0 then
  redis.call('HSET', name, 'ends', string.format('%d', ends), 'count', string.format('%d', count))
  redis.call('PEXPIRE', name, math.max(ARGV[5], 1))
end
return {count, ends}
""")

# ARGV: name, holder, time to live, now.
LEASE = Script("""
local name = ours .. 'lease:' .. ARGV[1]
local found = redis.call('HMGET', name, 'holder', 'ends')
local left = tonumber(found[2] or 0) - tonumber(ARGV[4])
if found[1] and found[1] ~= ARGV[2] and left > 0 and left <= 2 * tonumber(ARGV[3]) then
  return 0
end
local ends = string.format('%d', tonumber(ARGV[4]) + tonumber(ARGV[3]))
redis.call('HSET', name, 'holder', ARGV[2], 'ends', ends)
redis.call('PEXPIRE', name, 2 * tonumber(ARGV[3]))
return 1
""")

# ARGV: a new source id.
SOURCE = Script(_SOURCE + "return source")

# ARGV: a new source id, limit. Reply: for each row its member, requests, units, last used.
CHANGED_USAGE = Script(
    _SOURCE
    + """
local reply = {}
local oldest = redis.call('ZRANGEBYSCORE', ours .. 'changed', '-inf', '+inf', 'LIMIT', 0, ARGV[2])
for _, member in ipairs(oldest) do
  local row = redis.call('HMGET', ours .. 'usage:' .. member, 'requests', 'units', 'last')
  if row[1] then
    table.insert(reply, {member, row[1], row[2], row[3]})
  else
    redis.call('ZREM', ours .. 'changed', member)
  end
end
return reply
"""
)

# ARGV: member, requests, units, last used of each row. A row that changed meanwhile goes to the
# end of the queue: at the head, busy keys would keep the others from ever being saved.
USAGE_SAVED = Script("""
for i = 1, #ARGV, 4 do
  local row = redis.call('HMGET', ours .. 'usage:' .. ARGV[i], 'requests', 'units', 'last')
  if row[1] == ARGV[i + 1] and row[2] == ARGV[i + 2] and row[3] == ARGV[i + 3] then
    redis.call('ZREM', ours .. 'changed', ARGV[i])
  elseif row[3] then
    redis.call('ZADD', ours .. 'changed', 'XX', row[3], ARGV[i])
  end
end
""")

# ARGV: a new source id, milliseconds. See `RedisCounters.resume`.
RESUME = Script(f"""
if redis.call('SET', ours .. 'resumed', 1, 'NX', 'PX', ARGV[2]) then
  redis.call('SET', ours .. 'source', ARGV[1], 'EX', {_SOURCE_SECONDS})
end
""")
