/*
 * ddl_parse_column.c - a column's definition in a statement.
 *
 * Part of the parser.  Makes of it what information_schema would say, as far
 * as the statement alone tells: character sets that are not named are left to
 * the table, see ddl_model.c.
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"

#include "ddl_charset.h"
#include "ddl_parse_internal.h"
#include "event.h"
#include "typemap.h"

/* What may stand in parentheses behind a type's name. */
typedef enum TypeArguments
{
	ARGS_NONE,
	ARGS_WIDTH,					/* (n), shown or not */
	ARGS_LENGTH,				/* (n), 1 when missing */
	ARGS_DECIMAL,				/* (p[, s]) */
	ARGS_FSP,					/* (n) */
	ARGS_FLOAT,					/* (p) or (m, d) */
	ARGS_LABELS
} TypeArguments;

static const struct
{
	const char *word;
	const char *data_type;
	TypeArguments args;
	int			width;			/* of a number that has none, signed */
	int			unsigned_width;
	int64		octets;			/* of a TEXT or BLOB */
}			types[] = {
	{"TINYINT", "tinyint", ARGS_WIDTH, 4, 3, 0},
	{"INT1", "tinyint", ARGS_WIDTH, 4, 3, 0},
	{"BOOL", "tinyint", ARGS_NONE, 1, 1, 0},
	{"BOOLEAN", "tinyint", ARGS_NONE, 1, 1, 0},
	{"SMALLINT", "smallint", ARGS_WIDTH, 6, 5, 0},
	{"INT2", "smallint", ARGS_WIDTH, 6, 5, 0},
	{"MEDIUMINT", "mediumint", ARGS_WIDTH, 9, 8, 0},
	{"MIDDLEINT", "mediumint", ARGS_WIDTH, 9, 8, 0},
	{"INT3", "mediumint", ARGS_WIDTH, 9, 8, 0},
	{"INT", "int", ARGS_WIDTH, 11, 10, 0},
	{"INTEGER", "int", ARGS_WIDTH, 11, 10, 0},
	{"INT4", "int", ARGS_WIDTH, 11, 10, 0},
	{"BIGINT", "bigint", ARGS_WIDTH, 20, 20, 0},
	{"INT8", "bigint", ARGS_WIDTH, 20, 20, 0},
	{"DECIMAL", "decimal", ARGS_DECIMAL, 0, 0, 0},
	{"DEC", "decimal", ARGS_DECIMAL, 0, 0, 0},
	{"NUMERIC", "decimal", ARGS_DECIMAL, 0, 0, 0},
	{"FIXED", "decimal", ARGS_DECIMAL, 0, 0, 0},
	{"FLOAT", "float", ARGS_FLOAT, 0, 0, 0},
	{"FLOAT4", "float", ARGS_FLOAT, 0, 0, 0},
	{"DOUBLE", "double", ARGS_FLOAT, 0, 0, 0},
	{"FLOAT8", "double", ARGS_FLOAT, 0, 0, 0},
	{"REAL", "double", ARGS_FLOAT, 0, 0, 0},
	{"BIT", "bit", ARGS_LENGTH, 0, 0, 0},
	{"DATE", "date", ARGS_NONE, 0, 0, 0},
	{"TIME", "time", ARGS_FSP, 0, 0, 0},
	{"DATETIME", "datetime", ARGS_FSP, 0, 0, 0},
	{"TIMESTAMP", "timestamp", ARGS_FSP, 0, 0, 0},
	{"YEAR", "year", ARGS_WIDTH, 4, 4, 0},
	{"CHAR", "char", ARGS_LENGTH, 0, 0, 0},
	{"CHARACTER", "char", ARGS_LENGTH, 0, 0, 0},
	{"VARCHAR", "varchar", ARGS_LENGTH, 0, 0, 0},
	{"VARCHARACTER", "varchar", ARGS_LENGTH, 0, 0, 0},
	{"BINARY", "binary", ARGS_LENGTH, 0, 0, 0},
	{"VARBINARY", "varbinary", ARGS_LENGTH, 0, 0, 0},
	{"TINYTEXT", "tinytext", ARGS_NONE, 0, 0, 255},
	{"TEXT", "text", ARGS_WIDTH, 0, 0, 65535},
	{"MEDIUMTEXT", "mediumtext", ARGS_NONE, 0, 0, 16777215},
	{"LONGTEXT", "longtext", ARGS_NONE, 0, 0, INT64CONST(4294967295)},
	{"TINYBLOB", "tinyblob", ARGS_NONE, 0, 0, 255},
	{"BLOB", "blob", ARGS_WIDTH, 0, 0, 65535},
	{"MEDIUMBLOB", "mediumblob", ARGS_NONE, 0, 0, 16777215},
	{"LONGBLOB", "longblob", ARGS_NONE, 0, 0, INT64CONST(4294967295)},
	{"ENUM", "enum", ARGS_LABELS, 0, 0, 0},
	{"SET", "set", ARGS_LABELS, 0, 0, 0},
	{"JSON", "longtext", ARGS_NONE, 0, 0, INT64CONST(4294967295)},
	{"UUID", "uuid", ARGS_NONE, 0, 0, 0},
	{"INET4", "inet4", ARGS_NONE, 0, 0, 0},
	{"INET6", "inet6", ARGS_NONE, 0, 0, 0},
	{"GEOMETRY", "geometry", ARGS_NONE, 0, 0, 0},
	{"POINT", "point", ARGS_NONE, 0, 0, 0},
	{"LINESTRING", "linestring", ARGS_NONE, 0, 0, 0},
	{"POLYGON", "polygon", ARGS_NONE, 0, 0, 0},
	{"MULTIPOINT", "multipoint", ARGS_NONE, 0, 0, 0},
	{"MULTILINESTRING", "multilinestring", ARGS_NONE, 0, 0, 0},
	{"MULTIPOLYGON", "multipolygon", ARGS_NONE, 0, 0, 0},
	{"GEOMETRYCOLLECTION", "geometrycollection", ARGS_NONE, 0, 0, 0},
	{"VECTOR", "vector", ARGS_LENGTH, 0, 0, 0},
};

