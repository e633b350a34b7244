-- Puts a change into its conversion's lane, or lets it wait for the conversion.
function steps.change(head, name, promised, account, tail)
  local this, target, lane, id, due, expires = struct.unpack('<c16c16c16c16dd', head)
  local was = delivery(id)
  if was then
    read(was)
    return {was.made == this and 'new' or 'old', was.conversion}
  end
  local entry = name ~= '' and get('k', name)
  if name ~= '' then target = entry and sub(entry, 1, 16) or promised end
  local c = conversion(target)
  if name == '' and not c then return {'none', ''} end
  c = c or unknown(target, name)
  if c.lane ~= NONE then lane = c.lane end
  local l = lane_of(lane)
  if #l.line / 16 + 1 > MOST_TOLD or #c.told / 16 + 1 > MOST_TOLD then return {'full', ''} end

  if name ~= '' and not entry then put('k', name, target) end
  local state = c.made ~= NONE and 'pending' or 'waiting'
  local customer = c.customer ~= '' and 1 or 0
  local d = create(target, customer, id, this, account, lane, tail, due, expires, state)
  c.told = c.told .. id
  if state == 'pending' then
    enter(l, account, d)
    put_lane(l)
  end
  save(d)
  put_conversion(c)
  if name ~= '' and not entry then ask('APPEND', key('of', lane), target) end
  return {'new', target}
end
