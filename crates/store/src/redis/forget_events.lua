-- The oldest events leave, never the newest. KEYS: log, events.
-- ARGV: needed since, now, how many are kept at most and at least, how many are looked at.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
local length, limit = redis.call('XLEN', KEYS[2]), tonumber(ARGV[5])
local since, now = tonumber(ARGV[1]), tonumber(ARGV[2])
local most, least = tonumber(ARGV[3]), math.max(tonumber(ARGV[4]), 1)
local first, gone = '-', 0
while gone < limit do
  local part = redis.call('XRANGE', KEYS[2], first, '+', 'COUNT', 129)
  for at, event in ipairs(part) do
    first = event[1]
    local newer = length - gone - 1
    local needed = most <= newer and now or since
    if needed <= struct.unpack('>I8', event[2][2]) or newer < least or gone >= limit then
      if gone > 0 then redis.call('XTRIM', KEYS[2], 'MINID', '=', first) end
      return {'done', text(gone)}
    end
    if at < 129 then gone = gone + 1 end
  end
  if #part < 129 then break end
end
if gone > 0 then redis.call('XTRIM', KEYS[2], 'MINID', '=', first) end
return {'done', text(gone)}
