"""The Lua scripts of the Redis store: each is one atomic step.

Every key has a time to live, and begins with the prefix that each script gets as its first key. The
prefix is `ragauth:<installation>:`, so that two installations can share one Redis; in a Cluster
`ragauth:<installation>:{<part>}:`, so that all keys that a script builds are in one slot.

What an account has used is stored under the source id (`…account:<source>:…`, `…usage:<source>:…`).
When Redis has lost its data, was reset to a snapshot, or is a replica that took over without the
last writes, a new source begins at zero, and its months are read from the database again. So old
totals are never mixed with new ones.

The version before this one may run on the same Redis at the same time, so names and fields must not
change.
"""

from hashlib import sha1

#: Add one with every change of what the keys hold. The newer version must write the number to
#: `layout` before anything else. The older one then refuses to count: otherwise the two would count
#: side by side.
_LAYOUT = 1
OTHER_LAYOUT = "LAYOUT"
# The beginning of each script: the prefix of all names, and whether this version may count here.
_BEGINNING = f"""local ours = KEYS[1]
local known = redis.call('MGET', ours .. 'source', ours .. 'run', ours .. 'layout')
if tonumber(known[3] or {_LAYOUT}) ~= {_LAYOUT} then
  return redis.error_reply('{OTHER_LAYOUT} a newer version of ragauth counts here; end this one')
end
"""


class Script:
    """The text of a Lua script, and the name under which Redis caches it.

    A script that `takes_run` gets the server's run id as its last argument.
    """

    def __init__(self, text: str) -> None:
        self.takes_run = text.startswith(RUN)
        self.text = text = _BEGINNING + text
        # Redis names scripts by their SHA-1; it protects nothing.
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()


DAY_SECONDS = 86_400
#: A month that has expired is read from the database again.
ACCOUNT_SECONDS = 2 * DAY_SECONDS
#: Counted from a row's first hit: longer than its day, and longer than the database should ever be
#: away.
USAGE_SECONDS = 8 * DAY_SECONDS
_SOURCE_SECONDS = 100 * DAY_SECONDS

# After a restart Redis may have loaded an older snapshot, and a replica that took over may lack the
# last writes: totals would be lower than those saved, months lower than what was used. So each run
# of the server is a source of its own. A connection ends together with the run of its server, so
# the client asks for the run id once for each connection (INFO in each script costs 8 µs). If an
# ACL forbids INFO, only the loss of all data is noticed.
RUN = """
local run = ARGV[#ARGV]
local source = known[2] == run and known[1]
"""

# An admission in parts. ARGV: account member, usage member, minute limit, month limit, cost, month,
# now, now + a minute, longest plausible minute.
MONTH_IS_KNOWN = """
if not source then return false end
local function whole(number) return string.format('%d', number) end
local account = ours .. 'account:' .. source .. ':' .. ARGV[1]
local found = redis.call('HMGET', account, 'ends', 'used', ARGV[6])
if not found[3] then return false end
local cost, now = tonumber(ARGV[5]), tonumber(ARGV[7])
local spent = tonumber(found[3])
local ends, used = tonumber(found[1] or 0), tonumber(found[2] or 0)
"""
SETTLE_MINUTE = """
local left = ends - now
local fresh = left <= 0
if fresh then
  ends, used = tonumber(ARGV[8]), 0
elseif left > tonumber(ARGV[9]) then
  ends = tonumber(ARGV[8])
  redis.call('HSET', account, 'ends', ARGV[8])
end
"""
COUNT_REQUEST = f"""
used, spent = used + 1, spent + cost
-- Few calls: what each costs is most of what the script does.
redis.call('HSET', account, 'ends', whole(ends), 'used', whole(used), ARGV[6], whole(spent))
if fresh then redis.call('EXPIRE', account, {ACCOUNT_SECONDS}) end
local member = source .. ':' .. ARGV[2]
local row = ours .. 'usage:' .. member
local old = redis.call('HMGET', row, 'requests', 'units', 'last')
local requests, units = tonumber(old[1] or 0) + 1, tonumber(old[2] or 0) + cost
local last = math.max(now, tonumber(old[3] or 0))
redis.call('HSET', row, 'requests', whole(requests), 'units', whole(units), 'last', whole(last))
if not old[1] then redis.call('EXPIRE', row, {USAGE_SECONDS}) end
if redis.call('ZADD', ours .. 'changed', 'NX', ARGV[7], member) == 1 then
  redis.call('EXPIRE', ours .. 'changed', {USAGE_SECONDS})
  redis.call('ZADD', ours .. 'changed_by', 0, ARGV[1] .. ' ' .. member)
  redis.call('EXPIRE', ours .. 'changed_by', {USAGE_SECONDS})
end
"""
# Reply: false (month unknown), or {verdict, used, ends, spent}.
ADMIT = Script(
    RUN
    + MONTH_IS_KNOWN
    + SETTLE_MINUTE
    + """
if spent + cost > tonumber(ARGV[4]) then return {2, used, ends, spent} end
if used >= tonumber(ARGV[3]) then return {1, used, ends, spent} end
"""
    + COUNT_REQUEST
    + "return {0, used, ends, spent}"
)

