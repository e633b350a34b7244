-- Keeps what a request was resolved to, unless something is kept; returns what is.
function steps.reserve(name, ends, mine)
  local kept = get('r', name)
  if kept and struct.unpack('<d', kept) > now then return sub(kept, 9) end
  put('r', name, struct.pack('<d', ends) .. mine)
  place(only('reserved'), name, ends)
  return mine
end
