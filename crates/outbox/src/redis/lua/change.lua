-- Puts a change into its conversion's lane, or lets it wait for the conversion.
function steps.change(this, id, target, name, promised, account, lane, tail, due, expires, most)
  most = tonumber(most)
  local was = delivery(id)
  if was then return {was.made == this and 'new' or 'old', was.conversion} end
  local entry = name ~= '' and call('GET', key('k', name))
  if name ~= '' then target = entry and sub(entry, 1, 16) or promised end
  local c = conversion(target)
  if name == '' and not c then return {'none', ''} end
  c = c or unknown(target, name)
  if c.lane ~= NONE then lane = c.lane end
  local l = lane_of(lane)
  if #l.line / 16 + 1 > most or #c.told / 16 + 1 > most then return {'full', ''} end

  if name ~= '' and not entry then put(key('k', name), target) end
  local state = c.made ~= NONE and 'pending' or 'waiting'
  local d = create(target, c.customer ~= '' and 1 or 0, id, this, account, lane, tail, due, expires, state)
  c.told = c.told .. id
  if state == 'pending' then
    enter(l, d)
    put_lane(l)
  end
  save(d)
  put_conversion(c)
  keep()
  return {'new', target}
end
