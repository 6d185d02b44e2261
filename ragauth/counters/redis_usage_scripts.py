"""The Lua scripts with which usage that waits is read, un-marked and asked for its last use.

Changed rows of each kind are in two sets: ordered by the time of their first change, and by
account.
"""

from dataclasses import dataclass

from ragauth.counters.redis_scripts import SOURCE_BEGINS, Script


@dataclass(frozen=True, slots=True)
class Kind:
    """The scripts of one kind of rows. A row has two totals and the moment of its last use."""

    changed: Script
    changed_of: Script
    saved: Script


def _kind(rows: str, changed: str, totals: tuple[str, str], *, tells_last: bool) -> Kind:
    """`tells_last` is whether the moment is among the numbers that `saved` gets."""
    read = f"""
local function read(member)
  return redis.call('HMGET', ours .. '{rows}:' .. member, {", ".join(map(repr, totals))}, 'last')
end
local function forget(member)
  redis.call('ZREM', ours .. '{changed}', member)
  local account = string.match(member, '^[^:]*:[^:]*:([^:]*:[^:]*):')
  redis.call('ZREM', ours .. '{changed}_by', account .. ' ' .. member)
end
local rows = {{}}
local function take(member)
  local row = read(member)
  if row[1] then
    table.insert(rows, {{member, row[1], row[2], row[3]}})
  else
    forget(member)
  end
end
"""
    # ARGV: a new source id, limit, the moment of a first change from which on they are wanted.
    # Reply: {how many members were looked at, the last moment, how many of them are of that moment,
    # and for each row its member and its numbers}.
    oldest = f"""
local moment, of_moment = ARGV[3], 0
local oldest = redis.call(
  'ZRANGEBYSCORE', ours .. '{changed}', ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #oldest, 2 do
  of_moment = oldest[i + 1] == moment and of_moment + 1 or 1
  moment = oldest[i + 1]
  take(oldest[i])
end
return {{#oldest / 2, moment, of_moment, rows}}
"""
    # ARGV: how the members of the account begin, after which of them it goes on, limit. Reply: {how
    # many members were looked at, the last of them, rows as above}.
    of_account = f"""
local found = redis.call('ZRANGEBYLEX', ours .. '{changed}_by',
  ARGV[2], '(' .. ARGV[1] .. '~', 'LIMIT', 0, ARGV[3])
for _, name in ipairs(found) do take(string.match(name, ' (.*)')) end
return {{#found, found[#found] or '', rows}}
"""
    # ARGV: member and numbers of each row. A row that changed meanwhile goes to the end of the
    # queue: at the head, busy keys would keep all others from being saved.
    numbers = 3 if tells_last else 2
    is_same = " and ".join(f"row[{each}] == ARGV[i + {each}]" for each in range(1, numbers + 1))
    saved = f"""
for i = 1, #ARGV, {numbers + 1} do
  local row = read(ARGV[i])
  if {is_same} then
    forget(ARGV[i])
  elseif row[3] then
    redis.call('ZADD', ours .. '{changed}', 'XX', row[3], ARGV[i])
  end
end
"""
    return Kind(
        Script(SOURCE_BEGINS + read + oldest), Script(read + of_account), Script(read + saved)
    )


USAGE = _kind("usage", "changed", ("requests", "units"), tells_last=True)
METERS = _kind("meter_usage", "meters_changed", ("amount", "released"), tells_last=False)
KINDS = (USAGE, METERS)

# ARGV: account member, key. Reply: when it was used last, on the days of which the account has
# something that changed. A step for each such day, however many keys the account has.
UNSAVED_USE = Script("""
local latest = false
local from, to = '[' .. ARGV[1] .. ' ', '(' .. ARGV[1] .. ' ~'
while true do
  local first = redis.call('ZRANGEBYLEX', ours .. 'changed_by', from, to, 'LIMIT', 0, 1)[1]
  if not first then return latest end
  local of_day = string.match(first, ' ([^:]*:[^:]*:)')
  local row = redis.call('HMGET', ours .. 'usage:' .. of_day .. ARGV[1] .. ':' .. ARGV[2], 'last')
  if row[1] and tonumber(row[1]) > tonumber(latest or 0) then latest = row[1] end
  from = '(' .. ARGV[1] .. ' ' .. of_day .. '~'
end
""")
