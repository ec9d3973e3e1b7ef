-- Counts events that were lost when a store epoch opened, and that whoever opened it had not heard of.
-- KEYS: log. ARGV: the version seen, up to where they were counted, up to where they were heard of,
-- how many that are.
local log = redis.call('HMGET', KEYS[1], 'version', 'known')
if not log[1] then return {'gone'} end
if log[1] ~= ARGV[1] or log[2] ~= ARGV[2] then return {'raced', log[1]} end
redis.call('HINCRBY', KEYS[1], 'lost', ARGV[4])
redis.call('HSET', KEYS[1], 'known', ARGV[3])
return {'done'}
