-- What the steps share. Every key of a step begins with its base, so that all of them lie in one slot. The last of
-- KEYS never exists: while a slot moves to another node, Redis refuses a script that names a missing key
-- (TRYAGAIN), so that none runs over half of its records. ARGV[1] is by how much tests run ahead of Redis. Scripts
-- are not rolled back: each step decides first and writes then.

local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local steps = {}
local base

local function key(...)
  return base .. ':' .. table.concat({...}, ':')
end

-- Which states still want something.
local open = {pending = 1, waiting = 1, in_doubt = 1, delivered = 0, dead = 0}

-- A delivery as it is read: its fields and its attempts.
local function whole(id)
  return {id, call('HGETALL', key('d', id)), call('LRANGE', key('d', id, 'attempts'), 0, -1)}
end

-- A conversion as it is read.
local function record(id)
  return {id, call('HGETALL', key('c', id))}
end

-- Enters a delivery into the feed of changes.
local function touch(id)
  call('HSET', key('d', id), 'updated', now)
  call('ZADD', key('changes'), now, id)
end

-- Counts what a conversion waits for. Once that is nothing, it is settled, and its customer forgotten.
local function await(conversion, by)
  local c = key('c', conversion)
  if call('HINCRBY', c, 'open', by) == 0 then
    call('HDEL', c, 'customer')
    call('ZADD', key('settled'), now, conversion)
  else
    call('ZREM', key('settled'), conversion)
  end
end

-- Takes a delivery into the list and the count of its state, or out of it.
local function count(id, account, state, by)
  if by > 0 then
    call('ZADD', key(state, account), 0, id)
  else
    call('ZREM', key(state, account), id)
  end
  call('HINCRBY', key('counts', account), state, by)
end

-- Keeps a new delivery.
local function create(id, conversion, state, d)
  call('HSET', key('d', id), 'conversion', conversion, 'account', d.account, 'lane', d.lane,
    'body', d.body, 'expires', d.expires, 'state', state, 'made', d.made)
  if d.fields ~= '' then call('HSET', key('d', id), 'fields', d.fields) end
  if d.due ~= '' and state == 'pending' then call('HSET', key('d', id), 'due', d.due) end
  if state == 'waiting' then call('ZADD', key('waiting'), d.expires, id) end
  call(d.lead and 'LPUSH' or 'RPUSH', key('c', conversion, 'told'), id)
  call('SADD', key('accounts'), d.account)
  count(id, d.account, state, 1)
  await(conversion, 1)
  touch(id)
end

-- Moves a delivery to another state.
local function move(id, state, code, message)
  local d = key('d', id)
  local was = call('HMGET', d, 'account', 'state', 'conversion')
  call('HSET', d, 'state', state, 'code', code, 'message', message)
  if was[2] ~= state then
    count(id, was[1], was[2], -1)
    count(id, was[1], state, 1)
    if was[2] == 'waiting' then call('ZREM', key('waiting'), id) end
    await(was[3], open[state] - open[was[2]])
  end
  touch(id)
end

-- When the next lane of an account is due; false where none is scheduled.
local function next_due(account)
  local fresh = call('ZRANGE', key('fresh', account), 0, 0, 'WITHSCORES')[2]
  local retry = call('ZRANGE', key('retry', account), 0, 0, 'WITHSCORES')[2]
  if fresh and retry then return tonumber(fresh) < tonumber(retry) and fresh or retry end
  return fresh or retry or false
end

-- Takes a lane off the schedule.
local function hide(lane, account)
  call('ZREM', key('fresh', account), lane)
  call('ZREM', key('retry', account), lane)
end

-- Gives a lane its place in the schedule, by what its head went through.
local function schedule(lane, account, head, due)
  local tried = call('EXISTS', key('d', head, 'attempts')) + call('HEXISTS', key('d', head), 'started')
  hide(lane, account)
  call('ZADD', key(tried > 0 and 'retry' or 'fresh', account), due, lane)
end

-- Makes a delivery the head of its lane. One that was never put off is due since it was created, which its id begins
-- with, and has its place in the schedule by that: what comes after an old conversion is not new.
local function turn(lane, account, head)
  local created = tonumber(string.sub(head, 1, 12), 16)
  local due = tonumber(call('HGET', key('d', head), 'due') or math.min(created, now))
  call('HSET', key('d', head), 'due', due)
  schedule(lane, account, head, due)
end

-- Puts a pending delivery at the end of its lane.
local function enter(lane, account, id)
  if call('RPUSH', key('l', lane, 'line'), id) == 1 then
    call('HSET', key('l', lane), 'account', account)
    turn(lane, account, id)
  end
end

-- Goes on with a lane whose head was delivered or died.
local function pop(lane, account)
  call('LPOP', key('l', lane, 'line'))
  local head = call('LINDEX', key('l', lane, 'line'), 0)
  if head then
    turn(lane, account, head)
    touch(head)
  else
    hide(lane, account)
    call('DEL', key('l', lane))
  end
end

-- Whether a lease still holds its lane's head.
local function held(lane, id, token)
  return call('HGET', key('l', lane), 'lease') == token and call('LINDEX', key('l', lane, 'line'), 0) == id
end

-- Ends a lane's lease; `how` is remembered so that ending it twice is once.
local function finish(lane, id, token, how)
  call('HDEL', key('l', lane), 'lease', 'ends', 'mark', 'before')
  call('HSET', key('d', id), 'ended', token, 'how', how)
end

-- Whether a lease ended before, and in this way: 1 or 0.
local function ended(id, token, how)
  local was = call('HMGET', key('d', id), 'ended', 'how')
  return (was[1] == token and was[2] == how) and 1 or 0
end

