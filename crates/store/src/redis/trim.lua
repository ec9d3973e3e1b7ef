-- What was moved leaves the outbox, but for the newest. KEYS: outbox. ARGV: the last number to leave, how
-- many entries at most.
for _ = 1, tonumber(ARGV[2]) do
  local entry = redis.call('LINDEX', KEYS[1], 0)
  if not entry or struct.unpack('>I8', entry) > tonumber(ARGV[1]) then return {'done'} end
  redis.call('LPOP', KEYS[1])
end
return {'done'}
