/*
 * value_read.h - what the readers of both dialects share.  Internal to
 * value.c, value_image.c and value_protocol.c.
 */
#ifndef MS_VALUE_READ_H
#define MS_VALUE_READ_H

#include "value.h"

/*
 * Little-endian and big-endian integers of 1 to 8 bytes.  The callers' sizes
 * are mostly constants, which makes these single loads.
 */
static inline uint64
get_le(const uint8 *p, int size)
{
	uint64		n = 0;

	for (int i = size - 1; i >= 0; i--)
		n = n << 8 | p[i];
	return n;
}

static inline uint64
get_be(const uint8 *p, int size)
{
	uint64		n = 0;

	for (int i = 0; i < size; i++)
		n = n << 8 | p[i];
	return n;
}

static inline bool
has_bytes(const uint8 *p, const uint8 *end, uint64 size)
{
	return (uint64) (end - p) >= size;
}

/* numbers, which both dialects send little-endian */
#define DECLARE_READER(name) \
	extern const uint8 *name(const MsColumn *col, const uint8 *p, \
							 const uint8 *end, MsValue *v)

DECLARE_READER(ms_read_int8);
DECLARE_READER(ms_read_uint8);
DECLARE_READER(ms_read_int16);
DECLARE_READER(ms_read_uint16);
DECLARE_READER(ms_read_int24);
DECLARE_READER(ms_read_uint24);
DECLARE_READER(ms_read_int32);
DECLARE_READER(ms_read_uint32);
DECLARE_READER(ms_read_int64);
DECLARE_READER(ms_read_uint64);
DECLARE_READER(ms_read_float);
DECLARE_READER(ms_read_double);

extern bool ms_set_time(MsValue *v, bool neg, uint64 hour, uint64 minute,
						uint64 second, int32 usec);

#endif							/* MS_VALUE_READ_H */
