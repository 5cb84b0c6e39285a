"""The script of a write, in Lua as Redis runs it.

KEYS: the keys, then the ledger. ARGV: mode, type, run, rows; then for each key how many fields are set and name and
value of each, how many are taken away and their names, and the moment it expires (-1: as it is, or never).
"""

from __future__ import annotations

WRITE = """
local last = #KEYS
local ledger, mode, kind, run = KEYS[last], ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('TYPE', ledger)['ok']
if held ~= 'none' and held ~= 'hash' then return {'type', ledger, held} end
if redis.call('HEXISTS', ledger, run) == 1 then return {'done'} end

local function lacks(command, key, ...)
    return redis.acl_check_cmd and not redis.acl_check_cmd(command, key, ...)
end
if lacks('HSET', ledger, 'f', 'v') then return {'right', 'HSET', ledger} end

-- Whatever could be refused is looked at before the first write: a script that fails halfway is not undone.
local at = 5
for i = 1, last - 1 do
    local key = KEYS[i]
    local found = redis.call('TYPE', key)['ok']
    if found ~= 'none' and found ~= kind then return {'type', key, found} end
    if found ~= 'none' and mode == 'append' then return {'exists', key} end
    local put = tonumber(ARGV[at])
    local gone_at = at + 1 + 2 * put
    local gone = tonumber(ARGV[gone_at])
    local expires = ARGV[gone_at + 1 + gone]
    if kind == 'string' and lacks('SET', key, 'v') then return {'right', 'SET', key} end
    if kind == 'hash' and put > 0 and lacks('HSET', key, 'f', 'v') then return {'right', 'HSET', key} end
    if gone > 0 and lacks('HDEL', key, 'f') then return {'right', 'HDEL', key} end
    if expires ~= '-1' and lacks('PEXPIREAT', key, '1') then return {'right', 'PEXPIREAT', key} end
    at = gone_at + gone + 2
end

at = 5
for i = 1, last - 1 do
    local key = KEYS[i]
    local put = tonumber(ARGV[at])
    for p = at + 1, at + 2 * put, 2 do
        if kind == 'string' then
            -- As it is: SET alone would make what expires stay for ever.
            redis.call('SET', key, ARGV[p + 1], 'KEEPTTL')
        else
            redis.call('HSET', key, ARGV[p], ARGV[p + 1])
        end
    end
    local gone_at = at + 1 + 2 * put
    local gone = tonumber(ARGV[gone_at])
    for p = gone_at + 1, gone_at + gone do redis.call('HDEL', key, ARGV[p]) end
    local expires = ARGV[gone_at + 1 + gone]
    if expires ~= '-1' then redis.call('PEXPIREAT', key, expires) end
    at = gone_at + gone + 2
end
redis.call('HSET', ledger, run, ARGV[4])
return {'written'}
"""
