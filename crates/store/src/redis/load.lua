-- A session with its subject and the lane's version.
-- KEYS: version, session. ARGV: what subjects' keys begin with.
local now = redis.call('MGET', KEYS[1], KEYS[2])
if now[2] then
  now[3] = redis.call('GET', ARGV[1] .. string.sub(now[2], 11, 10 + string.byte(now[2], 10)))
end
return now
