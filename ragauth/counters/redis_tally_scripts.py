"""The Lua scripts of tallies, meters, reservations and reports.

A tally in a window with a length is `…tally:<account>:<owner>:<name>`, "opened ends used"; it goes
on when a new source begins, as the minute does. A tally of a period is
`…count:<source>:<account>:<owner>:<name>:<period>`, its count; a new source reads it from the
database again. Both end by themselves when they are not needed. A reservation belongs to the run of
the server in which it was made: after a restart it is not certain that it was not settled.
"""

from ragauth.counters.interface import EVENT_KEPT_MS, RESERVATION_KEPT_MS, SKEW_MS
from ragauth.counters.redis_scripts import (
    ACCOUNT_SECONDS,
    COUNT_REQUEST,
    MONTH_IS_KNOWN,
    RUN,
    SETTLE_MINUTE,
    SOURCE_BEGINS,
    USAGE_SECONDS,
    Script,
)

# Tallies and uses are one argument each, however many they are: each argument and each number of an
# answer costs the client a microsecond. A tally is a line with its length (0: of a period), size,
# amount, the meter by which it is settled (or -) and its name; a use is a line with meter and
# amount.
_WHOLE = """
local function whole(number) return string.format('%d', number) end
"""
_READ_TALLIES = f"""
local function keep_window(name, tally)
  redis.call('SET', name, whole(tally.opened) .. ' ' .. whole(tally.ends) .. ' ' ..
    whole(tally.used), 'PX', tally.length + {SKEW_MS})
end
local function open_window(tally, value, now)
  local opened, ends, used = string.match(value or '0 0 0', '^(%d+) (%d+) (%d+)$')
  tally.opened, tally.ends, tally.used = tonumber(opened), tonumber(ends), tonumber(used)
  local left = tally.ends - now
  if left <= 0 then
    tally.opened, tally.ends, tally.used = 0, now + tally.length, 0
  elseif left > tally.length + {SKEW_MS} then
    tally.ends, tally.shortened = now + tally.length, true
  end
end
-- How the tallies stand, or nil if one of a period is not known.
local function read_tallies(text, now)
  local tallies, names = {{}}, {{}}
  for length, size, amount, meter, name in
      string.gmatch(text, '(%d+) (%d+) (%d+) (%S+) ([^\\n]+)') do
    local tally = {{name = name, length = tonumber(length), size = tonumber(size),
      amount = tonumber(amount), meter = meter}}
    table.insert(tallies, tally)
    if tally.length > 0 then
      table.insert(names, ours .. 'tally:' .. name)
    else
      table.insert(names, ours .. 'count:' .. source .. ':' .. name)
    end
  end
  if #tallies == 0 then return tallies, names end
  local values = redis.call('MGET', unpack(names))
  for i, tally in ipairs(tallies) do
    if tally.length > 0 then
      open_window(tally, values[i], now)
    elseif values[i] then
      tally.used, tally.ends = tonumber(values[i]), 0
    else
      return nil
    end
  end
  return tallies, names
end
-- Used and end of each tally.
local function tell(tallies)
  local told = {{}}
  for i, tally in ipairs(tallies) do told[i] = string.format('%d %d', tally.used, tally.ends) end
  return table.concat(told, ' ')
end
local function keep_shortened(tallies, names)
  for i, tally in ipairs(tallies) do
    if tally.shortened then keep_window(names[i], tally) end
  end
end
local function count_tallies(tallies, names, now)
  for i, tally in ipairs(tallies) do
    tally.used = tally.used + tally.amount
    if tally.length > 0 then
      if tally.amount > 0 and tally.opened == 0 then tally.opened = now end
      if tally.amount > 0 or tally.shortened then keep_window(names[i], tally) end
    elseif tally.amount > 0 then
      redis.call('SET', names[i], whole(tally.used), 'EX', {ACCOUNT_SECONDS})
    end
  end
end
"""
# `row` is day, account, environment and key.
_ADD_USE = f"""
local function add_use(row, meter, amount, released, now)
  local member = source .. ':' .. row .. ':' .. meter
  local name = ours .. 'meter_usage:' .. member
  local old = redis.call('HMGET', name, 'amount', 'released', 'last')
  redis.call('HSET', name, 'amount', whole(tonumber(old[1] or 0) + amount),
    'released', whole(tonumber(old[2] or 0) + released),
    'last', whole(math.max(now, tonumber(old[3] or 0))))
  if not old[1] then redis.call('EXPIRE', name, {USAGE_SECONDS}) end
  if redis.call('ZADD', ours .. 'meters_changed', 'NX', whole(now), member) == 1 then
    redis.call('EXPIRE', ours .. 'meters_changed', {USAGE_SECONDS})
    local account = string.match(row, '^[^:]*:([^:]*:[^:]*):')
    redis.call('ZADD', ours .. 'meters_changed_by', 0, account .. ' ' .. member)
    redis.call('EXPIRE', ours .. 'meters_changed_by', {USAGE_SECONDS})
  end
end
local function add_uses(row, text, now)
  for meter, amount in string.gmatch(text, '(%S+) (%d+)') do
    if amount ~= '0' then add_use(row, meter, tonumber(amount), 0, now) end
  end
end
"""

