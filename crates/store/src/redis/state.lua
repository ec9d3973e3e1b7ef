-- All that the log says of itself. KEYS: log, cut-offs, primaries.
return {redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('HKEYS', KEYS[3])}
