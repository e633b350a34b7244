-- What the steps share. Every key of a step begins with its base, so that all of them lie in one slot. The
-- last of KEYS never exists: while a slot moves to another node, Redis refuses a script that names a missing
-- key (TRYAGAIN), so that none runs over half of its records. ARGV[1] is by how much tests run ahead of Redis.
-- Scripts are not rolled back: each step decides first and writes then.

local call, sub = redis.call, string.sub
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
-- The same for Redis, which takes long over a number of Lua's.
local stamp = string.format('%.0f', now)
local steps = {}
local base

local function key(sort, name)
  return name and base .. ':' .. sort .. ':' .. name or base .. ':' .. sort
end

-- A record is one string, its parts one behind the other; an id or the name of a call that is not there is
-- NONE, and a time or a lease's number 0.
local NONE = string.rep('\0', 16)
-- Lua hashes every byte of every string, so what is long is read and written as seldom as can be: most steps
-- want no more of a delivery than its head, which is as long for each, and attempts are appended to it.
local HEAD, HEAD_IS = '<c16c16c16dddddBBBB', 92
local TAIL = '<Bc0Bc0I4c0I4c0I4c0I4c0I4c0'
local STATES = {'pending', 'waiting', 'in_doubt', 'delivered', 'dead'}
local CONVERSION = '<c16c16I4I4c0Bc0Bc0Bc0I4c0I4c0'
local LANE = '<ddddBI4c0'

-- How a lease ended.
local SETTLED, RELEASED = 1, 2
-- The parts of the schedule.
local classes = {'fresh', 'retry'}

-- The ids in a text.
local function each(text)
  local all = {}
  for at = 1, #text, 16 do all[#all + 1] = sub(text, at, at + 15) end
  return all
end

-- Records that a step changes, which are kept together at its end.
local puts = {}

