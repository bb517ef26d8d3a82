/*
 * value_build_numeric.c - decimal numbers to numeric.
 *
 * They come as text, the canonical form of a DECIMAL, and of a row of numbers
 * nothing costs as much as numeric's input function.  So the datum is made
 * here, in the short form that PostgreSQL gives to all numbers of this size.
 * The form is the one on disk, which pg_upgrade keeps from version to version;
 * the tests compare every byte with PostgreSQL's own.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"	/* varatt.h, which PostgreSQL 15 has not */
#include "utils/numeric.h"

#include "value_build.h"

/*
 * A numeric: two bits that say that the header is short, the sign, six bits of
 * decimals to show, seven of the weight with its sign.  Then digits to the
 * base of 10000, without zeros at either end; the first is worth
 * 10000 ^ weight.
 */
#define SHORT_HEADER	0x8000
#define SHORT_NEGATIVE	0x2000
#define SCALE_SHIFT		7
#define MAX_SCALE		0x3f
#define WEIGHT_MASK		0x7f

#define GROUP_DIGITS	4

/* of the 65 digits that MariaDB has, the fraction's groups counted apart */
#define MAX_GROUPS		20

typedef struct ShortNumeric
{
	int32		size;
	uint16		header;
	int16		groups[MAX_GROUPS];
} ShortNumeric;

/* The number that n digits make. */
static inline int16
group_value(const char *digits, int n)
{
	int16		value = 0;

	for (int i = 0; i < n; i++)
		value = value * 10 + (digits[i] - '0');
	return value;
}

/* Whole groups of the n digits; what is left over is for the caller. */
static inline int
append_groups(ShortNumeric *num, int ngroups, const char *digits, int n)
{
	for (; n >= GROUP_DIGITS; n -= GROUP_DIGITS, digits += GROUP_DIGITS)
		num->groups[ngroups++] = group_value(digits, GROUP_DIGITS);
	return ngroups;
}

/*
 * Digits, with maybe a sign before them and a point between two of them, of
 * which there are no more than a DECIMAL has.
 */
static Numeric
make_numeric(const char *text, int len)
{
	static const int16 powers_of_10[] = {1, 10, 100, 1000};
	ShortNumeric num;
	bool		negative = *text == '-';
	const char *digits = text + negative;
	const char *end = text + len;
	const char *point = memchr(digits, '.', end - digits);
	int			intg = (point ? point : end) - digits;
	int			scale = point ? end - point - 1 : 0;
	int			weight = (intg + GROUP_DIGITS - 1) / GROUP_DIGITS - 1;
	int			rest = intg % GROUP_DIGITS;
	int			ngroups = 0;
	int			first = 0;
	Size		size;
	void	   *result;

	Assert(intg > 0 && scale <= MAX_SCALE &&
		   intg / GROUP_DIGITS + scale / GROUP_DIGITS + 2 <= MAX_GROUPS);
	if (rest > 0)
		num.groups[ngroups++] = group_value(digits, rest);
	ngroups = append_groups(&num, ngroups, digits + rest, intg - rest);
	if (scale > 0)
	{
		ngroups = append_groups(&num, ngroups, point + 1, scale);
		rest = scale % GROUP_DIGITS;
		if (rest > 0)
			num.groups[ngroups++] = group_value(end - rest, rest) *
				powers_of_10[GROUP_DIGITS - rest];
	}

	while (ngroups > 0 && num.groups[ngroups - 1] == 0)
		ngroups--;
	while (first < ngroups && num.groups[first] == 0)
		first++;
	/* zero has neither sign nor weight */
	if (first == ngroups)
		negative = false, weight = first = 0;
	num.header = SHORT_HEADER | (negative ? SHORT_NEGATIVE : 0) |
		scale << SCALE_SHIFT | ((weight - first) & WEIGHT_MASK);

	size = offsetof(ShortNumeric, groups) + (ngroups - first) * sizeof(int16);
	result = palloc(size);
	SET_VARSIZE(result, size);
	memcpy((char *) result + offsetof(ShortNumeric, header), &num.header,
		   sizeof(num.header));
	memcpy((char *) result + offsetof(ShortNumeric, groups),
		   &num.groups[first], (ngroups - first) * sizeof(int16));
	return result;
}

/* A target with decimals shows them; it has room for the value. */
static Datum
show_scale(const MsColumn *col, Numeric num, int scale)
{
	if (col->typmod < (int32) VARHDRSZ ||
		((col->typmod - VARHDRSZ) & 0x7ff) == scale)
		return NumericGetDatum(num);
	return DirectFunctionCall2(numeric, NumericGetDatum(num),
							   Int32GetDatum(col->typmod));
}

Datum
ms_value_build_int_numeric(MsColumn *col, const MsValue *v, bool *isnull)
{
	return show_scale(col, int64_to_numeric(v->i), 0);
}

Datum
ms_value_build_uint_numeric(MsColumn *col, const MsValue *v, bool *isnull)
{
	char		buf[MAXINT8LEN + 1];

	if (v->u <= PG_INT64_MAX)
		return ms_value_build_int_numeric(col, v, isnull);
	return show_scale(col, make_numeric(buf, pg_ulltoa_n(v->u, buf)), 0);
}

Datum
ms_value_build_decimal_numeric(MsColumn *col, const MsValue *v, bool *isnull)
{
	return show_scale(col, make_numeric(v->s.data, v->s.len), col->scale);
}
