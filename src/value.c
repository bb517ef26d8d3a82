/*
 * value.c - the loops over a row, and the readers both dialects share.
 *
 * Owns how a row is walked: which columns are there, which are NULL, which go
 * to the target.  Which reader a column gets is decided once, when a table map
 * (value_image.c) or a result (value_protocol.c) is bound; a row is then a
 * walk along an array of function pointers.
 *
 * A reader looks at no byte beyond the end it is given and answers NULL when
 * the value is cut short or cannot be what MariaDB would send; the loops turn
 * that into an error that names the column.  What is well-formed but has no
 * place in PostgreSQL (a zero date, a NUL byte) is read here and judged by the
 * builders.
 */
#include "postgres.h"

#include "value_read.h"

#define TIME_MAX_HOUR	838

/*
 * Numbers.  Both dialects send them little-endian; the protocol sends INT24 in
 * four bytes and YEAR in two.
 */
#define INT_READERS(name, size, type) \
const uint8 * \
ms_read_int##name(const MsColumn *col, const uint8 *p, const uint8 *end, \
			   MsValue *v) \
{ \
	if (!has_bytes(p, end, size)) \
		return NULL; \
	v->i = (type) get_le(p, size); \
	return p + (size); \
} \
const uint8 * \
ms_read_uint##name(const MsColumn *col, const uint8 *p, const uint8 *end, \
				MsValue *v) \
{ \
	if (!has_bytes(p, end, size)) \
		return NULL; \
	v->u = get_le(p, size); \
	return p + (size); \
}

INT_READERS(8, 1, int8)
INT_READERS(16, 2, int16)
INT_READERS(32, 4, int32)
INT_READERS(64, 8, int64)

const uint8 *
ms_read_int24(const MsColumn *col, const uint8 *p, const uint8 *end, MsValue *v)
{
	if (!has_bytes(p, end, 3))
		return NULL;
	/* the sign is bit 23 */
	v->i = ((int64) get_le(p, 3) ^ 0x800000) - 0x800000;
	return p + 3;
}

const uint8 *
ms_read_uint24(const MsColumn *col, const uint8 *p, const uint8 *end, MsValue *v)
{
	if (!has_bytes(p, end, 3))
		return NULL;
	v->u = get_le(p, 3);
	return p + 3;
}

const uint8 *
ms_read_float(const MsColumn *col, const uint8 *p, const uint8 *end, MsValue *v)
{
	uint32		bits;
	float		f;

	if (!has_bytes(p, end, 4))
		return NULL;
	bits = (uint32) get_le(p, 4);
	memcpy(&f, &bits, sizeof(f));
	v->d = f;
	return p + 4;
}

const uint8 *
ms_read_double(const MsColumn *col, const uint8 *p, const uint8 *end, MsValue *v)
{
	uint64		bits;

	if (!has_bytes(p, end, 8))
		return NULL;
	bits = get_le(p, 8);
	memcpy(&v->d, &bits, sizeof(v->d));
	return p + 8;
}

/*
 * Fill the fields of a TIME from its absolute value.
 */
bool
ms_set_time(MsValue *v, bool neg, uint64 hour, uint64 minute, uint64 second,
			int32 usec)
{
	if (hour > TIME_MAX_HOUR || minute > 59 || second > 59 || usec < 0)
		return false;
	memset(&v->t, 0, sizeof(v->t));
	v->t.neg = neg;
	v->t.hour = hour;
	v->t.minute = minute;
	v->t.second = second;
	v->t.usec = usec;
	return true;
}

static void
malformed_row(const MsColumn *col, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("malformed %s from MariaDB", what),
			 col ? errdetail("The value of column \"%s\" is cut short or not valid.",
							 col->name) :
			 errdetail("It ends in the middle or has bytes left over.")));
}

static inline bool
bitmap_has(const uint8 *bitmap, int bit)
{
	return (bitmap[bit >> 3] >> (bit & 7)) & 1;
}

/*
 * Read one row image and build its datums.
 *
 * present is the event's bitmap of the columns in the image, NULL for all;
 * ncolumns, the table map's count, is format->ncolumns.  values and isnull are
 * the target slot's arrays: set for the mapped columns that are present and
 * left alone for all others.  Datums are made in CurrentMemoryContext and may
 * point into the packet's memory or the plan's.
 *
 * Returns the byte after the image.  A row that does not end before end is an
 * error.  format->current tells an error callback the column.
 */
