/*
 * value_image.c - readers of the binlog's row image.
 *
 * Owns how the row image lays out each type, in all formats that MariaDB has
 * written so far, and the check that a table map's type agrees with the
 * recorded column.
 *
 * No reader allocates, with one exception: a compressed column is inflated
 * into CurrentMemoryContext.
 */
#include "postgres.h"

#include <zlib.h>

#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "value_read.h"

/* type bytes of the table map and of the client protocol */
#define TYPE_TINY				1
#define TYPE_SHORT				2
#define TYPE_LONG				3
#define TYPE_FLOAT				4
#define TYPE_DOUBLE				5
#define TYPE_TIMESTAMP			7
#define TYPE_LONGLONG			8
#define TYPE_INT24				9
#define TYPE_DATE				10
#define TYPE_TIME				11
#define TYPE_DATETIME			12
#define TYPE_YEAR				13
#define TYPE_VARCHAR			15
#define TYPE_BIT				16
#define TYPE_TIMESTAMP2			17
#define TYPE_DATETIME2			18
#define TYPE_TIME2				19
#define TYPE_BLOB_COMPRESSED	140
#define TYPE_VARCHAR_COMPRESSED 141
#define TYPE_NEWDECIMAL			246
#define TYPE_ENUM				247
#define TYPE_SET				248
#define TYPE_BLOB				252
#define TYPE_VAR_STRING			253
#define TYPE_STRING				254
#define TYPE_GEOMETRY			255

#define DECIMAL_MAX_PRECISION	65
#define DECIMAL_MAX_SCALE		38
#define DIGITS_PER_GROUP		9

/* the longest TIME, 838:59:59 */
#define TIME_MAX_SECONDS		3020399

/* the best that deflate can do is 1032 bytes out of one */
#define INFLATE_MAX_RATIO		1032

static const uint32 powers_of_10[] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
};

