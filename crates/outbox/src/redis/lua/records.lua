-- A record is one string, its parts one behind the other; an id or the name of a call that is not there is
-- NONE, and a time or a lease's number 0.

local NONE = string.rep('\0', 16)
local STATES = {'pending', 'waiting', 'in_doubt', 'delivered', 'dead'}
local NUMBERS = {}
for number, state in ipairs(STATES) do NUMBERS[state] = number end

-- A delivery: what changes as it is worked on, what it is, its words and what it tells; behind that its attempts.
local MOVES, MOVES_IS = '<ddddBBBB', 36
local REST = '<c16c16c16dBc0Bc0I4c0I4c0I4c0I4c0I4c0'
local CONVERSION = '<c16c16I4I4c0Bc0Bc0Bc0I4c0I4c0'
-- Behind a lane's head are the deliveries in line.
local LANE, LANE_IS = '<dddddB', 41

-- The ids in a text.
local function each(text)
  local all = {}
  for at = 1, #text, 16 do all[#all + 1] = sub(text, at, at + 15) end
  return all
end

-- The same ids without those that are `gone`.
local function without(text, gone)
  local left = {}
  for _, id in ipairs(each(text)) do
    if not gone[id] then left[#left + 1] = id end
  end
  return table.concat(left)
end

-- A delivery, of which no more is read than changes as it is worked on; `customer` is 1 where its conversion may know
-- one.
local function delivery(id, text)
  if text == nil then text = get('d', id) end
  if not text then return nil end
  local updated, due, started, ended, how, tries, customer, state = struct.unpack(MOVES, text)
  return {id = id, updated = updated, due = due, started = started, ended = ended, how = how, tries = tries,
    customer = customer, state = STATES[state], rest = sub(text, MOVES_IS + 1)}
end

-- Reads the rest of a delivery.
local function read(d)
  local at
  d.conversion, d.lane, d.made, d.expires, d.account, d.decided, d.code, d.message, d.remote, d.fields, d.body, at =
    struct.unpack(REST, d.rest)
  d.attempts, d.rest = sub(d.rest, at), nil
  return d
end

local function put_delivery(d)
  local moves = struct.pack(MOVES, d.updated, d.due, d.started, d.ended, d.how, d.tries, d.customer,
    NUMBERS[d.state])
  if d.rest then return put('d', d.id, moves .. d.rest) end
  put('d', d.id, moves .. struct.pack(REST, d.conversion, d.lane, d.made, d.expires, #d.account, d.account,
    #d.decided, d.decided, #d.code, d.code, #d.message, d.message, #d.remote, d.remote, #d.fields, d.fields,
    #d.body, d.body) .. d.attempts)
end

-- Keeps a delivery that changed, and enters it into the feed of changes.
local function save(d)
  d.updated = now
  put_delivery(d)
  tell(d.id)
end

-- Whether a delivery was delivered, or is dead and cannot be replayed any more: by the number of its state, and by the
-- end of its click's life, which stands 48 bytes behind that.
local function is_over(id)
  local text = call('GETRANGE', key('d', id), MOVES_IS - 1, MOVES_IS + 55)
  local state = byte(text)
  return state == NUMBERS.delivered or state == NUMBERS.dead and now >= struct.unpack('<d', text, 50)
end

-- A conversion; one that is only awaited has no name of the call that made it.
local function conversion(id, text)
  if text == nil then text = get('c', id) end
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
  put('c', c.id, struct.pack(CONVERSION, c.lane, c.made, #c.customer, #c.told, c.told, #c.account,
    c.account, #c.user, c.user, #c.name, c.name, #c.body, c.body, #c.person, c.person) .. c.customer)
end

-- A lane; one that is not kept is empty. Its head's attempt `began` under the lease that is its `mark`; `before` is
-- when an attempt began before that one, of which nobody knows how it ended.
local function lane_of(id, text)
  if text == nil then text = get('l', id) end
  if not text then
    return {id = id, lease = 0, ends = 0, mark = 0, began = 0, before = 0, class = 0, line = ''}
  end
  local lease, ends, mark, began, before, class = struct.unpack(LANE, text)
  return {id = id, lease = lease, ends = ends, mark = mark, began = began, before = before, class = class,
    line = sub(text, LANE_IS + 1)}
end

local function put_lane(l)
  if l.line == '' then return ask('DEL', key('l', l.id)) end
  put('l', l.id, struct.pack(LANE, l.lease, l.ends, l.mark, l.began, l.before, l.class) .. l.line)
end

-- The conversions of a lane, also those that are only awaited, one id behind the other.
local function conversions_of(lane)
  return get('of', lane) or ''
end

-- A delivery as it is read: its id, its record, and when an attempt under way began, which its lane knows; 0 where
-- there is none, or where the lane cannot be read.
local function as_read(id)
  local text = ask('GET', key('d', id))
  if not text or byte(text, MOVES_IS) ~= NUMBERS.pending then return {id, text, 0} end
  local is_read, l = pcall(lane_of, sub(text, MOVES_IS + 17, MOVES_IS + 32))
  return {id, text, is_read and sub(l.line, 1, 16) == id and l.began or 0}
end