const uint8 *
ms_value_read_image_row(MsRowFormat *format, const uint8 *p, const uint8 *end,
						const uint8 *present, int ncolumns,
						Datum *values, bool *isnull)
{
	const uint8 *nulls = p;
	int			npresent = ncolumns;
	int			bit = 0;
	MsValue		v;

	Assert(ncolumns == format->ncolumns);
	if (present)
	{
		npresent = 0;
		for (int i = 0; i < ncolumns; i++)
			npresent += bitmap_has(present, i);
	}
	if (!has_bytes(p, end, (npresent + 7) / 8))
		malformed_row(NULL, "row image");
	p += (npresent + 7) / 8;

	for (int i = 0; i < ncolumns; i++)
	{
		MsColumn   *col = &format->columns[i];
		int			att = col->attidx;

		if (present && !bitmap_has(present, i))
			continue;
		if (bitmap_has(nulls, bit++))
		{
			if (att >= 0)
			{
				values[att] = (Datum) 0;
				isnull[att] = true;
				if (unlikely(col->check_null != NULL))
				{
					format->current = i;
					col->check_null(col);
				}
			}
			continue;
		}
		format->current = i;
		p = col->read_image(col, p, end, &v);
		if (unlikely(p == NULL))
			malformed_row(col, "row image");
		if (att >= 0)
		{
			isnull[att] = false;
			values[att] = col->build(col, &v, &isnull[att]);
		}
	}
	format->current = -1;
	return p;
}

/*
 * Read one row of the binary client protocol, a whole packet, and build its
 * datums: column i of the row is format->columns[i].  values and isnull are
 * set for the mapped columns, as ms_value_read_image_row() does.
 */
void
ms_value_read_protocol_row(MsRowFormat *format, const uint8 *p,
						   const uint8 *end, Datum *values, bool *isnull)
{
	/* a zero byte, then a bitmap whose first two bits are reserved */
	const uint8 *nulls = p + 1;
	int			header = 1 + (format->ncolumns + 7 + 2) / 8;
	MsValue		v;

	if (!has_bytes(p, end, header) || *p != 0)
		malformed_row(NULL, "row");
	p += header;

	for (int i = 0; i < format->ncolumns; i++)
	{
		MsColumn   *col = &format->columns[i];
		int			att = col->attidx;

		if (bitmap_has(nulls, i + 2))
		{
			if (att >= 0)
			{
				values[att] = (Datum) 0;
				isnull[att] = true;
				if (unlikely(col->check_null != NULL))
				{
					format->current = i;
					col->check_null(col);
				}
			}
			continue;
		}
		format->current = i;
		p = col->read_protocol(col, p, end, &v);
		if (unlikely(p == NULL))
			malformed_row(col, "row");
		if (att >= 0)
		{
			isnull[att] = false;
			values[att] = col->build(col, &v, &isnull[att]);
		}
	}
	format->current = -1;
	if (p != end)
		malformed_row(NULL, "row");
}

/*
 * Read the canonical values of some columns of a row image, in the order of
 * columns, and build nothing.  found is set for those that are in the image
 * and not NULL; for the others nothing is changed.  Otherwise as
 * ms_value_read_image_row().
 */
const uint8 *
ms_value_pick_image_row(MsRowFormat *format, const uint8 *p, const uint8 *end,
						const uint8 *present, const int *columns, int ncolumns,
						MsValue *values, bool *found)
{
	const uint8 *nulls = p;
	int			npresent = 0;
	int			bit = 0;
	MsValue		skipped;

	for (int i = 0; i < format->ncolumns; i++)
		npresent += present == NULL || bitmap_has(present, i);
	if (!has_bytes(p, end, (npresent + 7) / 8))
		malformed_row(NULL, "row image");
	p += (npresent + 7) / 8;

	for (int i = 0; i < format->ncolumns; i++)
	{
		MsColumn   *col = &format->columns[i];
		MsValue    *v = &skipped;

		if (present && !bitmap_has(present, i))
			continue;
		if (bitmap_has(nulls, bit++))
			continue;
		for (int j = 0; j < ncolumns; j++)
		{
			if (columns[j] == i)
			{
				v = &values[j];
				found[j] = true;
			}
		}
		p = col->read_image(col, p, end, v);
		if (unlikely(p == NULL))
			malformed_row(col, "row image");
	}
	return p;
}

/*
 * Read the canonical values of all columns of a row of the binary client
 * protocol, none of which is NULL.
 */
void
ms_value_pick_protocol_row(MsRowFormat *format, const uint8 *p,
						   const uint8 *end, MsValue *values)
{
	int			header = 1 + (format->ncolumns + 7 + 2) / 8;

	if (!has_bytes(p, end, header) || *p != 0)
		malformed_row(NULL, "row");
	p += header;
	for (int i = 0; i < format->ncolumns; i++)
	{
		MsColumn   *col = &format->columns[i];

		p = col->read_protocol(col, p, end, &values[i]);
		if (unlikely(p == NULL))
			malformed_row(col, "row");
	}
	if (p != end)
		malformed_row(NULL, "row");
}
