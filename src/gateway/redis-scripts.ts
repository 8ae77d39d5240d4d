/**
 * What Redis does for the gateway, each in one atomic script. A key is a hash with state, token, fingerprint, lease, reason and answer; leases are
 * in Redis' own time. Before a script does anything it makes sure that Redis still has what it acknowledged: the epoch is the one that this gateway
 * knows, nobody has called it lost, and the count of this gateway's own writes has not gone back.
 *
 * KEYS: the key, the epoch, the counts. ARGV 1 to 3: epoch, last acknowledged count, this gateway.
 */

const guard = `
local epoch = redis.call('HMGET', KEYS[2], 'id', 'lost')
if epoch[1] ~= ARGV[1] or epoch[2] then return {'lost', epoch[2] or ''} end
if tonumber(redis.call('HGET', KEYS[3], ARGV[3]) or '0') < tonumber(ARGV[2]) then return {'lost', 'its last writes are gone'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function written(word)
  return {word, tostring(redis.call('HINCRBY', KEYS[3], ARGV[3], 1))}
end
`;

/** ARGV 4 to 8: token, fingerprint, lease, ttl, retake. Gives `yours count`, `under-way fingerprint`, `unknown fingerprint reason`, or `done fingerprint reason answer`. */
export const claimScript = `${guard}
local key = redis.call('HMGET', KEYS[1], 'state', 'token', 'fingerprint', 'lease', 'reason')
local state = key[1]
local retake = ARGV[8] == '1' and key[3] == ARGV[5]
if state == 'claimed' then
  if tonumber(key[4]) > now and key[2] ~= ARGV[4] then return {'under-way', key[3]} end
elseif state == 'sent' then
  if tonumber(key[4]) > now then return {'under-way', key[3]} end
  if not retake then return {'unknown', key[3], 'crashed'} end
elseif state == 'unknown' then
  if not retake then return {'unknown', key[3], key[5]} end
elseif state == 'done' then
  return {'done', key[3], key[5], redis.call('HGET', KEYS[1], 'answer') or ''}
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', 'claimed', 'token', ARGV[4], 'fingerprint', ARGV[5], 'lease', string.format('%.0f', now + ARGV[6]))
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return written('yours')
`;

/** ARGV 4 to 9: token, deed, milliseconds of lease, ttl, state, reason; 10: answer, if there is one. Gives `done count`, or `gone`. */
export const changeScript = `${guard}
local key = redis.call('HMGET', KEYS[1], 'state', 'token')
if key[2] ~= ARGV[4] then return {'gone'} end
local deed = ARGV[5]
if deed == 'release' then
  redis.call('DEL', KEYS[1])
elseif deed == 'settle' then
  if key[1] ~= 'sent' then return {'gone'} end
  redis.call('HDEL', KEYS[1], 'token', 'lease')
  redis.call('HSET', KEYS[1], 'state', ARGV[8], 'reason', ARGV[9])
  if ARGV[10] then redis.call('HSET', KEYS[1], 'answer', ARGV[10]) end
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
else
  redis.call('HSET', KEYS[1], 'lease', string.format('%.0f', now + ARGV[6]))
  if deed == 'send' then
    redis.call('HSET', KEYS[1], 'state', 'sent')
    redis.call('PEXPIRE', KEYS[1], ARGV[7])
  end
end
return written('done')
`;

/**
 * After each connection. KEYS: the epoch, the counts. ARGV: the epoch that this gateway knows or '', its last acknowledged count, itself, a new
 * epoch, Redis' run id, whether Redis keeps all it acknowledges, whether the operator trusts its restarts, whether the operator accepts a loss.
 * Gives `ready epoch`, or `lost why`.
 */
export const enterScript = `
local known, acknowledged, me, fresh, run, durable, trusted, accepted = unpack(ARGV)
local epoch = redis.call('HMGET', KEYS[1], 'id', 'lost', 'run', 'durable', 'accepted')
local id, problem = epoch[1], epoch[2]
if problem then
  -- It stays lost for all until somebody accepts it.
elseif not id then
  if known ~= '' then problem = 'its data is gone' end
elseif known ~= '' and known ~= id and epoch[5] ~= '1' then
  problem = 'its data was replaced'
elseif known == id and tonumber(redis.call('HGET', KEYS[2], me) or '0') < tonumber(acknowledged) then
  problem = 'its last writes are gone'
elseif epoch[3] ~= run and epoch[4] ~= '1' and trusted ~= '1' then
  problem = 'it was restarted, or another took its place, and it is not known to keep all that it acknowledges'
end
if problem then
  if accepted ~= '1' then
    redis.call('HSET', KEYS[1], 'lost', problem)
    return {'lost', problem}
  end
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'accepted', '1')
  id = nil
end
if not id then
  id = fresh
  redis.call('HSET', KEYS[1], 'id', id)
end
redis.call('HSET', KEYS[1], 'run', run, 'durable', durable)
return {'ready', id}
`;