/* ------------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------------
 */

static bool
parse_number(MsScanner *s, int *number)
{
	if (s->kind != MS_TOKEN_WORD || !isdigit((unsigned char) s->text[0]))
		return false;
	*number = atoi(s->text);
	ms_token_next(s);
	return true;
}

/* (n [, m]); how many there are, -1 when they cannot be read */
static int
parse_numbers(MsScanner *s, int *numbers)
{
	if (!ms_token_accept_punct(s, '('))
		return 0;
	if (!parse_number(s, &numbers[0]))
		return -1;
	if (ms_token_accept_punct(s, ')'))
		return 1;
	if (!ms_token_accept_punct(s, ',') || !parse_number(s, &numbers[1]) ||
		!ms_token_accept_punct(s, ')'))
		return -1;
	return 2;
}

void
ms_parse_quote_text(StringInfo buf, const char *text)
{
	appendStringInfoChar(buf, '\'');
	for (const char *p = text; *p; p++)
	{
		if (*p == '\'' || *p == '\\')
			appendStringInfoChar(buf, *p);
		appendStringInfoChar(buf, *p);
	}
	appendStringInfoChar(buf, '\'');
}

/* Labels lose the blanks at their end. */
static bool
parse_labels(MsScanner *s, StringInfo type)
{
	if (!ms_token_accept_punct(s, '('))
		return false;
	appendStringInfoChar(type, '(');
	for (int n = 0;; n++)
	{
		char	   *label = s->text;
		int			len;

		if (s->kind != MS_TOKEN_STRING)
			return false;
		len = strlen(label);
		while (len > 0 && label[len - 1] == ' ')
			label[--len] = '\0';
		if (n > 0)
			appendStringInfoChar(type, ',');
		ms_parse_quote_text(type, label);
		ms_token_next(s);
		if (!ms_token_accept_punct(s, ','))
			break;
	}
	appendStringInfoChar(type, ')');
	return ms_token_accept_punct(s, ')');
}