local function put(name, text)
  puts[#puts + 1], puts[#puts + 2] = name, text
end

local function keep()
  if #puts > 0 then call('MSET', unpack(puts)) end
  puts = {}
end

-- The records of a sort by their ids; false for one that is not there.
local function all(sort, ids)
  local names = {}
  for at, id in ipairs(ids) do names[at] = key(sort, id) end
  return call('MGET', unpack(names))
end

-- The head of a delivery of an account; `customer` is 1 where its conversion may know one.
local function head_of(id, account, text)
  text = text or call('GETRANGE', key('d', id), 0, HEAD_IS - 1)
  if text == '' then return nil end
  local d = {id = id, account = account}
  d.conversion, d.lane, d.made, d.expires, d.due, d.updated, d.started, d.ended, d.how, d.tries, d.customer,
    d.state = struct.unpack(HEAD, text)
  d.state = STATES[d.state]
  return d
end

-- A whole delivery.
local function delivery(id)
  local text = call('GET', key('d', id))
  if not text then return nil end
  local d, at = head_of(id, nil, text), nil
  d.account, d.decided, d.code, d.message, d.remote, d.fields, d.body, at =
    struct.unpack(TAIL, text, HEAD_IS + 1)
  d.attempts = sub(text, at)
  return d
end

local function put_delivery(d)
  local state = 1
  while STATES[state] ~= d.state do state = state + 1 end
  local head = struct.pack(HEAD, d.conversion, d.lane, d.made, d.expires, d.due, d.updated, d.started,
    d.ended, d.how, d.tries, d.customer, state)
  if d.tail then
    put(key('d', d.id), head .. d.tail)
  elseif d.body then
    local tail = struct.pack(TAIL, #d.account, d.account, #d.decided, d.decided, #d.code, d.code, #d.message,
      d.message, #d.remote, d.remote, #d.fields, d.fields, #d.body, d.body)
    put(key('d', d.id), head .. tail .. d.attempts)
  else
    call('SETRANGE', key('d', d.id), 0, head)
  end
end

-- Keeps a delivery that changed, and enters it into the feed of changes.
local function save(d)
  d.updated = now
  put_delivery(d)
  call('ZADD', key('changes'), stamp, d.id)
end

-- A conversion; one that is only awaited has no name of the call that made it.
local function conversion(id, text)
  if text == nil then text = call('GET', key('c', id)) end
  if not text then return nil end
  local lane, made, _, told, account, user, name, body, person, at = struct.unpack(CONVERSION, text)
  return {id = id, lane = lane, made = made, told = told, account = account, user = user, name = name,
    body = body, person = person, customer = sub(text, at)}
end

-- A conversion that nothing is known of.
local function unknown(id, name)
  return {id = id, lane = NONE, made = NONE, told = '', customer = '', account = '', user = '', name = name,
    body = '', person = ''}
end

local function put_conversion(c)
  put(key('c', c.id), struct.pack(CONVERSION, c.lane, c.made, #c.customer, #c.told, c.told, #c.account,
    c.account, #c.user, c.user, #c.name, c.name, #c.body, c.body, #c.person, c.person) .. c.customer)
end

-- A lane; one that is not kept is empty.
local function lane_of(id, text)
  local l = {id = id, lease = 0, ends = 0, mark = 0, before = 0, class = 0, line = ''}
  if text == nil then text = call('GET', key('l', id)) end
  if text then l.lease, l.ends, l.mark, l.before, l.class, l.line = struct.unpack(LANE, text) end
  return l
end

local function put_lane(l)
  if l.line == '' then
    call('DEL', key('l', l.id))
  else
    put(key('l', l.id), struct.pack(LANE, l.lease, l.ends, l.mark, l.before, l.class, #l.line, l.line))
  end
end

-- Whether a delivery was delivered or is dead, by the last byte of its head. As a number: texts are compared by the
-- server's language.
local function is_over(id)
  local state = STATES[string.byte(call('GETRANGE', key('d', id), HEAD_IS - 1, HEAD_IS - 1))]
  return state == 'delivered' or state == 'dead'
end

-- Forgets a conversion's customer where a delivery that is over was the last one that needed it.
local function forget_customer(d)
  if d.customer == 0 then return end
  local name = key('c', d.conversion)
  local text = call('GET', name)
  if not text then return end
  local customer, told = struct.unpack('<I4I4', text, 33)
  if customer == 0 then return end
  for _, one in ipairs(each(sub(text, 41, 40 + told))) do
    if one ~= d.id and not is_over(one) then return end
  end
  put(name, sub(text, 1, 32) .. '\0\0\0\0' .. sub(text, 37, #text - customer))
end

local accounts = {}

-- A new delivery of a conversion; `tail` is all of its record behind the head.
local function create(of, customer, id, made, account, lane, tail, due, expires, state)
  local name = key('accounts')
  if not accounts[name .. account] then
    accounts[name .. account] = call('SADD', name, account)
  end
  call('ZADD', key(state, account), '0', id)
  if state == 'waiting' then call('ZADD', key('waiting'), expires, id) end
  due = state == 'pending' and tonumber(due) or 0
  return {id = id, conversion = of, lane = lane, made = made, expires = tonumber(expires), due = due,
    started = 0, ended = 0, how = 0, tries = 0, customer = customer, state = state, account = account,
    tail = tail}
end

-- Moves a delivery to another state.
local function move(d, state, code, message)
  local was = d.state
  d.state, d.code, d.message = state, code, message
  if was == state then return end
  call('ZREM', key(was, d.account), d.id)
  call('ZADD', key(state, d.account), '0', d.id)
  if was == 'waiting' then call('ZREM', key('waiting'), d.id) end
  if state == 'delivered' or state == 'dead' then forget_customer(d) end
end

-- Takes a lane off the schedule.
local function hide(l, account)
  if l.class > 0 then call('ZREM', key(classes[l.class], account), l.id) end
  l.class = 0
end

-- Gives a lane its place in the schedule, by what its head went through.
local function schedule(l, head, due)
  local class = (head.tries > 0 or head.started > 0) and 2 or 1
  if l.class ~= class then hide(l, head.account) end
  l.class = class
  call('ZADD', key(classes[class], head.account), string.format('%.0f', due), l.id)
end

-- Makes a delivery the head of its lane. One that was never put off is due since it was created, which its id
-- begins with, and has its place in the schedule by that: what comes after an old conversion is not new.
local function turn(l, head)
  if head.due == 0 then
    local high, low = struct.unpack('>I2I4', head.id)
    head.due = math.min(high * 4294967296 + low, now)
  end
  schedule(l, head, head.due)
end

-- Puts a pending delivery at the end of its lane.
local function enter(l, d)
  l.line = l.line .. d.id
  if #l.line == 16 then turn(l, d) end
end

-- Goes on with a lane whose head was delivered or died.
local function pop(l, account)
  l.line = sub(l.line, 17)
  if l.line == '' then return hide(l, account) end
  local head = head_of(sub(l.line, 1, 16), account)
  turn(l, head)
  save(head)
end

-- Whether a lease still holds its lane's head.
local function held(l, id, token)
  return l.lease == token and sub(l.line, 1, 16) == id
end

-- Ends a lane's lease; `how` is remembered so that ending it twice is once.
local function finish(l, d, how)
  d.ended, d.how = l.lease, how
  l.lease, l.ends, l.mark, l.before = 0, 0, 0, 0
end

-- Whether a lease ended before, and in this way: 1 or 0.
local function ended(id, token, how)
  local d = head_of(id)
  return (d and d.ended == token and d.how == how) and 1 or 0
end

-- A delivery as it is read.
local function whole(id)
  return {id, call('GET', key('d', id))}
end

-- What the keys of another partition begin with; it may be asked where one server has them all.
local function base_of(number)
  return sub(base, 1, -4) .. string.format('%02d}', number)
end

-- Whether an account is paused, which the first partition knows.
local function is_paused(account)
  return call('HGET', base_of(0) .. ':pause:' .. account, 'paused') == '1'
end

-- When the next lane of a part of an account's schedule is due; 0 where there is none.
local function next_of(class, account)
  return tonumber(call('ZRANGE', key(class, account), 0, 0, 'WITHSCORES')[2] or 0)
end

-- The earlier one of two times, of which there may be none.
local function earlier(one, other)
  if one == 0 or other == 0 then return one + other end
  return math.min(one, other)
end
