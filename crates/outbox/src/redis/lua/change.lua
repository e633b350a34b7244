-- Puts a change into its conversion's lane, or lets it wait for the conversion.
local delivery, id, name, promised = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local d = {account = ARGV[7], lane = ARGV[8], body = ARGV[9], fields = ARGV[10], due = ARGV[11], expires = ARGV[12]}
local most = tonumber(ARGV[13])

local was = call('HMGET', key('d', delivery), 'conversion', 'made')
if was[1] then return {was[2] == this and 'new' or 'old', was[1]} end
if name ~= '' then id = call('HGET', key('k', name), 'conversion') or promised end
local c = call('HMGET', key('c', id), 'made', 'lane', 'key')
if name == '' and not c[1] and not c[3] then return {'none', ''} end
d.lane = c[2] or d.lane
if call('LLEN', key('l', d.lane, 'line')) + 1 > most then return {'full', ''} end
if call('LLEN', key('c', id, 'told')) + 1 > most then return {'full', ''} end

if c[1] then
  create(delivery, id, 'pending', d)
  enter(d.lane, d.account, delivery)
else
  if name ~= '' then
    call('HSET', key('k', name), 'conversion', id)
    call('HSET', key('c', id), 'key', name)
  end
  create(delivery, id, 'waiting', d)
end
return {'new', id}