# ARGV: as for ADMIT, tallies, uses, and for a reservation its name, end and uses. Reply: as for
# ADMIT with the verdict 3 for tallies, used and end of each tally, and the name of a reservation
# that was made.
ADMIT_WITH_TALLIES = Script(
    RUN
    + MONTH_IS_KNOWN
    + _READ_TALLIES
    + _ADD_USE
    + """
local tallies, names = read_tallies(ARGV[10], now)
if not tallies then return false end
"""
    + SETTLE_MINUTE
    + """
local verdict = 0
if spent + cost > tonumber(ARGV[4]) then
  verdict = 2
elseif used >= tonumber(ARGV[3]) then
  verdict = 1
else
  for _, tally in ipairs(tallies) do
    if tally.used + tally.amount > tally.size then verdict = 3 end
  end
end
if verdict > 0 then
  keep_shortened(tallies, names)
  return {verdict, used, ends, spent, tell(tallies)}
end
"""
    + COUNT_REQUEST
    + f"""
count_tallies(tallies, names, now)
add_uses(ARGV[2], ARGV[11], now)
if #ARGV > 12 then
  local counted = {{}}
  for _, tally in ipairs(tallies) do
    if tally.meter ~= '-' and (tally.length == 0 or tally.opened > 0) then
      table.insert(counted, tally.meter .. ' ' .. whole(tally.opened or 0) .. ' ' ..
        whole(tally.length) .. ' ' .. tally.name)
    end
  end
  local name = ours .. 'reservation:' .. run .. ':' .. ARGV[12]
  redis.call('HSET', name, 'ends', ARGV[13], 'row', ARGV[2], 'uses', ARGV[14],
    'tallies', table.concat(counted, '\\n'))
  redis.call('PEXPIRE', name, whole(math.max(tonumber(ARGV[13]) - now, 0) + {RESERVATION_KEPT_MS}))
  return {{0, used, ends, spent, tell(tallies), ARGV[12]}}
end
return {{0, used, ends, spent, tell(tallies)}}
"""
)

# ARGV: a new source id, name and period of the tally, base. Counts of earlier sources do not
# matter: what they counted and did not save yet is among the rows from which the base comes.
SEED_TALLY = Script(
    SOURCE_BEGINS
    + f"""
redis.call('SET', ours .. 'count:' .. source .. ':' .. ARGV[2], string.format('%d', ARGV[3]),
  'NX', 'EX', {ACCOUNT_SECONDS})
"""
)

# ARGV: name and period of the tally, what is added, lowest and highest count. Reply: false (not
# known), or {before, after}.
SHIFT_TALLY = Script(
    RUN
    + _WHOLE
    + f"""
if not source then return false end
local name = ours .. 'count:' .. source .. ':' .. ARGV[1]
local before = tonumber(redis.call('MGET', name)[1] or -1)
if before < 0 then return false end
local after = math.max(before + tonumber(ARGV[2]), tonumber(ARGV[3]))
after = math.min(after, tonumber(ARGV[4]))
redis.call('SET', name, whole(after), 'EX', {ACCOUNT_SECONDS})
return {{before, after}}
"""
)

# ARGV: names of tallies, those of a period with it.
FORGET_TALLIES = Script("""
for _, name in ipairs(ARGV) do
  redis.call('DEL', ours .. 'tally:' .. name)
  if known[1] then redis.call('DEL', ours .. 'count:' .. known[1] .. ':' .. name) end
end
""")

