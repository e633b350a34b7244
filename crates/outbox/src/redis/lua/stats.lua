-- How many deliveries of an account stand where, and the oldest that is pending.
function steps.stats(account)
  local counts = {}
  for place, list in ipairs({'conversions', 'pending', 'waiting', 'in_doubt', 'delivered', 'dead'}) do
    counts[place] = call('ZCARD', key(list, account))
  end
  local oldest = call('ZRANGE', key('pending', account), 0, 0)[1]
  return {counts, oldest and {as_read(oldest)} or {}}
end
