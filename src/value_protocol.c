/*
 * value_protocol.c - readers of the binary client protocol.
 *
 * Owns how a row of a prepared statement's result lays out each type, given
 * the SELECT list of ms_typemap_select_expression() and a session with
 * "SET NAMES binary" and time_zone '+00:00'.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/datetime.h"

#include "value_read.h"

static const uint8 *
read_year_protocol(const MsColumn *col, const uint8 *p, const uint8 *end,
				   MsValue *v)
{
	if (!has_bytes(p, end, 2))
		return NULL;
	v->i = (int64) get_le(p, 2);
	return p + 2;
}

/*
 * The binary client protocol.  What is not a number or temporal is a string
 * behind a length of one, three, four or nine bytes.
 */
static inline const uint8 *
read_lenenc(const uint8 *p, const uint8 *end, MsValue *v)
{
	uint64		len;
	int			size;

	if (!has_bytes(p, end, 1))
		return NULL;
	len = *p++;
	if (len > 250)
	{
		if (len == 251 || len == 255)
			return NULL;
		size = len == 254 ? 8 : (int) len - 250;
		if (!has_bytes(p, end, size))
			return NULL;
		len = get_le(p, size);
		p += size;
	}
	if (len > PG_UINT32_MAX || !has_bytes(p, end, len))
		return NULL;
	v->s.data = (const char *) p;
	v->s.len = len;
	return p + len;
}

static const uint8 *
read_string_protocol(const MsColumn *col, const uint8 *p, const uint8 *end,
					 MsValue *v)
{
	return read_lenenc(p, end, v);
}

/* Kinds whose size the column's definition fixes; padding is there already. */
static const uint8 *
read_fixed_protocol(const MsColumn *col, const uint8 *p, const uint8 *end,
					MsValue *v)
{
	uint32		size = col->length;

	switch (col->kind)
	{
		case MS_KIND_BIT:
			size = (col->length + 7) / 8;
			break;
		case MS_KIND_INET4:
			size = 4;
			break;
		case MS_KIND_UUID:
		case MS_KIND_INET6:
			size = 16;
			break;
		default:
			break;
	}
	p = read_lenenc(p, end, v);
	return p && v->s.len == size ? p : NULL;
}

/*
 * A decimal in text, brought to the form that the row image gives: no leading
 * zeros, which ZEROFILL sends, but for the one before the point.  There are as
 * many digits behind it as the column has, and no more before it.
 */
static const uint8 *
read_decimal_protocol(const MsColumn *col, const uint8 *p, const uint8 *end,
					  MsValue *v)
{
	uint32		fraction = col->scale > 0 ? col->scale + 1 : 0;
	const char *in;
	const char *in_end;
	const char *point;
	char	   *out = v->scratch;

	p = read_lenenc(p, end, v);
	if (p == NULL || v->s.len <= fraction)
		return NULL;
	in = v->s.data;
	in_end = in + v->s.len;
	point = in_end - fraction;
	if (*in == '-')
		*out++ = *in++;
	while (in < point - 1 && *in == '0')
		in++;
	if (in == point || point - in > Max(col->precision - col->scale, 1) ||
		(fraction > 0 && *point != '.'))
		return NULL;
	for (; in < in_end; in++)
	{
		if ((*in < '0' || *in > '9') && in != point)
			return NULL;
		*out++ = *in;
	}
	*out = '\0';
	v->s.data = v->scratch;
	v->s.len = out - v->scratch;
	return p;
}

/*
 * DATE and DATETIME: a length, then as many fields as are not zero.
 */
static const uint8 *
read_datetime_protocol(const MsColumn *col, const uint8 *p, const uint8 *end,
					   MsValue *v)
{
	uint8		len;

	if (!has_bytes(p, end, 1))
		return NULL;
	len = *p++;
	if ((len != 0 && len != 4 && len != 7 && len != 11) ||
		!has_bytes(p, end, len))
		return NULL;
	memset(&v->t, 0, sizeof(v->t));
	if (len >= 4)
	{
		v->t.year = get_le(p, 2);
		v->t.month = p[2];
		v->t.day = p[3];
	}
	if (len >= 7)
	{
		v->t.hour = p[4];
		v->t.minute = p[5];
		v->t.second = p[6];
	}
	if (len == 11)
		v->t.usec = get_le(p + 7, 4);
	if (v->t.hour > 23 || v->t.minute > 59 || v->t.second > 59 ||
		v->t.usec < 0 || v->t.usec >= USECS_PER_SEC)
		return NULL;
	return p + len;
}