/* CHAR VARYING, NATIONAL CHAR, LONG VARCHAR, DOUBLE PRECISION, NCHAR ... */
static const char *
parse_type_words(MsScanner *s, MsSourceColumn *col)
{
	bool		national = ms_token_accept(s, "NATIONAL");
	char	   *word = s->kind == MS_TOKEN_WORD ? s->text : NULL;

	if (word == NULL)
		return NULL;
	ms_token_next(s);
	if (pg_strcasecmp(word, "NCHAR") == 0 || pg_strcasecmp(word, "NVARCHAR") == 0)
	{
		national = true;
		word++;
	}
	if (national)
		col->charset = "utf8mb3";
	if (pg_strcasecmp(word, "LONG") == 0)
	{
		if (ms_token_accept(s, "VARBINARY"))
			return "MEDIUMBLOB";
		if (ms_token_accept(s, "CHAR") || ms_token_accept(s, "CHARACTER"))
			(void) ms_token_accept(s, "VARYING");
		else
			(void) ms_token_accept(s, "VARCHAR");
		return "MEDIUMTEXT";
	}
	if (pg_strcasecmp(word, "CHAR") == 0 || pg_strcasecmp(word, "CHARACTER") == 0)
		return ms_token_accept(s, "VARYING") ? "VARCHAR" : "CHAR";
	if (pg_strcasecmp(word, "DOUBLE") == 0)
		(void) ms_token_accept(s, "PRECISION");
	return word;
}

/* What the word means in the session's sql_mode. */
static const char *
meant_type(const char *word, uint64 sql_mode, bool has_length)
{
	if ((sql_mode & MS_SQL_MODE_REAL_AS_FLOAT) && pg_strcasecmp(word, "REAL") == 0)
		return "FLOAT";
	if ((sql_mode & MS_SQL_MODE_ORACLE) && pg_strcasecmp(word, "DATE") == 0)
		return "DATETIME";
	if ((sql_mode & MS_SQL_MODE_ORACLE) && pg_strcasecmp(word, "BLOB") == 0 &&
		!has_length)
		return "LONGBLOB";
	if ((sql_mode & MS_SQL_MODE_MAXDB) && pg_strcasecmp(word, "TIMESTAMP") == 0)
		return "DATETIME";
	return word;
}

