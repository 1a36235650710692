#include "relay/redis_script.h"

/*
 * A pairing is a hash: o and j the rosters of its creator and its joiner, s whether it is sealed, t the token, k
 * and m what is kept of the two keys (m is there once it is joined), f of the creator's network, e when plain
 * requests stop finding it, r whether it was read. Redis deletes it when it ends.
 *
 * That it was there must not be forgotten when it does, or what is counted would be: each pairing is a member, scored
 * with its end, of one of two sorted sets. A member begins with the bytes that it holds.
 */
const char redis_script[] =
	"local pairing, open, again, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]\n"
	"local time = redis.call('TIME')\n"
	"local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
	/* STORE_AGAIN. What is counted goes when no pairing can be left: the longest time to live is a day. */
	"local AGAIN, FORGOTTEN, SOME = 60000, 2 * 86400000, 100\n"
	"local expired = 0\n"

	/* What is no hash, under a name that is ours, is no pairing. */
	"local function fields(...)\n"
	"	local is = redis.pcall('HMGET', pairing, ...)\n"
	"	if is.err and string.find(is.err, 'WRONGTYPE', 1, true) then\n"
	"		return {}\n"
	"	end\n"
	"	return is.err and redis.call('HMGET', pairing, ...) or is\n"
	"end\n"

	"local function answer(status, text)\n"
	"	return status .. ' ' .. expired .. '\\n' .. (text or '')\n"
	"end\n"

	/* However long it takes, it tells nothing of what b begins with. */
	"local function same(a, b)\n"
	"	return redis.sha1hex(a) == redis.sha1hex(b)\n"
	"end\n"

	"local function member(size, token)\n"
	"	return size .. ' ' .. pairing .. ' ' .. string.sub(token, 1, 16)\n"
	"end\n"

	"local function remove(set, one)\n"
	"	if redis.call('ZREM', set, one) == 1 then\n"
	"		redis.call('DECRBY', bytes, string.match(one, '^%d+'))\n"
	"	end\n"
	"end\n"

	/* Redis keeps a key through the millisecond that it is told. */
	"local function add(set, size, token, ends)\n"
	"	redis.call('ZADD', set, ends, member(size, token))\n"
	"	redis.call('INCRBY', bytes, size)\n"
	"	redis.call('PEXPIREAT', pairing, ends - 1)\n"
	"	for _, key in ipairs({open, again, bytes}) do\n"
	"		redis.call('PEXPIRE', key, FORGOTTEN)\n"
	"	end\n"
	"end\n"

	/* Some of what has ended; as many come to an end as were created, so that all are found in time. */
	"local function trim(set)\n"
	"	local ended = redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, SOME)\n"
	"	for _, one in ipairs(ended) do\n"
	"		remove(set, one)\n"
	"	end\n"
	"	return #ended\n"
	"end\n"

	"local function trim_all()\n"
	"	local some = trim(open)\n"
	"	expired = expired + some\n"
	"	some = some + trim(again)\n"
	"	if redis.call('EXISTS', open, again) == 0 then\n"
	"		redis.call('DEL', bytes)\n"
	"	end\n"
	"	return some\n"
	"end\n"

	"local function count(set)\n"
	"	return redis.call('ZCOUNT', set, '(' .. string.format('%.0f', now), '+inf')\n"
	"end\n"

	/* Gives up the oldest that is kept for repetitions alone. */
	"local function give_up()\n"
	"	local one = redis.call('ZRANGE', again, 0, 0)[1]\n"
	"	if not one then\n"
	"		return false\n"
	"	end\n"
	"	remove(again, one)\n"
	"	local key, token = string.match(one, ' (%S+) (%x+)$')\n"
	"	local is = redis.call('HGET', key, 't')\n"
	"	if is and string.sub(is, 1, 16) == token then\n"
	"		redis.call('DEL', key)\n"
	"	end\n"
	"	return true\n"
	"end\n"

	"local function make_room(size, max)\n"
	"	if size > max then\n"
	"		return false\n"
	"	end\n"
	"	while tonumber(redis.call('GET', bytes) or 0) > max - size do\n"
	"		if trim_all() == 0 and not give_up() then\n"
	"			return false\n"
	"		end\n"
	"	end\n"
	"	return true\n"
	"end\n"

	"local step = {}\n"

	/* "made": it is new. "drawn": the code that was drawn is in use. */
	"function step.create(ours, sealed, proposed, token, key, from, ttl, most, max, may)\n"
	"	local is = fields('k', 'o', 't')\n"
	/* Nor is it replaced. */
	"	local used = is[3] or redis.call('EXISTS', pairing) == 1\n"
	"	if used and proposed == '0' then\n"
	"		return answer('drawn')\n"
	"	elseif is[3] and key ~= '' and is[1] == key and is[2] == ours then\n"
	"		return answer('ok', is[3])\n"
	"	elseif used then\n"
	"		return answer('taken')\n"
	"	end\n"
	"	trim_all()\n"
	"	if count(open) >= tonumber(most) then\n"
	"		return answer('full')\n"
	"	elseif not make_room(#ours, tonumber(max)) then\n"
	"		return answer('memory')\n"
	"	elseif may == '0' then\n"
	"		return answer('many')\n"
	"	end\n"
	"	local ends = now + tonumber(ttl)\n"
	"	redis.call('HSET', pairing, 'o', ours, 's', sealed, 't', token, 'k', key, 'f', "
	"from,\n"
	"		'e', string.format('%.0f', ends))\n"
	"	add(open, #ours, token, ends)\n"
	"	return answer('made', token)\n"
	"end\n"

	"function step.owns(has, token, from)\n"
	"	local is = fields('t', 'f')\n"
	"	local own = is[1] and has == '1' and same(is[1], token) or has == '0' and is[2] == "
	"from\n"
	"	return answer(own and 'ok' or 'gone')\n"
	"end\n"

	"function step.joinable(key)\n"
	"	local is = fields('t', 'm')\n"
	"	local can = is[1] and (not is[2] or key ~= '' and is[2] == key)\n"
	"	return answer(can and 'ok' or 'gone')\n"
	"end\n"

	/* "joined": just now. */
	"function step.join(theirs, sealed, key, max)\n"
	"	local is = fields('t', 'o', 's', 'm', 'j', 'e')\n"
	"	if not is[1] then\n"
	"		return answer('gone')\n"
	"	elseif is[4] then\n"
	"		local repeats = key ~= '' and is[4] == key and is[5] == theirs\n"
	"		return answer(repeats and 'ok' or 'gone', repeats and is[2])\n"
	"	elseif is[3] ~= sealed then\n"
	"		return answer(is[3] == '1' and 'sealed' or 'plain')\n"
	"	end\n"
	"	trim_all()\n"
	"	if not make_room(#theirs, tonumber(max)) then\n"
	"		return answer('memory')\n"
	"	end\n"
	"	redis.call('HSET', pairing, 'j', theirs, 'm', key)\n"
	"	remove(open, member(#is[2], is[1]))\n"
	"	add(open, #is[2] + #theirs, is[1], math.max(tonumber(is[6]), now + AGAIN))\n"
	"	return answer('joined', is[2])\n"
	"end\n"

	/* "used": it was read for the first time. */
	"function step.read(has, token, most)\n"
	"	local is = fields('t', 'm', 'r', 'e')\n"
	"	if not is[1] or has == '1' and not same(is[1], token) then\n"
	"		return answer('gone')\n"
	"	elseif has == '0' and (is[3] or tonumber(is[4]) <= now) then\n"
	"		return answer('gone')\n"
	"	elseif not is[2] then\n"
	"		return answer('waiting')\n"
	"	end\n"
	"	local both = redis.call('HMGET', pairing, 'o', 'j')\n"
	"	if is[3] then\n"
	"		return answer('ok', both[2])\n"
	"	end\n"
	"	trim_all()\n"
	"	if count(again) >= tonumber(most) then\n"
	"		give_up()\n"
	"	end\n"
	"	local size = #both[1] + #both[2]\n"
	"	redis.call('HSET', pairing, 'r', '1')\n"
	"	remove(open, member(size, is[1]))\n"
	"	redis.call('HDEL', pairing, 'f')\n"
	"	add(again, size, is[1], now + AGAIN)\n"
	"	return answer('used', both[2])\n"
	"end\n"

	/* Whether what is written would be kept, and what is there is ours. */
	"function step.probe()\n"
	"	redis.call('SET', KEYS[5], '1', 'PX', AGAIN)\n"
	"	redis.call('ZCARD', open)\n"
	"	redis.call('ZCARD', again)\n"
	"	redis.call('GET', bytes)\n"
	"	return answer('ok')\n"
	"end\n"

	"function step.stats()\n"
	"	trim_all()\n"
	"	return answer('ok', count(open) .. ' ' .. count(again) .. ' ' .. "
	"(redis.call('GET', bytes) or 0))\n"
	"end\n"

	"return step[ARGV[1]](unpack(ARGV, 2))\n";
