-- Makes an empty store where there is none. KEYS: log, cut-offs, primaries.
-- ARGV: the version, the cut-offs, the schema, when it is made, then the primaries.
if redis.call('EXISTS', KEYS[1]) == 1 then return {'raced'} end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'head', '0', 'schema', ARGV[3], 'made', ARGV[4])
redis.call('SET', KEYS[2], ARGV[2])
for at = 5, #ARGV do redis.call('HSET', KEYS[3], ARGV[at], '1') end
return {'done'}