static bool
parse_type(MsParser *parser, MsSourceColumn *col)
{
	MsScanner  *s = &parser->scanner;
	const char *word = parse_type_words(s, col);
	StringInfoData type;
	int			numbers[2] = {0, 0};
	int			count = 0;
	int			n;
	bool		zerofill = false;

	if (word == NULL)
		return false;
	word = meant_type(word, s->sql_mode,
					  s->kind == MS_TOKEN_PUNCT && s->punct == '(');
	for (n = 0; n < (int) lengthof(types); n++)
		if (pg_strcasecmp(types[n].word, word) == 0)
			break;
	if (n == (int) lengthof(types))
		return false;
	col->data_type = pstrdup(types[n].data_type);
	col->char_length = types[n].octets;
	initStringInfo(&type);
	appendStringInfoString(&type, col->data_type);
	if (types[n].args == ARGS_LABELS)
	{
		if (!parse_labels(s, &type))
			return false;
	}
	else if ((count = parse_numbers(s, numbers)) < 0)
		return false;

	for (;;)
	{
		if (ms_token_accept(s, "UNSIGNED"))
			col->is_unsigned = true;
		else if (ms_token_accept(s, "ZEROFILL"))
			zerofill = col->is_unsigned = true;
		else if (!ms_token_accept(s, "SIGNED"))
			break;
	}
	switch (types[n].args)
	{
		case ARGS_WIDTH:
			if (types[n].octets > 0)
			{
				if (count > 0)
				{
					/* the smallest that holds so many */
					ms_ddl_set_long_type(col, strcmp(col->data_type, "text") == 0,
										 numbers[0]);
					resetStringInfo(&type);
					appendStringInfoString(&type, col->data_type);
				}
				break;
			}
			/* FALLTHROUGH */
		case ARGS_NONE:
			if (types[n].width > 0)
				appendStringInfo(&type, "(%d)", count > 0 ? numbers[0] :
								 col->is_unsigned ? types[n].unsigned_width :
								 types[n].width);
			break;
		case ARGS_LENGTH:
			appendStringInfo(&type, "(%d)", count > 0 ? numbers[0] : 1);
			break;
		case ARGS_DECIMAL:
			appendStringInfo(&type, "(%d,%d)", count > 0 && numbers[0] > 0 ? numbers[0] : 10,
							 numbers[1]);
			break;
		case ARGS_FSP:
			if (count > 0 && numbers[0] > 0)
				appendStringInfo(&type, "(%d)", numbers[0]);
			break;
		case ARGS_FLOAT:
			if (count == 1 && numbers[0] > 24)
			{
				col->data_type = "double";
				resetStringInfo(&type);
				appendStringInfoString(&type, "double");
			}
			else if (count == 2)
				appendStringInfo(&type, "(%d,%d)", numbers[0], numbers[1]);
			break;
		case ARGS_LABELS:
			break;
	}
	if (col->is_unsigned)
		appendStringInfoString(&type, zerofill ? " unsigned zerofill" : " unsigned");
	col->column_type = type.data;
	if (pg_strcasecmp(word, "JSON") == 0)
	{
		col->is_json = true;
		col->charset = "utf8mb4";
		col->collation = "utf8mb4_bin";
	}
	ms_source_column_parse_type(col);
	return true;
}

/* ------------------------------------------------------------------------
 * Defaults
 * ------------------------------------------------------------------------
 */

/* NOW(), CURRENT_TIMESTAMP, LOCALTIME(3), ... */
static bool
parse_now(MsScanner *s, char **text)
{
	static const char *const words[] = {
		"CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"
	};
	int			fsp[2] = {0, 0};

	for (int i = 0; i < (int) lengthof(words); i++)
	{
		if (!ms_token_accept(s, words[i]))
			continue;
		if (ms_token_accept_punct(s, '('))
		{
			(void) parse_number(s, &fsp[0]);
			if (!ms_token_accept_punct(s, ')'))
				return false;
		}
		*text = fsp[0] > 0 ? psprintf("current_timestamp(%d)", fsp[0]) :
			"current_timestamp()";
		return true;
	}
	return false;
}

void
ms_parse_quote_name(StringInfo buf, const char *name)
{
	appendStringInfoChar(buf, '`');
	for (; *name; name++)
		appendStringInfo(buf, *name == '`' ? "``" : "%c", *name);
	appendStringInfoChar(buf, '`');
}

/*
 * NEXT VALUE FOR sequence, NEXTVAL(sequence), in parentheses or not: as
 * information_schema has it, with its database.  False when it is not that.
 */
