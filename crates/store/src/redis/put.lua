-- Compares and sets a small record. KEYS: log, the records of its kind. ARGV: its name, the version seen or
-- nothing, the value, which begins with its version.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
local record = redis.call('HGET', KEYS[2], ARGV[1])
if (record and string.sub(record, 1, 8) or '') ~= ARGV[2] then return {'raced'} end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return {'done'}