/*
 * A TIMESTAMP comes in the session's time zone, which is UTC.
 */
static const uint8 *
read_timestamp_protocol(const MsColumn *col, const uint8 *p,
						const uint8 *end, MsValue *v)
{
	MsTimeFields t;

	p = read_datetime_protocol(col, p, end, v);
	if (p == NULL)
		return NULL;
	t = v->t;
	if (t.year == 0)
		v->i = MS_TIMESTAMP_ZERO;
	else if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31)
		return NULL;
	else
		v->i = (int64) (date2j(t.year, t.month, t.day) - UNIX_EPOCH_JDATE) *
			USECS_PER_DAY +
			((t.hour * 60 + t.minute) * 60 + t.second) * USECS_PER_SEC +
			t.usec;
	return p;
}

static const uint8 *
read_time_protocol(const MsColumn *col, const uint8 *p, const uint8 *end,
				   MsValue *v)
{
	uint8		len;

	if (!has_bytes(p, end, 1))
		return NULL;
	len = *p++;
	if ((len != 0 && len != 8 && len != 12) || !has_bytes(p, end, len))
		return NULL;
	memset(&v->t, 0, sizeof(v->t));
	if (len > 0 &&
		!ms_set_time(v, p[0] != 0, get_le(p + 1, 4) * HOURS_PER_DAY + p[5], p[6],
					 p[7], len == 12 ? (int32) get_le(p + 8, 4) : 0))
		return NULL;
	if (v->t.usec >= USECS_PER_SEC)
		return NULL;
	return p + len;
}

/*
 * Choose how the column's values are read from rows of the binary client
 * protocol, which must come from ms_typemap_select_expression().
 */
void
ms_value_bind_protocol(MsColumn *col)
{
	bool		is_signed = col->kind == MS_KIND_INT;

	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
			if (col->int_width == 1)
				col->read_protocol = is_signed ? ms_read_int8 : ms_read_uint8;
			else if (col->int_width == 2)
				col->read_protocol = is_signed ? ms_read_int16 : ms_read_uint16;
			else if (col->int_width <= 4)
				col->read_protocol = is_signed ? ms_read_int32 : ms_read_uint32;
			else
				col->read_protocol = is_signed ? ms_read_int64 : ms_read_uint64;
			break;
		case MS_KIND_FLOAT:
			col->read_protocol = ms_read_float;
			break;
		case MS_KIND_DOUBLE:
			col->read_protocol = ms_read_double;
			break;
		case MS_KIND_DECIMAL:
			col->read_protocol = read_decimal_protocol;
			break;
		case MS_KIND_YEAR:
			/* YEAR(2) is selected as BIGINT UNSIGNED, see typemap.c */
			col->read_protocol = col->length == 2 ? ms_read_uint64 :
				read_year_protocol;
			break;
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
			col->read_protocol = read_datetime_protocol;
			break;
		case MS_KIND_TIMESTAMP:
			col->read_protocol = read_timestamp_protocol;
			break;
		case MS_KIND_TIME:
			col->read_protocol = read_time_protocol;
			break;
		case MS_KIND_ENUM:
		case MS_KIND_SET:
			/* selected as BIGINT UNSIGNED */
			col->read_protocol = ms_read_uint64;
			break;
		case MS_KIND_BIT:
		case MS_KIND_UUID:
		case MS_KIND_INET4:
		case MS_KIND_INET6:
			col->read_protocol = read_fixed_protocol;
			break;
		case MS_KIND_BYTES:
			col->read_protocol = col->length > 0 ? read_fixed_protocol :
				read_string_protocol;
			break;
		case MS_KIND_TEXT:
		case MS_KIND_JSON:
		case MS_KIND_GEOMETRY:
		case MS_KIND_VECTOR:
			col->read_protocol = read_string_protocol;
			break;
	}
}
