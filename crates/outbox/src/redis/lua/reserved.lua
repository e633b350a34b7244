-- What a request was resolved to; nothing where that is not kept.
function steps.reserved(name)
  local kept = get('r', name)
  return kept and struct.unpack('<d', kept) > now and sub(kept, 9)
end
