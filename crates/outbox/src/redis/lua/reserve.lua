-- Keeps what a request was resolved to, unless something is kept; returns what is.
local name, ends, mine = ARGV[3], ARGV[4], ARGV[5]
local r = key('r', name)
local kept = call('HMGET', r, 'ends', 'record')
if kept[1] and tonumber(kept[1]) > now then return kept[2] end
call('HSET', r, 'ends', ends, 'record', mine)
call('ZADD', key('reserved'), ends, name)
return mine
