-- What a step reads and changes. Every key of a step begins with its base, so that all of them lie in one slot. The
-- last of KEYS never exists: while a slot moves to another node, Redis refuses a script that names a missing key
-- (TRYAGAIN), so that none runs over half of its records. ARGV begins with what holds for all steps.
-- What a step changes is written when it is done, or asks for it: one that breaks off before changes nothing.

local call, sub, byte = redis.call, string.sub, string.byte
-- By how much tests run ahead of Redis, the most deliveries of a conversion and in a lane, the most attempts that are
-- kept, and why a change dies with its lead.
local AHEAD, MOST_TOLD, MOST_TRIED, WITH_LEAD = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + AHEAD

-- A number for Redis, which takes long over one of Lua's.
local function whole(number)
  return string.format('%.0f', number)
end

local stamp = whole(now)
local steps = {}

-- What the keys of a step begin with, and those of each sort.
local base, sorts
local known = {}

local function turn_to(partition)
  base, sorts = partition, known[partition] or {}
  known[base] = sorts
end

local function key(sort, name)
  local sort_is = sorts[sort]
  if not sort_is then
    sort_is = base .. ':' .. sort .. ':'
    sorts[sort] = sort_is
  end
  return sort_is .. name
end

-- The key of which a partition has one.
local function only(sort)
  return base .. ':' .. sort
end

-- What a step changes: names with their texts, sorted sets with a score, which is false for a member that is out, and
-- the member, and the deliveries to be told. All are used again for the next step, up to how many there are.
local texts, places, told = {}, {}, {}
local many_texts, many_places, many_told = 0, 0, 0
-- By base, the deliveries that changed in this run.
local feeds = {}

local function forget()
  many_texts, many_places, many_told = 0, 0, 0
end

local function get(sort, id)
  return call('GET', key(sort, id))
end

local function put(sort, id, text)
  texts[many_texts + 1], texts[many_texts + 2] = key(sort, id), text
  many_texts = many_texts + 2
end

local function place(set, member, score)
  places[many_places + 1], places[many_places + 2], places[many_places + 3] = set, score, member
  many_places = many_places + 3
end

-- Enters a delivery into the feed of changes, which names those together that changed together.
local function tell(id)
  many_told = many_told + 1
  told[many_told] = id
end

-- Writes what changed; Lua passes on no more than some thousands of arguments.
local function write()
  for from = 1, many_texts, 2000 do
    call('MSET', unpack(texts, from, math.min(from + 1999, many_texts)))
  end
  for at = 1, many_places, 3 do
    if places[at + 1] then
      call('ZADD', places[at], places[at + 1], places[at + 2])
    else
      call('ZREM', places[at], places[at + 2])
    end
  end
  if many_told > 0 then
    local feed = feeds[base] or {}
    feeds[base] = feed
    for at = 1, many_told do feed[told[at]] = true end
  end
  forget()
end

-- Asks for what this step may have changed.
local function ask(...)
  write()
  return call(...)
end
