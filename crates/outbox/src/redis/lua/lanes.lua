-- How deliveries move through states and lanes, and lanes through the schedule.

-- How a lease ended.
local SETTLED, RELEASED = 1, 2
-- The parts of the schedule.
local CLASSES = {'fresh', 'retry'}

-- Forgets a conversion's customer where a delivery that was delivered or died was the last one that needed it. A sweep
-- does so for one that may be replayed until then.
local function forget_customer(d)
  if d.customer == 0 then return end
  local ends = d.expires or struct.unpack('<d', d.rest, 49)
  if d.state == 'dead' and now < ends then return place(only('waiting'), d.id, whole(ends)) end
  local c = conversion(d.conversion or sub(d.rest, 1, 16))
  if not c or c.customer == '' then return end
  for _, one in ipairs(each(c.told)) do
    if one ~= d.id and not is_over(one) then return end
  end
  c.customer = ''
  put_conversion(c)
end

local accounts = {}

-- A new delivery of a conversion; `tail` is all of its record behind the account.
local function create(of, customer, id, made, account, lane, tail, due, expires, state)
  local name = only('accounts')
  if not accounts[name .. account] then
    accounts[name .. account] = call('SADD', name, account)
  end
  place(key(state, account), id, '0')
  if state == 'waiting' then place(only('waiting'), id, whole(expires)) end
  return {id = id, updated = 0, due = state == 'pending' and due or 0, started = 0, ended = 0, how = 0,
    tries = 0, customer = customer, state = state,
    rest = struct.pack('<c16c16c16dBc0', of, lane, made, expires, #account, account) .. tail}
end

-- Moves a delivery to another state.
local function move(d, account, state)
  local was = d.state
  d.state = state
  if was == state then return end
  place(key(was, account), d.id, false)
  place(key(state, account), d.id, '0')
  if was == 'waiting' or was == 'dead' then place(only('waiting'), d.id, false) end
  if NUMBERS[state] >= NUMBERS.delivered then forget_customer(d) end
end

-- Takes a lane off the schedule.
local function hide(l, account)
  if l.class > 0 then place(key(CLASSES[l.class], account), l.id, false) end
  l.class = 0
end

-- Gives a lane its place in the schedule, by what its head went through.
local function schedule(l, account, head, due)
  local class = (head.tries > 0 or l.began > 0) and 2 or 1
  if l.class ~= class then hide(l, account) end
  l.class = class
  place(key(CLASSES[class], account), l.id, whole(due))
end

-- Makes a delivery the head of its lane. One that was never put off is due since it was created, which its id
-- begins with, and has its place in the schedule by that: what comes after an old conversion is not new.
local function turn(l, account, head)
  if head.due == 0 then
    local high, low = struct.unpack('>I2I4', head.id)
    head.due = math.min(high * 4294967296 + low, now)
  end
  schedule(l, account, head, head.due)
end

-- Puts a pending delivery at the end of its lane.
local function enter(l, account, d)
  l.line = l.line .. d.id
  if #l.line == 16 then turn(l, account, d) end
end

-- Goes on with a lane whose head was delivered or died.
local function pop(l, account)
  l.line = sub(l.line, 17)
  if l.line == '' then return hide(l, account) end
  local head = delivery(sub(l.line, 1, 16))
  turn(l, account, head)
  save(head)
end

-- The lane, the delivery, the lease and the account that a fence names.
local function parts(fence)
  return sub(fence, 1, 16), sub(fence, 17, 32), (struct.unpack('<d', fence, 33)), sub(fence, 41)
end

-- Whether a lease still holds its lane's head.
local function held(l, id, token)
  return l.lease == token and sub(l.line, 1, 16) == id
end

-- Ends a lane's lease; `how` is remembered so that ending it twice is once.
local function finish(l, d, how)
  d.ended, d.how = l.lease, how
  l.lease, l.ends, l.mark, l.began, l.before = 0, 0, 0, 0, 0
end

-- Whether a lease ended before, and in this way: 1 or 0.
local function ended(id, token, how)
  local d = delivery(id)
  return (d and d.ended == token and d.how == how) and 1 or 0
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
  return tonumber(ask('ZRANGE', key(class, account), 0, 0, 'WITHSCORES')[2] or 0)
end

-- The earlier one of two times, of which there may be none.
local function earlier(one, other)
  if one == 0 or other == 0 then return one + other end
  return math.min(one, other)
end
