/*
 * ddl_charset.c - character sets of columns, as a statement leaves them.
 *
 * Part of the model (ddl_model.c): what is not named comes from the table, and
 * what the character set makes of a type.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "ddl_charset.h"

/* MAX_FIELD_VARCHARLENGTH of MariaDB */
#define MAX_VARCHAR_OCTETS 65532

/* TINYTEXT, TEXT, MEDIUMTEXT, LONGTEXT, and the same of BLOB */
static const char *const text_sizes[] = {"tiny", "", "medium", "long"};
static const int64 text_octets[] = {
	255, 65535, 16777215, INT64CONST(4294967295)
};

/* "utf8mb4_general_ci" to "utf8mb4"; NULL for one that goes with several */
char *
ms_ddl_collation_charset(const char *collation)
{
	char	   *charset = pnstrdup(collation, strcspn(collation, "_"));

	if (pg_strcasecmp(charset, "uca1400") == 0)
		return NULL;
	if (pg_strcasecmp(charset, "utf8") == 0)
		return "utf8mb3";
	return charset;
}

/* The source's default collations, which versions and settings change. */
typedef struct DefaultCollation
{
	char	   *charset;
	char	   *collation;
} DefaultCollation;

static List *default_collations = NIL;

/* What CHARACTER SET utf8 means at the source, see its old_mode. */
static bool utf8_is_utf8mb4 = false;

void
ms_ddl_set_utf8(bool is_utf8mb4)
{
	utf8_is_utf8mb4 = is_utf8mb4;
}

bool
ms_ddl_has_default_collations(void)
{
	return default_collations != NIL;
}

/* What CHARACTER SET alone means on the source; the last word counts. */
void
ms_ddl_set_default_collation(const char *charset, const char *collation)
{
	MemoryContext oldcxt = MemoryContextSwitchTo(TopMemoryContext);
	DefaultCollation *new = palloc(sizeof(DefaultCollation));

	new->charset = pstrdup(charset);
	new->collation = pstrdup(collation);
	default_collations = lcons(new, default_collations);
	MemoryContextSwitchTo(oldcxt);
}

static char *
default_collation(const char *charset)
{
	ListCell   *lc;

	foreach(lc, default_collations)
	{
		const DefaultCollation *found = lfirst(lc);

		if (pg_strcasecmp(found->charset, charset) == 0)
			return found->collation;
	}
	if (pg_strcasecmp(charset, "binary") == 0)
		return "binary";
	if (pg_strcasecmp(charset, "latin1") == 0)
		return "latin1_swedish_ci";
	return psprintf("%s_general_ci", charset);
}

static char *
normal_charset(char *charset)
{
	if (pg_strcasecmp(charset, "utf8") != 0)
		return charset;
	return utf8_is_utf8mb4 ? "utf8mb4" : "utf8mb3";
}

/* Names as information_schema has them, however they are written. */
static char *
lower_name(const char *name)
{
	char	   *lower = pstrdup(name);

	for (char *p = lower; *p; p++)
		*p = pg_tolower((unsigned char) *p);
	return lower;
}

/* Fill in what one of the two says of the other, and what the table says. */
void
ms_ddl_resolve_charset(char **charset, char **collation, const char *table_collation)
{
	bool		is_binary;
	bool		is_default;

	if (*charset)
		*charset = lower_name(*charset);
	if (*collation)
		*collation = lower_name(*collation);
	is_binary = *collation && strcmp(*collation, MS_COLLATION_BINARY) == 0;
	is_default = *collation && strcmp(*collation, "default") == 0;
	if (*charset && strcmp(*charset, "default") == 0)
		*charset = NULL;
	if (is_binary || is_default)
		*collation = NULL;
	if (*charset)
		*charset = normal_charset(*charset);
	if (*collation && strncmp(*collation, "utf8_", 5) == 0)
		*collation = psprintf("%s%s", normal_charset("utf8"), *collation + 4);
	if (*collation && *charset == NULL)
		*charset = ms_ddl_collation_charset(*collation);
	if (*charset == NULL && table_collation)
	{
		*charset = ms_ddl_collation_charset(table_collation);
		if (*collation == NULL && !is_default)
			*collation = pstrdup(table_collation);
	}
	if (*charset == NULL)
		*charset = "utf8mb4";
	if (is_binary)
		*collation = strcmp(*charset, "binary") == 0 ? *charset :
			psprintf("%s_bin", *charset);
	else if (*collation == NULL)
		*collation = default_collation(*charset);
	else if (strncmp(*collation, "uca1400_", 8) == 0)
		*collation = psprintf("%s_%s", *charset, *collation);
}

