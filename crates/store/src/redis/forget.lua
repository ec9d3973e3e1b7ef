-- Spent things and old tokens that have expired leave a lane. KEYS: index of spent things, of old tokens.
-- ARGV: now, how many at most, what the keys of the one and the other begin with.
local gone = 0
for at = 1, 2 do
  local digests = redis.call('ZRANGEBYSCORE', KEYS[at], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
  for _, digest in ipairs(digests) do
    redis.call('DEL', ARGV[2 + at] .. digest)
    redis.call('ZREM', KEYS[at], digest)
  end
  gone = gone + #digests
end
return {'done', text(gone)}
