-- Opens a store epoch. Its positions begin above any that was ever given out.
-- KEYS: log, cut-offs, primaries. ARGV: the version seen, the new one, the cut-offs, the highest position
-- that is known, how many events were lost, positions of an epoch, how many primaries are remembered,
-- the version that it goes on from, then the primaries.
local log = redis.call('HMGET', KEYS[1], 'version', 'head')
if not log[1] then return {'gone'} end
if log[1] ~= ARGV[1] then return {'raced', log[1]} end
local head, span = math.max(tonumber(log[2]), tonumber(ARGV[4])), tonumber(ARGV[6])
local known = text(head)
head = (math.floor(head / span) + 1) * span
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'head', text(head), 'base', ARGV[8], 'known', known)
redis.call('HINCRBY', KEYS[1], 'lost', ARGV[5])
redis.call('SET', KEYS[2], ARGV[3])
if redis.call('HLEN', KEYS[3]) > tonumber(ARGV[7]) then redis.call('DEL', KEYS[3]) end
for at = 9, #ARGV do redis.call('HSET', KEYS[3], ARGV[at], '1') end
return {'done', text(head)}