# `sources` lists the earlier sources, the latest first: the current minute continues under the new
# source.
_BEGIN = f"""
local function begin(new)
  if known[1] then
    redis.call('LPUSH', ours .. 'sources', known[1])
    redis.call('LTRIM', ours .. 'sources', 0, 7)
    redis.call('EXPIRE', ours .. 'sources', {ACCOUNT_SECONDS})
  end
  source = new
end
local function keep()
  redis.call('SET', ours .. 'source', source, 'EX', {_SOURCE_SECONDS})
  redis.call('SET', ours .. 'run', run, 'EX', {_SOURCE_SECONDS})
end
"""
# ARGV: a new source id.
SOURCE_BEGINS = (
    RUN
    + _BEGIN
    + """
if not source then begin(ARGV[1]) end
keep()
"""
)
# ARGV: a new source id, account member, month, base units, the month before.
SEED_MONTH = Script(
    SOURCE_BEGINS
    + f"""
local account = ours .. 'account:' .. source .. ':' .. ARGV[2]
local base = tonumber(ARGV[4])
for _, old in ipairs(redis.call('LRANGE', ours .. 'sources', 0, -1)) do
  local name = ours .. 'account:' .. old .. ':' .. ARGV[2]
  local found = redis.call('HMGET', name, 'ends', 'used', ARGV[3])
  if found[1] and redis.call('HSETNX', account, 'ends', found[1]) == 1 then
    redis.call('HSET', account, 'used', found[2])
  end
  -- What is not in the database yet, since usage is saved every ten seconds.
  base = math.max(base, tonumber(found[3] or 0))
end
redis.call('HSETNX', account, ARGV[3], string.format('%d', base))
for _, field in ipairs(redis.call('HKEYS', account)) do
  local month = tonumber(field)
  if month and month < tonumber(ARGV[5]) then redis.call('HDEL', account, field) end
end
redis.call('EXPIRE', account, {ACCOUNT_SECONDS})
"""
)

# ARGV: account members.
FORGET_ACCOUNT = Script("""
local sources = redis.call('LRANGE', ours .. 'sources', 0, -1)
if known[1] then table.insert(sources, known[1]) end
for _, source in ipairs(sources) do
  for _, member in ipairs(ARGV) do
    redis.call('DEL', ours .. 'account:' .. source .. ':' .. member)
  end
end
""")

# ARGV: bucket.
CLEAR_WINDOW = Script("return redis.call('DEL', ours .. 'window:' .. ARGV[1])")

# ARGV: bucket, window, now, amount (0 only reads), longest plausible window, and the size if what
# does not fit is refused. Reply: {count, ends, whether it was counted}.
WINDOW = Script("""
local name = ours .. 'window:' .. ARGV[1]
local length, now, amount = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local found = redis.call('HMGET', name, 'ends', 'count')
local ends, count = tonumber(found[1] or 0), tonumber(found[2] or 0)
local left = ends - now
local ahead = left > tonumber(ARGV[5])
if left <= 0 then
  ends, count = now + length, 0
elseif ahead then
  ends = now + length
end
local taken = 1
if ARGV[6] and count + amount > tonumber(ARGV[6]) then taken, amount = 0, 0 end
count = math.max(count + amount, 0)
if amount ~= 0 or ahead then
  redis.call('HSET', name, 'ends', string.format('%d', ends), 'count', string.format('%d', count))
  redis.call('PEXPIRE', name, math.max(ARGV[5], 1))
end
return {count, ends, taken}
""")

# ARGV: name, holder, time to live, now, by how much clocks may differ.
LEASE = Script("""
local name = ours .. 'lease:' .. ARGV[1]
local found = redis.call('HMGET', name, 'holder', 'ends')
local left = tonumber(found[2] or 0) - tonumber(ARGV[4])
local longest = tonumber(ARGV[3]) + tonumber(ARGV[5])
if found[1] and found[1] ~= ARGV[2] and left > 0 and left <= longest then
  return 0
end
local ends = string.format('%d', tonumber(ARGV[4]) + tonumber(ARGV[3]))
redis.call('HSET', name, 'holder', ARGV[2], 'ends', ends)
redis.call('PEXPIRE', name, 2 * tonumber(ARGV[3]))
return 1
""")

# ARGV: a new source id.
SOURCE = Script(SOURCE_BEGINS + "return source")

# ARGV: a new source id, milliseconds, name of the outage. See `RedisCounters.resume`.
RESUME = Script(
    RUN
    + _BEGIN
    + """
if redis.call('SET', ours .. 'resumed:' .. ARGV[3], 1, 'NX', 'PX', ARGV[2]) or not source then
  begin(ARGV[1])
  keep()
end
"""
)
