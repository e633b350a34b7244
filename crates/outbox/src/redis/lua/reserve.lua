-- Keeps what a request was resolved to, unless something is kept; returns what is.
function steps.reserve(name, ends, mine)
  local r = key('r', name)
  local kept = call('GET', r)
  if kept and struct.unpack('<d', kept) > now then return sub(kept, 9) end
  call('SET', r, struct.pack('<d', ends) .. mine)
  call('ZADD', key('reserved'), ends, name)
  return mine
end