/* bytes that 0..9 leftover digits of a DECIMAL take */
static const uint8 decimal_bytes[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

static const uint8 *
read_year_image(const MsColumn *col, const uint8 *p, const uint8 *end,
				MsValue *v)
{
	if (!has_bytes(p, end, 1))
		return NULL;
	v->i = *p ? 1900 + *p : 0;
	return p + 1;
}

/*
 * Bytes of a DECIMAL(precision, scale) in a row image.
 */
static int
decimal_size(int precision, int scale)
{
	int			intg = precision - scale;

	return intg / DIGITS_PER_GROUP * 4 + decimal_bytes[intg % DIGITS_PER_GROUP] +
		scale / DIGITS_PER_GROUP * 4 + decimal_bytes[scale % DIGITS_PER_GROUP];
}

/*
 * Append the next group of digits as text, with all its leading zeros when
 * pad is set and as little as possible, maybe nothing, otherwise.  Returns
 * false for a group that has more digits than it should.
 */
static inline bool
put_decimal_group(const uint8 **p, int digits, bool pad, char **out)
{
	int			size = decimal_bytes[digits];
	uint32		n = (uint32) get_be(*p, size);

	if (n >= powers_of_10[digits])
		return false;
	if (pad)
		*out = pg_ultostr_zeropad(*out, n, digits);
	else if (n != 0)
		*out += pg_ultoa_n(n, *out);
	*p += size;
	return true;
}

/*
 * Groups of nine digits in four bytes, the leftover digits of the integer part
 * first and those of the fraction last.  The sign bit is inverted, and a
 * negative number has all its bits complemented.
 */
static const uint8 *
read_decimal_image(const MsColumn *col, const uint8 *p, const uint8 *end,
				   MsValue *v)
{
	int			scale = col->wire_meta >> 8;
	int			intg = (col->wire_meta & 0xff) - scale;
	uint8		digits[32];
	const uint8 *d = digits;
	uint8		flip;
	char	   *out = v->scratch;
	char	   *first;

	if (!has_bytes(p, end, col->wire_size))
		return NULL;
	flip = (p[0] & 0x80) ? 0 : 0xff;
	for (int i = 0; i < col->wire_size; i++)
		digits[i] = p[i] ^ flip;
	digits[0] ^= 0x80;

	if (flip)
		*out++ = '-';
	first = out;
	if (intg % DIGITS_PER_GROUP != 0 &&
		!put_decimal_group(&d, intg % DIGITS_PER_GROUP, false, &out))
		return NULL;
	for (int left = intg / DIGITS_PER_GROUP; left > 0; left--)
		if (!put_decimal_group(&d, DIGITS_PER_GROUP, out > first, &out))
			return NULL;
	if (out == first)
		*out++ = '0';
	if (scale > 0)
	{
		*out++ = '.';
		for (int left = scale / DIGITS_PER_GROUP; left > 0; left--)
			if (!put_decimal_group(&d, DIGITS_PER_GROUP, true, &out))
				return NULL;
		if (scale % DIGITS_PER_GROUP != 0 &&
			!put_decimal_group(&d, scale % DIGITS_PER_GROUP, true, &out))
			return NULL;
	}
	*out = '\0';
	v->s.data = v->scratch;
	v->s.len = out - v->scratch;
	return p + col->wire_size;
}

/*
 * Temporal types of the row image.
 */
static const uint8 *
read_date_image(const MsColumn *col, const uint8 *p, const uint8 *end,
				MsValue *v)
{
	uint32		n;

	if (!has_bytes(p, end, 3))
		return NULL;
	n = (uint32) get_le(p, 3);
	memset(&v->t, 0, sizeof(v->t));
	v->t.day = n & 31;
	v->t.month = (n >> 5) & 15;
	v->t.year = n >> 9;
	return p + 3;
}

/*
 * A fraction of one, two or three bytes counts hundredths, ten thousandths or
 * millionths.  Returns microseconds, or -1 when it makes a second or more.
 */
static inline int32
fraction_usec(uint32 fraction, int size)
{
	uint32		usec = fraction * powers_of_10[6 - 2 * size];

	return fraction < powers_of_10[2 * size] ? (int32) usec : -1;
}

static const uint8 *
read_timestamp2(const MsColumn *col, const uint8 *p, const uint8 *end,
				MsValue *v)
{
	int			size = col->wire_fraction;
	uint64		seconds;
	int32		usec;

	if (!has_bytes(p, end, 4 + size))
		return NULL;
	seconds = get_be(p, 4);
	usec = fraction_usec((uint32) get_be(p + 4, size), size);
	if (usec < 0)
		return NULL;
	if (seconds == 0 && usec == 0)
		v->i = MS_TIMESTAMP_ZERO;
	else
		v->i = seconds * USECS_PER_SEC + usec;
	return p + 4 + size;
}

static const uint8 *
read_datetime2(const MsColumn *col, const uint8 *p, const uint8 *end,
			   MsValue *v)
{
	int			size = col->wire_fraction;
	int64		n;

	if (!has_bytes(p, end, 5 + size))
		return NULL;
	n = (int64) get_be(p, 5) - INT64CONST(0x8000000000);
	if (n < 0)
		return NULL;
	v->t.year = (n >> 22) / 13;
	v->t.month = (n >> 22) % 13;
	v->t.day = (n >> 17) & 31;
	v->t.hour = (n >> 12) & 31;
	v->t.minute = (n >> 6) & 63;
	v->t.second = n & 63;
	v->t.usec = fraction_usec((uint32) get_be(p + 5, size), size);
	v->t.neg = false;
	if (v->t.hour > 23 || v->t.minute > 59 || v->t.second > 59 ||
		v->t.usec < 0)
		return NULL;
	return p + 5 + size;
}

/*
 * The sign belongs to seconds and fraction as one integer.
 */
static const uint8 *
read_time2(const MsColumn *col, const uint8 *p, const uint8 *end, MsValue *v)
{
	int			size = col->wire_fraction;
	int64		n;
	int64		whole;

	if (!has_bytes(p, end, 3 + size))
		return NULL;
	n = (int64) get_be(p, 3 + size) - (INT64CONST(0x800000) << (8 * size));
	whole = (n < 0 ? -n : n) >> (8 * size);
	if (whole >= INT64CONST(1) << 22 ||
		!ms_set_time(v, n < 0, whole >> 12, (whole >> 6) & 63, whole & 63,
					 fraction_usec((n < 0 ? -n : n) &
								   ((INT64CONST(1) << (8 * size)) - 1), size)))
		return NULL;
	return p + 3 + size;
}

/*
 * Temporal types in the formats before MariaDB 10.1.  The table map says
 * nothing of their precision, the recorded schema does.  With fractional
 * digits ("hires") they are big-endian integers in units of the last digit.
 */
static const uint8 *
read_old_timestamp(const MsColumn *col, const uint8 *p, const uint8 *end,
				   MsValue *v)
{
	uint64		seconds;
	uint32		fraction = 0;

	if (!has_bytes(p, end, col->wire_size))
		return NULL;
	if (col->fsp == 0)
		seconds = get_le(p, 4);
	else
	{
		seconds = get_be(p, 4);
		fraction = (uint32) get_be(p + 4, col->wire_fraction);
		if (fraction >= powers_of_10[col->fsp])
			return NULL;
	}
	if (seconds == 0 && fraction == 0)
		v->i = MS_TIMESTAMP_ZERO;
	else
		v->i = seconds * USECS_PER_SEC +
			fraction * powers_of_10[6 - col->fsp];
	return p + col->wire_size;
}

static const uint8 *
read_old_time(const MsColumn *col, const uint8 *p, const uint8 *end,
			  MsValue *v)
{
	int64		n;
	uint64		abs;

	if (!has_bytes(p, end, col->wire_size))
		return NULL;
	if (col->fsp == 0)
	{
		/* a decimal number HHMMSS */
		n = ((int64) get_le(p, 3) ^ 0x800000) - 0x800000;
		abs = n < 0 ? -n : n;
		if (!ms_set_time(v, n < 0, abs / 10000, abs / 100 % 100, abs % 100, 0))
			return NULL;
	}
	else
	{
		int64		unit = powers_of_10[col->fsp];

		n = (int64) get_be(p, col->wire_size) - (TIME_MAX_SECONDS + 1) * unit;
		abs = n < 0 ? -n : n;
		if (!ms_set_time(v, n < 0, abs / unit / 3600, abs / unit / 60 % 60,
						 abs / unit % 60,
						 abs % unit * powers_of_10[6 - col->fsp]))
			return NULL;
	}
	return p + col->wire_size;
}

static const uint8 *
read_old_datetime(const MsColumn *col, const uint8 *p, const uint8 *end,
				  MsValue *v)
{
	uint64		n;
	uint64		date;

	if (!has_bytes(p, end, col->wire_size))
		return NULL;
	memset(&v->t, 0, sizeof(v->t));
	if (col->fsp == 0)
	{
		/* a decimal number YYYYMMDDHHMMSS */
		n = get_le(p, 8);
		v->t.second = n % 100;
		v->t.minute = n / 100 % 100;
		v->t.hour = n / 10000 % 100;
		date = n / 1000000;
		v->t.day = date % 100;
		v->t.month = date / 100 % 100;
		date /= 10000;
	}
	else
	{
		n = get_be(p, col->wire_size);
		v->t.usec = n % powers_of_10[col->fsp] * powers_of_10[6 - col->fsp];
		n /= powers_of_10[col->fsp];
		v->t.second = n % 60;
		v->t.minute = n / 60 % 60;
		v->t.hour = n / 3600 % 24;
		date = n / SECS_PER_DAY;
		v->t.day = date % 32;
		v->t.month = date / 32 % 13;
		date /= 32 * 13;
	}
	if (date > 9999 || v->t.hour > 23 || v->t.minute > 59 || v->t.second > 59)
		return NULL;
	v->t.year = date;
	return p + col->wire_size;
}

/*
 * Strings of the row image: a length in wire_size bytes, then the bytes.
 */
static inline const uint8 *
read_prefixed(const MsColumn *col, const uint8 *p, const uint8 *end,
			  MsValue *v)
{
	uint32		len;

	if (!has_bytes(p, end, col->wire_size))
		return NULL;
	len = (uint32) get_le(p, col->wire_size);
	p += col->wire_size;
	if (len > col->wire_max || !has_bytes(p, end, len))
		return NULL;
	v->s.data = (const char *) p;
	v->s.len = len;
	return p + len;
}

static const uint8 *
read_string(const MsColumn *col, const uint8 *p, const uint8 *end, MsValue *v)
{
	return read_prefixed(col, p, end, v);
}

/*
 * Zero bytes at the end of BINARY(n), UUID and INET are not in the log.
 */
static inline void
pad_bytes(MsValue *v, uint32 size)
{
	if (v->s.len >= size)
		return;
	memcpy(v->scratch, v->s.data, v->s.len);
	memset(v->scratch + v->s.len, 0, size - v->s.len);
	v->s.data = v->scratch;
	v->s.len = size;
}

static const uint8 *
read_padded(const MsColumn *col, const uint8 *p, const uint8 *end, MsValue *v)
{
	p = read_prefixed(col, p, end, v);
	if (p)
		pad_bytes(v, col->wire_max);
	return p;
}

/*
 * Inflate a COMPRESSED column's value: v->s holds it with its one-byte header
 * and is set to the plain value.  Returns false when it is damaged.
 */
static bool
inflate_value(const MsColumn *col, MsValue *v)
{
	const uint8 *p = (const uint8 *) v->s.data;
	uint32		len = v->s.len;
	int			size;
	uint64		plain_len;
	z_stream	z;
	char	   *plain;
	int			rc;

	if (len == 0)
		return true;
	if ((*p & 0xf0) == 0)
	{
		v->s.data++;
		v->s.len--;
		return true;
	}
	size = *p & 0x07;
	if ((*p & 0xf0) != 0x80 || size == 0 || len < 1 + (uint32) size)
		return false;
	plain_len = get_be(p + 1, size);
	len -= 1 + size;
	/* a length that the data cannot have must not make us allocate it */
	if (plain_len == 0 || plain_len / INFLATE_MAX_RATIO > len)
		return false;
	if (plain_len > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value of column \"%s\" is too large", col->name),
				 errdetail("Uncompressed it has " UINT64_FORMAT " bytes.",
						   plain_len)));

	plain = palloc(plain_len);
	memset(&z, 0, sizeof(z));
	z.next_in = unconstify(uint8 *, p) + 1 + size;
	z.avail_in = len;
	z.next_out = (Bytef *) plain;
	z.avail_out = plain_len;
	/* bit 3: without zlib's header and trailer */
	if (inflateInit2(&z, (*p & 0x08) ? -MAX_WBITS : MAX_WBITS) != Z_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize zlib")));
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (rc != Z_STREAM_END || z.avail_out != 0)
		return false;
	v->s.data = plain;
	v->s.len = plain_len;
	return true;
}