# ARGV: account member, month, now, tallies. Reply: {ends, used, spent, used and end of each tally};
# false if month or tallies are not known.
PEEK = Script(
    RUN
    + _WHOLE
    + _READ_TALLIES
    + """
if not source then return false end
local name = ours .. 'account:' .. source .. ':' .. ARGV[1]
local found = redis.call('HMGET', name, 'ends', 'used', ARGV[2])
local tallies = found[3] and read_tallies(ARGV[4], tonumber(ARGV[3]))
if not tallies then return false end
return {tonumber(found[1] or 0), tonumber(found[2] or 0), tonumber(found[3]), tell(tallies)}
"""
)

# ARGV: name of the event, now, when it was used, usage member, tallies, uses. Reply: false
# (something is not known), {0} (the event is known already), or {1, used and end of each tally}.
REPORT = Script(
    RUN
    + _WHOLE
    + _READ_TALLIES
    + _ADD_USE
    + f"""
local event, now, at = ours .. 'event:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local counted = redis.call('MGET', event)[1]
if counted and now < tonumber(counted) + {EVENT_KEPT_MS} then return {{0}} end
if not source then return false end
local tallies, names = read_tallies(ARGV[5], now)
if not tallies then return false end
for _, tally in ipairs(tallies) do
  local was_open = tally.length == 0
    or (tally.opened > 0 and tally.opened <= at and at < tally.ends)
  if not was_open then tally.amount = 0 end
end
count_tallies(tallies, names, now)
add_uses(ARGV[4], ARGV[6], now)
redis.call('SET', event, whole(now), 'PX', {EVENT_KEPT_MS})
return {{1, tell(tallies)}}
"""
)

# ARGV: name of the reservation, now, uses. Reply: {outcome, and with `settled` and `no_meter` what
# was reserved}.
SETTLE = Script(
    RUN
    + _WHOLE
    + _READ_TALLIES
    + _ADD_USE
    + f"""
local name, now = ours .. 'reservation:' .. run .. ':' .. ARGV[1], tonumber(ARGV[2])
local found = redis.call('HMGET', name, 'ends', 'row', 'uses', 'tallies', 'settled')
local ends = tonumber(found[1] or 0)
if not source or not found[1] or now >= ends + {RESERVATION_KEPT_MS} then return {{'unknown'}} end
local given = {{}}
for meter, amount in string.gmatch(ARGV[3], '(%S+) (%d+)') do given[meter] = tonumber(amount) end
local more, lines = {{}}, {{}}
for meter, amount in string.gmatch(found[3], '(%S+) (%d+)') do
  local used = given[meter] or 0
  given[meter] = nil
  more[meter] = used - tonumber(amount)
  table.insert(lines, meter .. ' ' .. whole(used))
end
if next(given) then return {{'no_meter', found[3]}} end
local settled = table.concat(lines, '\\n')
if found[5] then return {{found[5] == settled and 'settled' or 'other_amount', found[3]}} end
if now >= ends then return {{'over'}} end
for meter, amount in pairs(more) do
  if amount ~= 0 then
    add_use(found[2], meter, math.max(amount, 0), math.max(-amount, 0), now)
  end
end
for meter, opened, length, of_tally in
    string.gmatch(found[4], '(%S+) (%d+) (%d+) ([^\\n]+)') do
  local amount = more[meter]
  if amount ~= 0 and length ~= '0' then
    local window = {{length = tonumber(length)}}
    open_window(window, redis.call('MGET', ours .. 'tally:' .. of_tally)[1], now)
    if whole(window.opened) == opened then
      window.used = math.max(window.used + amount, 0)
      keep_window(ours .. 'tally:' .. of_tally, window)
    end
  elseif amount ~= 0 then
    local count = ours .. 'count:' .. source .. ':' .. of_tally
    local counted = redis.call('MGET', count)[1]
    if counted then
      local left = whole(math.max(tonumber(counted) + amount, 0))
      redis.call('SET', count, left, 'EX', {ACCOUNT_SECONDS})
    end
  end
end
redis.call('HSET', name, 'settled', settled, 'tallies', '')
return {{'settled', found[3]}}
"""
)
