-- A conversion with what was told of it.
local id = ARGV[3]
if not call('HGET', key('c', id), 'made') then return false end
local told = {}
for _, delivery in ipairs(call('LRANGE', key('c', id, 'told'), 0, -1)) do table.insert(told, whole(delivery)) end
return {record(id), told}