static const uint8 *
read_compressed(const MsColumn *col, const uint8 *p, const uint8 *end,
				MsValue *v)
{
	p = read_prefixed(col, p, end, v);
	if (p && !inflate_value(col, v))
		return NULL;
	return p;
}

static const uint8 *
read_bit_image(const MsColumn *col, const uint8 *p, const uint8 *end,
			   MsValue *v)
{
	if (!has_bytes(p, end, col->wire_size))
		return NULL;
	v->s.data = (const char *) p;
	v->s.len = col->wire_size;
	return p + col->wire_size;
}

/* ENUM and SET */
static const uint8 *
read_labels_image(const MsColumn *col, const uint8 *p, const uint8 *end,
				  MsValue *v)
{
	if (!has_bytes(p, end, col->wire_size))
		return NULL;
	v->u = get_le(p, col->wire_size);
	return p + col->wire_size;
}

/*
 * Choice of the image reader.  Each function below looks at one family and
 * returns NULL, or what is wrong.
 */
static const char *
type_differs(const MsColumn *col, uint8 type)
{
	return psprintf("the binlog's type %u does not agree with the recorded type %s",
					type, col->source_type ? col->source_type : "of the column");
}

static const char *
bind_int(MsColumn *col, uint8 type)
{
	bool		is_signed = col->kind == MS_KIND_INT;
	uint8		expected;

	switch (col->int_width)
	{
		case 1:
			expected = TYPE_TINY;
			col->read_image = is_signed ? ms_read_int8 : ms_read_uint8;
			break;
		case 2:
			expected = TYPE_SHORT;
			col->read_image = is_signed ? ms_read_int16 : ms_read_uint16;
			break;
		case 3:
			expected = TYPE_INT24;
			col->read_image = is_signed ? ms_read_int24 : ms_read_uint24;
			break;
		case 4:
			expected = TYPE_LONG;
			col->read_image = is_signed ? ms_read_int32 : ms_read_uint32;
			break;
		default:
			expected = TYPE_LONGLONG;
			col->read_image = is_signed ? ms_read_int64 : ms_read_uint64;
			break;
	}
	return type == expected ? NULL : type_differs(col, type);
}

