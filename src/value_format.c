/*
 * value_format.c - canonical values in MariaDB's words.
 *
 * For targets that hold a value as text, and for messages.
 */
#include "postgres.h"

/* for AF_INET */
#include <sys/socket.h>

#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/inet.h"
#include "utils/uuid.h"

#include "value.h"

static int
format_fraction(char *buf, int fsp, int32 usec)
{
	char		digits[8];

	if (fsp == 0)
		return 0;
	snprintf(digits, sizeof(digits), ".%06d", usec);
	memcpy(buf, digits, 1 + fsp);
	return 1 + fsp;
}

static int
format_date(char *buf, const MsTimeFields *t)
{
	return snprintf(buf, MS_MAX_FORMATTED, "%04d-%02d-%02d", t->year, t->month,
					t->day);
}

static int
format_datetime(char *buf, int fsp, const MsTimeFields *t)
{
	int			len = snprintf(buf, MS_MAX_FORMATTED,
							   "%04d-%02d-%02d %02d:%02d:%02d",
							   t->year, t->month, t->day,
							   t->hour, t->minute, t->second);

	return len + format_fraction(buf + len, fsp, t->usec);
}

static int
format_timestamp(char *buf, int fsp, int64 unix_usec)
{
	MsTimeFields t;
	int64		days;
	int64		usec;

	memset(&t, 0, sizeof(t));
	if (unix_usec != MS_TIMESTAMP_ZERO)
	{
		days = unix_usec / USECS_PER_DAY;
		usec = unix_usec % USECS_PER_DAY;
		if (usec < 0)
		{
			days--;
			usec += USECS_PER_DAY;
		}
		j2date(days + UNIX_EPOCH_JDATE, &t.year, &t.month, &t.day);
		t.hour = usec / USECS_PER_HOUR;
		t.minute = usec / USECS_PER_MINUTE % MINS_PER_HOUR;
		t.second = usec / USECS_PER_SEC % SECS_PER_MINUTE;
		t.usec = usec % USECS_PER_SEC;
	}
	return format_datetime(buf, fsp, &t);
}

static int
format_time(char *buf, int fsp, const MsTimeFields *t)
{
	int			len = snprintf(buf, MS_MAX_FORMATTED, "%s%02d:%02d:%02d",
							   t->neg ? "-" : "", t->hour, t->minute,
							   t->second);

	return len + format_fraction(buf + len, fsp, t->usec);
}

/* The low n bits of big-endian bytes, as zeros and ones. */
static int
format_bit(char *buf, uint32 nbits, const uint8 *data)
{
	uint32		skip = ((nbits + 7) / 8) * 8 - nbits;

	for (uint32 i = 0; i < nbits; i++)
	{
		uint32		bit = i + skip;

		buf[i] = (data[bit / 8] >> (7 - bit % 8)) & 1 ? '1' : '0';
	}
	return nbits;
}

static int
format_uuid(char *buf, const uint8 *data)
{
	char	   *out = buf;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		out += sprintf(out, "%02x", data[i]);
	}
	return out - buf;
}

/*
 * Print a value as MariaDB does, but floating-point numbers in the shortest
 * form that is exact.  Writes up to MS_MAX_FORMATTED bytes into buf and no
 * NUL, and returns how many.  Not for the kinds that ms_value_has_format()
 * excludes.
 */
int
ms_value_format(const MsColumn *col, const MsValue *v, char *buf)
{
	switch (col->kind)
	{
		case MS_KIND_INT:
			return pg_lltoa(v->i, buf);
		case MS_KIND_UINT:
			return pg_ulltoa_n(v->u, buf);
		case MS_KIND_FLOAT:
			return float_to_shortest_decimal_bufn((float) v->d, buf);
		case MS_KIND_DOUBLE:
			return double_to_shortest_decimal_bufn(v->d, buf);
		case MS_KIND_DECIMAL:
			memcpy(buf, v->s.data, v->s.len);
			return v->s.len;
		case MS_KIND_YEAR:
			if (col->length == 2)
				return snprintf(buf, MS_MAX_FORMATTED, "%02d",
								(int) (v->i % 100));
			return snprintf(buf, MS_MAX_FORMATTED, "%04d", (int) v->i);
		case MS_KIND_DATE:
			return format_date(buf, &v->t);
		case MS_KIND_DATETIME:
			return format_datetime(buf, col->fsp, &v->t);
		case MS_KIND_TIMESTAMP:
			return format_timestamp(buf, col->fsp, v->i);
		case MS_KIND_TIME:
			return format_time(buf, col->fsp, &v->t);
		case MS_KIND_BIT:
			return format_bit(buf, col->length, (const uint8 *) v->s.data);
		case MS_KIND_UUID:
			return format_uuid(buf, (const uint8 *) v->s.data);
		case MS_KIND_INET4:
			pg_inet_net_ntop(PGSQL_AF_INET, v->s.data, 32, buf,
							 MS_MAX_FORMATTED);
			return strlen(buf);
		case MS_KIND_INET6:
			pg_inet_net_ntop(PGSQL_AF_INET6, v->s.data, 128, buf,
							 MS_MAX_FORMATTED);
			return strlen(buf);
		default:
			elog(ERROR, "no text form of kind %d", col->kind);
	}
	return 0;
}

/*
 * Is a kind one that ms_value_format() prints?  The others are strings of any
 * length or have no text form that is the same everywhere.
 */
bool
ms_value_has_format(MsKind kind)
{
	switch (kind)
	{
		case MS_KIND_TEXT:
		case MS_KIND_BYTES:
		case MS_KIND_ENUM:
		case MS_KIND_SET:
		case MS_KIND_JSON:
		case MS_KIND_GEOMETRY:
		case MS_KIND_VECTOR:
			return false;
		default:
			return true;
	}
}