static bool
has_charset(const MsSourceColumn *col)
{
	return strstr(col->data_type, "char") || strstr(col->data_type, "text") ||
		strcmp(col->data_type, "enum") == 0 || strcmp(col->data_type, "set") == 0;
}

/* What CHARACTER SET binary makes of a type of text. */
static void
make_binary(MsSourceColumn *col)
{
	static const char *const pairs[][2] = {
		{"char", "binary"}, {"varchar", "varbinary"},
		{"tinytext", "tinyblob"}, {"text", "blob"},
		{"mediumtext", "mediumblob"}, {"longtext", "longblob"},
	};

	for (int i = 0; i < (int) lengthof(pairs); i++)
	{
		if (strcmp(col->data_type, pairs[i][0]) != 0)
			continue;
		col->column_type = psprintf("%s%s", pairs[i][1],
									col->column_type + strlen(pairs[i][0]));
		col->data_type = pstrdup(pairs[i][1]);
		col->charset = col->collation = NULL;
		return;
	}
}

int
ms_ddl_charset_width(const char *charset)
{
	static const char *const four[] = {"utf8mb4", "utf16", "utf16le", "utf32"};
	static const char *const three[] = {"utf8mb3", "utf8", "ujis", "eucjpms"};
	static const char *const two[] = {
		"ucs2", "sjis", "cp932", "gbk", "gb2312", "big5", "euckr"
	};

	for (int i = 0; i < (int) lengthof(four); i++)
		if (pg_strcasecmp(charset, four[i]) == 0)
			return 4;
	for (int i = 0; i < (int) lengthof(three); i++)
		if (pg_strcasecmp(charset, three[i]) == 0)
			return 3;
	for (int i = 0; i < (int) lengthof(two); i++)
		if (pg_strcasecmp(charset, two[i]) == 0)
			return 2;
	return 1;
}

/* Octets of a character; 1 for other types than texts. */
int
ms_ddl_character_width(const MsSourceColumn *col)
{
	return col->charset ? ms_ddl_charset_width(col->charset) : 1;
}

/* Make it the smallest TEXT or BLOB that holds so many octets. */
void
ms_ddl_set_long_type(MsSourceColumn *col, bool is_text, int64 octets)
{
	int			size = 0;

	while (size + 1 < (int) lengthof(text_octets) && octets > text_octets[size])
		size++;
	col->char_length = text_octets[size];
	col->data_type = psprintf("%s%s", text_sizes[size], is_text ? "text" : "blob");
	col->column_type = col->data_type;
}

/*
 * What is longer than a VARCHAR can be becomes a TEXT or BLOB, unless the
 * source's sql_mode is strict.
 */
static void
shorten_varchar(MsSourceColumn *col)
{
	bool		is_text = strcmp(col->data_type, "varchar") == 0;
	int64		octets = col->char_length * ms_ddl_character_width(col);

	if ((is_text || strcmp(col->data_type, "varbinary") == 0) &&
		octets > MAX_VARCHAR_OCTETS)
		ms_ddl_set_long_type(col, is_text, octets);
}

void
ms_ddl_set_column_charset(MsSourceColumn *col, const char *table_collation)
{
	if (has_charset(col))
	{
		ms_ddl_resolve_charset(&col->charset, &col->collation, table_collation);
		if (strcmp(col->charset, "binary") == 0)
			make_binary(col);
	}
	else
		col->charset = col->collation = NULL;
	shorten_varchar(col);
}

/* A TEXT grows so that it holds as many characters as before. */
static void
grow_text(MsSourceColumn *col, const char *old_charset)
{
	int			size = 0;

	if (ms_ddl_charset_width(col->charset) <= ms_ddl_charset_width(old_charset))
		return;
	while (size + 1 < (int) lengthof(text_octets) &&
		   strcmp(col->data_type, psprintf("%stext", text_sizes[size])) != 0)
		size++;
	if (size + 1 < (int) lengthof(text_octets))
		ms_ddl_set_long_type(col, true, text_octets[size + 1]);
}

void
ms_ddl_convert_charset(MsSourceTable *table, const MsClause *clause)
{
	char	   *charset = clause->charset;
	char	   *collation = clause->collation;
	ListCell   *lc;

	ms_ddl_resolve_charset(&charset, &collation, table->collation);
	table->collation = collation;
	foreach(lc, table->columns)
	{
		MsSourceColumn *col = lfirst(lc);
		char	   *old = col->charset;

		if (!has_charset(col) || old == NULL)
			continue;
		col->charset = charset;
		col->collation = collation;
		if (strcmp(charset, "binary") == 0)
			make_binary(col);
		else
			grow_text(col, old);
		shorten_varchar(col);
	}
}