static const char *
bind_decimal(MsColumn *col, uint8 type, uint16 meta)
{
	int			precision = meta & 0xff;
	int			scale = meta >> 8;

	if (type != TYPE_NEWDECIMAL)
		return type_differs(col, type);
	if (precision != col->precision || scale != col->scale ||
		precision < 1 || precision > DECIMAL_MAX_PRECISION ||
		scale > DECIMAL_MAX_SCALE || scale > precision)
		return psprintf("the binlog has decimal(%d,%d), the recorded type is %s",
						precision, scale,
						col->source_type ? col->source_type : "another");
	col->wire_size = decimal_size(precision, scale);
	col->read_image = read_decimal_image;
	return NULL;
}

static const char *
bind_temporal(MsColumn *col, uint8 type, uint16 meta)
{
	/* bytes of the formats before 10.1, by fractional digits */
	static const uint8 timestamp_size[] = {4, 5, 5, 6, 6, 7, 7};
	static const uint8 time_size[] = {3, 4, 4, 5, 5, 5, 6};
	static const uint8 datetime_size[] = {8, 6, 6, 7, 7, 7, 8};

	if (col->fsp > 6)
		return "the recorded precision is above 6";
	col->wire_fraction = (col->fsp + 1) / 2;
	switch (type)
	{
		case TYPE_TIMESTAMP2:
		case TYPE_DATETIME2:
		case TYPE_TIME2:
			if (meta != col->fsp)
				return psprintf("the binlog has %u fractional digits, the recorded schema %d",
								meta, col->fsp);
			break;
		default:
			break;
	}
	switch (col->kind)
	{
		case MS_KIND_TIMESTAMP:
			col->wire_size = timestamp_size[col->fsp];
			col->read_image = type == TYPE_TIMESTAMP2 ? read_timestamp2 :
				type == TYPE_TIMESTAMP ? read_old_timestamp : NULL;
			break;
		case MS_KIND_DATETIME:
			col->wire_size = datetime_size[col->fsp];
			col->read_image = type == TYPE_DATETIME2 ? read_datetime2 :
				type == TYPE_DATETIME ? read_old_datetime : NULL;
			break;
		case MS_KIND_TIME:
			col->wire_size = time_size[col->fsp];
			col->read_image = type == TYPE_TIME2 ? read_time2 :
				type == TYPE_TIME ? read_old_time : NULL;
			break;
		default:
			col->read_image = type == TYPE_DATE ? read_date_image : NULL;
			break;
	}
	return col->read_image ? NULL : type_differs(col, type);
}

