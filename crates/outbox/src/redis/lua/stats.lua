-- How many deliveries of an account stand where, and the oldest that is pending.
function steps.stats(account)
  local counts = call('HMGET', key('counts', account), 'conversions', 'pending', 'waiting', 'in_doubt', 'delivered', 'dead')
  for place = 1, 6 do counts[place] = counts[place] or '0' end
  local oldest = call('ZRANGE', key('pending', account), 0, 0)[1]
  return {counts, oldest and {whole(oldest)} or {}}
end