static bool
parse_nextval(MsParser *parser, char **text)
{
	MsScanner	s = parser->scanner;
	bool		in_parentheses = ms_token_accept_punct(&s, '(');
	bool		is_call = ms_token_accept(&s, "NEXTVAL");
	StringInfoData buf;
	char	   *db;
	char	   *name;

	if (is_call ? !ms_token_accept_punct(&s, '(') :
		!(ms_token_accept(&s, "NEXT") && ms_token_accept(&s, "VALUE") &&
		  ms_token_accept(&s, "FOR")))
		return false;
	if (!ms_token_table(&s, parser->default_db, &db, &name) ||
		(is_call && !ms_token_accept_punct(&s, ')')) ||
		(in_parentheses && !ms_token_accept_punct(&s, ')')))
		return false;
	initStringInfo(&buf);
	appendStringInfoString(&buf, "nextval(");
	ms_parse_quote_name(&buf, db);
	appendStringInfoChar(&buf, '.');
	ms_parse_quote_name(&buf, name);
	appendStringInfoChar(&buf, ')');
	*text = buf.data;
	parser->scanner = s;
	return true;
}

/* Behind the word DEFAULT: as information_schema shows it. */
bool
ms_parse_default(MsParser *parser, MsSourceColumn *col)
{
	MsScanner  *s = &parser->scanner;
	const char *start = s->start;
	StringInfoData buf;

	if (parse_now(s, &col->default_text) ||
		parse_nextval(parser, &col->default_text))
		return true;
	/* DATE '2024-05-06' is what '2024-05-06' is */
	if (ms_token_is(s, "DATE") || ms_token_is(s, "TIME") ||
		ms_token_is(s, "TIMESTAMP"))
	{
		MsScanner	ahead = *s;

		ms_token_next(&ahead);
		if (ahead.kind == MS_TOKEN_STRING)
			*s = ahead;
	}
	if (s->kind == MS_TOKEN_STRING)
	{
		initStringInfo(&buf);
		while (s->kind == MS_TOKEN_STRING)
		{
			appendStringInfoString(&buf, s->text);
			ms_token_next(s);
		}
		start = buf.data;
		initStringInfo(&buf);
		ms_parse_quote_text(&buf, start);
		col->default_text = buf.data;
		return true;
	}
	if (s->kind == MS_TOKEN_PUNCT && s->punct == '(')
	{
		ms_token_skip(s);
		col->default_text = ms_parse_text(start, s->previous_end);
		return true;
	}
	if (!ms_token_accept_punct(s, '-'))
		(void) ms_token_accept_punct(s, '+');
	if (s->kind == MS_TOKEN_PUNCT && s->punct == '.')
		ms_token_next(s);
	if (s->kind != MS_TOKEN_WORD)
		return false;
	if (ms_token_is(s, "NULL"))
		col->default_text = "NULL";
	else if (ms_token_is(s, "TRUE"))
		col->default_text = "1";
	else if (ms_token_is(s, "FALSE"))
		col->default_text = "0";
	ms_token_next(s);
	if (col->default_text)
		return true;
	/* a number with a point, a function, x'00', _utf8mb4'text' */
	if (s->start == s->previous_end && ms_token_accept_punct(s, '.'))
	{
		if (s->kind == MS_TOKEN_WORD && s->start == s->previous_end)
			ms_token_next(s);
	}
	else if (s->kind == MS_TOKEN_PUNCT && s->punct == '(')
		ms_token_skip(s);
	else if (s->kind == MS_TOKEN_STRING)
		ms_token_next(s);
	col->default_text = ms_parse_text(start, s->previous_end);
	return true;
}

/* ------------------------------------------------------------------------
 * Attributes
 * ------------------------------------------------------------------------
 */

static void
add_own_index(MsParser *parser, MsSourceColumn *col, bool primary)
{
	MsClause   *clause = parser->own_index;

	/* a column's definition makes one at most */
	if (clause)
	{
		if (primary)
			clause->index->name = "PRIMARY";
		return;
	}
	clause = parser->own_index = ms_parse_add(parser, MS_CLAUSE_ADD_INDEX);
	clause->index = palloc0(sizeof(MsSourceIndex));
	clause->index->name = primary ? "PRIMARY" : NULL;
	clause->index->unique = true;
	clause->index->type = "BTREE";
	clause->index->columns = list_make1(col->name);
	clause->prefixes = list_make1_int(0);
	/* a UNIQUE that is there already stays */
	clause->if_exists = false;
}