/*
 * The most bytes of a STRING are in ten bits, two of which hide inverted in
 * the byte that names the real type.
 */
static bool
string_max_bytes(uint16 meta, uint32 *max)
{
	uint8		meta0 = meta & 0xff;

	if ((meta0 | 0x30) != TYPE_STRING)
		return false;
	*max = (((meta0 << 4) & 0x300) ^ 0x300) + (meta >> 8);
	return true;
}

static const char *
bind_string(MsColumn *col, uint8 type, uint16 meta)
{
	switch (type)
	{
		case TYPE_STRING:
			/* CHAR, or BINARY: these are the kinds that have a length */
			if (!string_max_bytes(meta, &col->wire_max) ||
				(col->kind == MS_KIND_TEXT && !col->is_char) ||
				col->kind == MS_KIND_JSON || col->kind == MS_KIND_VECTOR)
				return type_differs(col, type);
			if (col->kind == MS_KIND_BYTES && col->wire_max != col->length)
				return psprintf("the binlog has binary(%u), the recorded type is %s",
								col->wire_max,
								col->source_type ? col->source_type : "another");
			/* which also is what the scratch space can pad */
			if (col->kind == MS_KIND_BYTES &&
				col->wire_max > sizeof(((MsValue *) 0)->scratch))
				return type_differs(col, type);
			col->wire_size = col->wire_max > 255 ? 2 : 1;
			col->read_image = col->kind == MS_KIND_BYTES ? read_padded :
				read_string;
			return NULL;
		case TYPE_VARCHAR:
		case TYPE_VAR_STRING:
		case TYPE_VARCHAR_COMPRESSED:
			col->wire_max = meta;
			col->wire_size = meta > 255 ? 2 : 1;
			break;
		case TYPE_BLOB:
		case TYPE_BLOB_COMPRESSED:
			if (meta < 1 || meta > 4)
				return psprintf("the binlog has a blob with a length of %u bytes",
								meta);
			col->wire_max = PG_UINT32_MAX;
			col->wire_size = meta;
			break;
		default:
			return type_differs(col, type);
	}
	/* what remains has no padding to restore */
	if (col->is_char || (col->kind == MS_KIND_BYTES && col->length != 0))
		return type_differs(col, type);
	if (col->kind == MS_KIND_VECTOR &&
		(type != TYPE_VARCHAR || meta != col->length * 4))
		return type_differs(col, type);
	if (type == TYPE_BLOB_COMPRESSED || type == TYPE_VARCHAR_COMPRESSED)
		col->read_image = read_compressed;
	else
		col->read_image = read_string;
	return NULL;
}

