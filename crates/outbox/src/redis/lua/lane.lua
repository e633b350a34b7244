-- The ids of a lane's conversions, one behind the other.
function steps.lane(id)
  return conversions_of(id)
end
