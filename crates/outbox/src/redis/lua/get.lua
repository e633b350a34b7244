-- Reads conversions or deliveries by their ids; those that are gone are left out.
local read = ARGV[3] == 'c' and record or whole
local all = {}
for place = 4, #ARGV do
  if call('HEXISTS', key(ARGV[3], ARGV[place]), 'body') == 1 then table.insert(all, read(ARGV[place])) end
end
return all