/* UUID and INET look like BINARY. */
static const char *
bind_padded(MsColumn *col, uint8 type, uint16 meta)
{
	uint32		size = col->kind == MS_KIND_INET4 ? 4 : 16;

	if (type != TYPE_STRING || !string_max_bytes(meta, &col->wire_max) ||
		col->wire_max != size)
		return type_differs(col, type);
	col->wire_size = 1;
	col->read_image = read_padded;
	return NULL;
}

static const char *
bind_labels(MsColumn *col, uint8 type, uint16 meta)
{
	uint8		real_type = meta & 0xff;
	int			size = meta >> 8;
	int			expected;

	if (type != TYPE_STRING ||
		real_type != (col->kind == MS_KIND_ENUM ? TYPE_ENUM : TYPE_SET))
		return type_differs(col, type);
	if (col->kind == MS_KIND_ENUM)
		expected = col->nlabels > 255 ? 2 : 1;
	else
	{
		expected = (col->nlabels + 7) / 8;
		if (expected > 4)
			expected = 8;
	}
	if (size != expected)
		return psprintf("the binlog's values have %d bytes, those of the recorded type %s have %d",
						size, col->source_type ? col->source_type : "", expected);
	col->wire_size = size;
	col->read_image = read_labels_image;
	return NULL;
}

static const char *
bind_bit(MsColumn *col, uint8 type, uint16 meta)
{
	if (type != TYPE_BIT ||
		(uint32) (meta & 0xff) + (meta >> 8) * 8 != col->length)
		return type_differs(col, type);
	col->wire_size = (col->length + 7) / 8;
	col->read_image = read_bit_image;
	return NULL;
}

/* Kinds of one type byte whose metadata, if any, cannot vary. */
static const char *
bind_plain(MsColumn *col, uint8 type, uint8 expected, uint16 meta,
		   uint16 expected_meta, MsReadFn reader)
{
	if (type != expected || meta != expected_meta)
		return type_differs(col, type);
	col->read_image = reader;
	return NULL;
}

/*
 * Choose how the column's values are read from row images.
 *
 * type and meta are those of the table map: one-byte metadata as it is,
 * two-byte metadata as first byte | second byte << 8, 0 without metadata.
 * Returns NULL, or why they do not agree with the recorded column, as a
 * message without a full stop, maybe allocated in CurrentMemoryContext.
 */