static bool
parse_generated(MsParser *parser, MsSourceColumn *col)
{
	MsScanner  *s = &parser->scanner;
	const char *start = s->start;

	if (!(s->kind == MS_TOKEN_PUNCT && s->punct == '('))
	{
		/* AS ROW START, AS ROW END */
		(void) ms_token_accept(s, "ROW");
		if (!ms_token_accept(s, "START") && !ms_token_accept(s, "END"))
			return false;
		col->generated = true;
		col->generation = ms_parse_text(start, s->previous_end);
		return true;
	}
	ms_token_skip(s);
	col->generated = true;
	col->nullable = true;
	col->generation = ms_parse_text(start + 1, s->previous_end - 1);
	if (!ms_token_accept(s, "STORED") && !ms_token_accept(s, "PERSISTENT"))
		(void) ms_token_accept(s, "VIRTUAL");
	return true;
}

/* One attribute: 1 = read, 0 = there is none, -1 = not understood */
static int
parse_attribute(MsParser *parser, MsSourceColumn *col)
{
	MsScanner  *s = &parser->scanner;

	if (ms_token_accept(s, "NOT"))
	{
		col->nullable = false;
		return ms_token_accept(s, "NULL") ? 1 : -1;
	}
	if (ms_token_accept(s, "NULL"))
	{
		col->nullable = col->declared_null = true;
		return 1;
	}
	if (ms_token_accept(s, "DEFAULT"))
		return ms_parse_default(parser, col) ? 1 : -1;
	if (ms_token_accept(s, "AUTO_INCREMENT"))
	{
		col->auto_increment = true;
		col->nullable = false;
		return 1;
	}
	if (ms_token_accept(s, "ON"))
	{
		char	   *text;

		col->on_update_now = true;
		return ms_token_accept(s, "UPDATE") && parse_now(s, &text) ? 1 : -1;
	}
	if (ms_token_accept(s, "UNIQUE"))
	{
		(void) ms_token_accept(s, "KEY");
		add_own_index(parser, col, false);
		return 1;
	}
	if (ms_token_accept(s, "PRIMARY") || ms_token_is(s, "KEY"))
	{
		(void) ms_token_accept(s, "KEY");
		col->nullable = false;
		add_own_index(parser, col, true);
		return 1;
	}
	if (ms_token_accept(s, "COMMENT"))
	{
		if (s->kind != MS_TOKEN_STRING)
			return -1;
		col->comment = s->text;
		ms_token_next(s);
		return 1;
	}
	if (ms_token_accept(s, "CHARSET") || ms_token_accept(s, "CHARACTER"))
	{
		(void) ms_token_accept(s, "SET");
		col->charset = s->text;
		ms_token_next(s);
		return col->charset ? 1 : -1;
	}
	if (ms_token_accept(s, "COLLATE"))
	{
		col->collation = s->text;
		ms_token_next(s);
		return col->collation ? 1 : -1;
	}
	if (ms_token_accept(s, "BINARY"))
	{
		col->collation = MS_COLLATION_BINARY;
		return 1;
	}
	if (ms_token_accept(s, "BYTE"))
	{
		col->charset = "binary";
		return 1;
	}
	if (ms_token_accept(s, "ASCII"))
	{
		col->charset = "latin1";
		return 1;
	}
	if (ms_token_accept(s, "UNICODE"))
	{
		col->charset = "ucs2";
		return 1;
	}
	if (ms_token_accept(s, "GENERATED"))
	{
		(void) ms_token_accept(s, "ALWAYS");
		return ms_token_accept(s, "AS") && parse_generated(parser, col) ? 1 : -1;
	}
	if (ms_token_accept(s, "AS"))
		return parse_generated(parser, col) ? 1 : -1;
	if (ms_token_is(s, "CHECK"))
	{
		/* the one that makes it JSON is not there then */
		col->is_json = false;
		return ms_parse_check(parser, col->name) ? 1 : -1;
	}
	if (ms_token_accept(s, "CONSTRAINT"))
	{
		char	   *name = ms_token_is(s, "CHECK") ? NULL : ms_token_name(s);

		if (ms_token_is(s, "REFERENCES"))
			return 1;
		return ms_parse_check(parser, name) ? 1 : -1;
	}
	if (ms_token_is(s, "REFERENCES"))
	{
		MsSourceForeignKey *fk = palloc0(sizeof(MsSourceForeignKey));

		fk->columns = list_make1(col->name);
		if (!ms_parse_references(parser, fk))
			return -1;
		ms_parse_add(parser, MS_CLAUSE_ADD_FOREIGN_KEY)->foreign_key = fk;
		return 1;
	}
	if (ms_token_accept(s, "INVISIBLE"))
	{
		col->invisible = true;
		return 1;
	}
	if (ms_token_accept(s, "COMPRESSED"))
	{
		if (ms_token_accept_punct(s, '='))
			ms_token_next(s);
		return 1;
	}
	if (ms_token_is(s, "WITH") || ms_token_is(s, "WITHOUT"))
	{
		/* one column is enough to make the table versioned */
		if (ms_token_is(s, "WITH"))
			ms_parse_add(parser, MS_CLAUSE_VERSIONING)->flag = true;
		ms_token_next(s);
		return ms_token_accept(s, "SYSTEM") &&
			ms_token_accept(s, "VERSIONING") ? 1 : -1;
	}
	if (ms_token_accept(s, "REF_SYSTEM_ID"))
	{
		(void) ms_token_accept_punct(s, '=');
		ms_token_next(s);
		return 1;
	}
	return 0;
}

