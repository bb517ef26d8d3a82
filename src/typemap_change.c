/*
 * typemap_change.c - what becomes of values when their column is altered.
 *
 * MariaDB converts the rows that are there when a column's type changes, and
 * the binlog does not have them.  This knows which changes leave every value
 * what it was, for certain; all others need the rows to be copied.
 */
#include "postgres.h"

#include "typemap.h"

/* Room for octets of a string type, in the sense of one that grows. */
static int64
capacity(const MsSourceColumn *source)
{
	return source->char_length;
}

static bool
is_counted_in_characters(const MsSourceColumn *source)
{
	return strstr(source->data_type, "char") != NULL;
}

/* Has every character of one charset a place in the other? */
static bool
charset_holds(const char *old, const char *new)
{
	bool		old_is_large;

	if (old == NULL || new == NULL)
		return false;
	if (pg_strcasecmp(old, new) == 0)
		return true;
	if (pg_strcasecmp(old, "binary") == 0)
		return false;
	if (pg_strcasecmp(new, "utf8mb4") == 0)
		return true;
	old_is_large = pg_strcasecmp(old, "utf8mb4") == 0 ||
		pg_strncasecmp(old, "utf16", 5) == 0 || pg_strcasecmp(old, "utf32") == 0;
	return (pg_strcasecmp(new, "utf8mb3") == 0 || pg_strcasecmp(new, "utf8") == 0) &&
		!old_is_large;
}

static bool
text_survives(const MsColumn *a, const MsSourceColumn *old,
			  const MsColumn *b, const MsSourceColumn *new)
{
	if (!charset_holds(old->charset, new->charset))
		return false;
	/* blanks at the end of a CHAR have no meaning, those of others have */
	if (b->is_char && !a->is_char)
		return false;
	if (is_counted_in_characters(old) == is_counted_in_characters(new))
		return capacity(new) >= capacity(old);
	/* four octets a character are enough for any */
	return is_counted_in_characters(old) && capacity(new) >= capacity(old) * 4;
}

static bool
bytes_survive(const MsColumn *a, const MsSourceColumn *old,
			  const MsColumn *b, const MsSourceColumn *new)
{
	/* BINARY is padded */
	if (b->length > 0)
		return a->length == b->length;
	return capacity(new) >= capacity(old);
}

/* Have all labels of the one a place in the other? */
static bool
labels_survive(const MsColumn *a, const MsColumn *b)
{
	int			last = -1;

	for (int i = 0; i < a->nlabels; i++)
	{
		int			j = 0;

		while (j < b->nlabels && strcmp(a->labels[i], b->labels[j]) != 0)
			j++;
		if (j == b->nlabels)
			return false;
		/* a SET's members are shown in the order of the labels */
		if (a->kind == MS_KIND_SET && j < last)
			return false;
		last = j;
	}
	return true;
}

static bool
integer_survives(const MsColumn *a, const MsColumn *b)
{
	static const int digits[] = {0, 3, 5, 8, 10, 0, 0, 0, 20};

	if (b->kind == MS_KIND_DECIMAL)
		return b->precision - b->scale >= digits[a->int_width];
	if (a->kind == b->kind)
		return b->int_width >= a->int_width;
	return a->kind == MS_KIND_UINT && b->kind == MS_KIND_INT &&
		b->int_width > a->int_width;
}

static bool
survives(const MsColumn *a, const MsSourceColumn *old, const MsColumn *b,
		 const MsSourceColumn *new)
{
	if ((a->kind == MS_KIND_INT || a->kind == MS_KIND_UINT) &&
		(b->kind == MS_KIND_INT || b->kind == MS_KIND_UINT ||
		 (b->kind == MS_KIND_DECIMAL &&
		  (a->kind == MS_KIND_UINT || !new->is_unsigned))))
		return integer_survives(a, b);
	if (a->kind == MS_KIND_FLOAT && b->kind == MS_KIND_DOUBLE)
		return strchr(old->column_type, '(') == NULL &&
			strchr(new->column_type, '(') == NULL && !new->is_unsigned;
	if (a->kind != b->kind)
		return false;
	switch (a->kind)
	{
		case MS_KIND_DECIMAL:
			return b->scale >= a->scale &&
				b->precision - b->scale >= a->precision - a->scale &&
				(old->is_unsigned || !new->is_unsigned);
		case MS_KIND_FLOAT:
		case MS_KIND_DOUBLE:
			return strchr(new->column_type, '(') == NULL &&
				(old->is_unsigned || !new->is_unsigned);
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
		case MS_KIND_TIME:
			return b->fsp >= a->fsp;
		case MS_KIND_BIT:
		case MS_KIND_VECTOR:
			return a->length == b->length;
		case MS_KIND_TEXT:
		case MS_KIND_JSON:
			return text_survives(a, old, b, new);
		case MS_KIND_BYTES:
			return bytes_survive(a, old, b, new);
		case MS_KIND_ENUM:
		case MS_KIND_SET:
			return labels_survive(a, b);
		case MS_KIND_GEOMETRY:
			return strcmp(old->data_type, new->data_type) == 0 ||
				strcmp(new->data_type, "geometry") == 0;
		default:
			return true;
	}
}

/*
 * Why the values of the column are not what they were, NULL when they are for
 * certain.
 */
char *
ms_typemap_value_change(const MsSourceColumn *old, const MsSourceColumn *new)
{
	MsColumn	a;
	MsColumn	b;

	if (new->generated != old->generated ||
		(new->generated && (old->generation == NULL || new->generation == NULL ||
							strcmp(old->generation, new->generation) != 0)))
		return psprintf("column \"%s\" is generated in another way", new->name);
	ms_typemap_init_column(&a, old);
	ms_typemap_init_column(&b, new);
	if (!(strcmp(old->column_type, new->column_type) == 0 &&
		  (old->charset == new->charset || charset_holds(old->charset, new->charset))) &&
		!survives(&a, old, &b, new))
		return psprintf("column \"%s\" was converted from %s to %s", new->name,
						old->column_type, new->column_type);
	return NULL;
}