const char *
ms_value_bind_image(MsColumn *col, uint8 type, uint16 meta)
{
	col->read_image = NULL;
	col->wire_type = type;
	col->wire_meta = meta;
	switch (col->kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
			return bind_int(col, type);
		case MS_KIND_FLOAT:
			return bind_plain(col, type, TYPE_FLOAT, meta, 4, ms_read_float);
		case MS_KIND_DOUBLE:
			return bind_plain(col, type, TYPE_DOUBLE, meta, 8, ms_read_double);
		case MS_KIND_DECIMAL:
			return bind_decimal(col, type, meta);
		case MS_KIND_YEAR:
			return bind_plain(col, type, TYPE_YEAR, meta, 0, read_year_image);
		case MS_KIND_DATE:
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
		case MS_KIND_TIME:
			return bind_temporal(col, type, meta);
		case MS_KIND_TEXT:
		case MS_KIND_BYTES:
		case MS_KIND_JSON:
		case MS_KIND_VECTOR:
			return bind_string(col, type, meta);
		case MS_KIND_ENUM:
		case MS_KIND_SET:
			return bind_labels(col, type, meta);
		case MS_KIND_BIT:
			return bind_bit(col, type, meta);
		case MS_KIND_UUID:
		case MS_KIND_INET4:
		case MS_KIND_INET6:
			return bind_padded(col, type, meta);
		case MS_KIND_GEOMETRY:
			col->wire_max = PG_UINT32_MAX;
			col->wire_size = 4;
			return bind_plain(col, type, TYPE_GEOMETRY, meta, 4, read_string);
	}
	return "unknown kind of column";
}

/*
 * Make a column that reads over values of which only the table map is known.
 */
void
ms_value_guess_image(MsColumn *col, uint8 type, uint16 meta)
{
	static const struct
	{
		uint8		type;
		MsKind		kind;
		uint8		int_width;
	}			kinds[] = {
		{TYPE_TINY, MS_KIND_INT, 1},
		{TYPE_SHORT, MS_KIND_INT, 2},
		{TYPE_INT24, MS_KIND_INT, 3},
		{TYPE_LONG, MS_KIND_INT, 4},
		{TYPE_LONGLONG, MS_KIND_INT, 8},
		{TYPE_FLOAT, MS_KIND_FLOAT, 0},
		{TYPE_DOUBLE, MS_KIND_DOUBLE, 0},
		{TYPE_NEWDECIMAL, MS_KIND_DECIMAL, 0},
		{TYPE_YEAR, MS_KIND_YEAR, 0},
		{TYPE_DATE, MS_KIND_DATE, 0},
		{TYPE_DATETIME, MS_KIND_DATETIME, 0},
		{TYPE_DATETIME2, MS_KIND_DATETIME, 0},
		{TYPE_TIMESTAMP, MS_KIND_TIMESTAMP, 0},
		{TYPE_TIMESTAMP2, MS_KIND_TIMESTAMP, 0},
		{TYPE_TIME, MS_KIND_TIME, 0},
		{TYPE_TIME2, MS_KIND_TIME, 0},
		{TYPE_BIT, MS_KIND_BIT, 0},
		{TYPE_GEOMETRY, MS_KIND_GEOMETRY, 0},
	};
	uint8		real_type = meta & 0xff;

	memset(col, 0, sizeof(MsColumn));
	col->attidx = -1;
	/* all else has its length before it */
	col->kind = MS_KIND_TEXT;
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		if (kinds[i].type != type)
			continue;
		col->kind = kinds[i].kind;
		col->int_width = kinds[i].int_width;
	}
	col->precision = meta & 0xff;
	col->scale = meta >> 8;
	col->fsp = meta & 0xff;
	col->length = (meta & 0xff) + (meta >> 8) * 8;
	if (type != TYPE_STRING)
		return;
	if (real_type == TYPE_ENUM)
	{
		col->kind = MS_KIND_ENUM;
		col->nlabels = (meta >> 8) > 1 ? 256 : 1;
	}
	else if (real_type == TYPE_SET)
	{
		col->kind = MS_KIND_SET;
		col->nlabels = (meta >> 8) * 8;
	}
	else
		col->is_char = true;
}

/* CHAR, not VARCHAR? */
bool
ms_value_is_char_image(uint8 type)
{
	return type == TYPE_STRING;
}
