-- Spends what can be spent once. KEYS: version, the thing, index.
-- ARGV: now, until when, its digest, the value (which begins with until when), for how many milliseconds
-- the key may stay at most: the broom behind the sweep.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
local spent = redis.call('GET', KEYS[2])
if spent and tonumber(ARGV[1]) < struct.unpack('>I8', spent) then return {'spent', spent} end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[3])
return {'done'}
