-- Makes old tokens known. KEYS: version, index, then the tokens. ARGV: of each its digest, until when, and
-- the value.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
for key = 3, #KEYS do
  local at = 3 * (key - 3) + 1
  if redis.call('SETNX', KEYS[key], ARGV[at + 2]) == 1 then
    redis.call('ZADD', KEYS[2], ARGV[at + 1], ARGV[at])
  end
end
return {'done'}