/* Type, attributes and place. */
static bool
parse_definition(MsParser *parser, MsClause *clause)
{
	MsScanner  *s = &parser->scanner;
	MsSourceColumn *col = clause->column;
	int			read;

	if (ms_token_accept(s, "SERIAL"))
	{
		col->data_type = "bigint";
		col->column_type = "bigint(20) unsigned";
		col->is_unsigned = col->auto_increment = true;
		col->nullable = false;
		add_own_index(parser, col, false);
	}
	else if (!parse_type(parser, col))
		return false;
	while ((read = parse_attribute(parser, col)) > 0)
		;
	if (read < 0)
		return false;
	if (ms_token_accept(s, "FIRST"))
		clause->first = true;
	else if (ms_token_accept(s, "AFTER"))
	{
		clause->after = ms_token_name(s);
		return clause->after != NULL;
	}
	return true;
}

/*
 * A column's definition.  old_name is NULL for a new column, "" for MODIFY,
 * where the names are the same.  False when it is not understood: then there
 * is no clause of it, as the column has no type.
 */
bool
ms_parse_column(MsParser *parser, char *old_name, bool if_exists)
{
	MsScanner  *s = &parser->scanner;
	MsSourceColumn *col = palloc0(sizeof(MsSourceColumn));
	MsClause   *clause;

	if (s->kind != MS_TOKEN_WORD && s->kind != MS_TOKEN_NAME)
		return false;
	col->name = ms_token_name(s);
	/* [[db.]table.]column */
	while (col->name && ms_token_accept_punct(s, '.'))
		col->name = ms_token_name(s);
	if (col->name == NULL)
		return false;
	col->nullable = true;
	parser->own_index = NULL;
	clause = ms_parse_add(parser, old_name ? MS_CLAUSE_CHANGE_COLUMN :
						  MS_CLAUSE_ADD_COLUMN);
	clause->column = col;
	clause->if_exists = if_exists;
	clause->name = old_name && old_name[0] ? old_name : col->name;
	if (parse_definition(parser, clause))
		return true;
	parser->ddl->clauses = list_delete_ptr(parser->ddl->clauses, clause);
	return false;
}
