/*
 * typemap.c - MariaDB's column types in PostgreSQL's words.
 *
 * Owns what a DATA_TYPE and a COLUMN_TYPE of information_schema mean, which
 * type a column gets by default, and which pairs of source and target type
 * lose nothing.  A pair that could lose something is refused here, when a
 * table is mapped, with the column named; value_build.c then trusts widths.
 *
 * The statements that create tables, indexes and foreign keys are in
 * typemap_table.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/datetime.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "encoding.h"
#include "role.h"
#include "typemap.h"

/* of DECIMAL without one, as MariaDB has it */
#define DEFAULT_DECIMAL_PRECISION	10

/* of a uuid in its usual form */
#define UUID_TEXT_LEN	36

/* PostgreSQL's vectors are not as long as MariaDB's */
#define MAX_PGVECTOR_DIMENSIONS	16000
/* the most that MariaDB has, which is what readers and builders have room for */
#define MAX_DECIMAL_PRECISION	65
#define MAX_DECIMAL_SCALE		38
#define MAX_BITS				64
#define MAX_FSP					6

typedef struct DataType
{
	const char *name;
	MsKind		kind;
	uint8		int_width;
} DataType;

static const DataType data_types[] = {
	{"tinyint", MS_KIND_INT, 1},
	{"smallint", MS_KIND_INT, 2},
	{"mediumint", MS_KIND_INT, 3},
	{"int", MS_KIND_INT, 4},
	{"integer", MS_KIND_INT, 4},
	{"bigint", MS_KIND_INT, 8},
	{"decimal", MS_KIND_DECIMAL, 0},
	{"numeric", MS_KIND_DECIMAL, 0},
	{"float", MS_KIND_FLOAT, 0},
	{"double", MS_KIND_DOUBLE, 0},
	{"real", MS_KIND_DOUBLE, 0},
	{"bit", MS_KIND_BIT, 0},
	{"date", MS_KIND_DATE, 0},
	{"datetime", MS_KIND_DATETIME, 0},
	{"timestamp", MS_KIND_TIMESTAMP, 0},
	{"time", MS_KIND_TIME, 0},
	{"year", MS_KIND_YEAR, 0},
	{"char", MS_KIND_TEXT, 0},
	{"varchar", MS_KIND_TEXT, 0},
	{"tinytext", MS_KIND_TEXT, 0},
	{"text", MS_KIND_TEXT, 0},
	{"mediumtext", MS_KIND_TEXT, 0},
	{"longtext", MS_KIND_TEXT, 0},
	{"binary", MS_KIND_BYTES, 0},
	{"varbinary", MS_KIND_BYTES, 0},
	{"tinyblob", MS_KIND_BYTES, 0},
	{"blob", MS_KIND_BYTES, 0},
	{"mediumblob", MS_KIND_BYTES, 0},
	{"longblob", MS_KIND_BYTES, 0},
	{"enum", MS_KIND_ENUM, 0},
	{"set", MS_KIND_SET, 0},
	{"json", MS_KIND_JSON, 0},
	{"uuid", MS_KIND_UUID, 0},
	{"inet4", MS_KIND_INET4, 0},
	{"inet6", MS_KIND_INET6, 0},
	{"geometry", MS_KIND_GEOMETRY, 0},
	{"point", MS_KIND_GEOMETRY, 0},
	{"linestring", MS_KIND_GEOMETRY, 0},
	{"polygon", MS_KIND_GEOMETRY, 0},
	{"multipoint", MS_KIND_GEOMETRY, 0},
	{"multilinestring", MS_KIND_GEOMETRY, 0},
	{"multipolygon", MS_KIND_GEOMETRY, 0},
	{"geometrycollection", MS_KIND_GEOMETRY, 0},
	{"geomcollection", MS_KIND_GEOMETRY, 0},
	{"vector", MS_KIND_VECTOR, 0},
};

/*
 * Take one label of an ENUM or SET, p being behind its opening quote.
 * information_schema doubles quotes and escapes backslash, newline, carriage
 * return and NUL, whatever the session's sql_mode.  Returns the byte behind
 * the closing quote.
 */
static const char *
parse_label(const char *p, char **label)
{
	char	   *out = palloc(strlen(p) + 1);

	*label = out;
	for (; *p; p++)
	{
		if (*p == '\'')
		{
			if (p[1] != '\'')
				break;
			p++;
		}
		else if (*p == '\\' && p[1] != '\0')
		{
			p++;
			if (*p == 'n' || *p == 'r' || *p == '0')
			{
				/* a label with a NUL byte ends there */
				*out++ = *p == 'n' ? '\n' : *p == 'r' ? '\r' : '\0';
				continue;
			}
		}
		*out++ = *p;
	}
	*out = '\0';
	return *p ? p + 1 : p;
}

/*
 * Fill the fields that COLUMN_TYPE alone tells: is_unsigned and labels, and,
 * when they are in it, precision, scale, fsp and char_length.  data_type is
 * set when it is NULL.  Never fails: a type that nobody knows is refused by
 * ms_typemap_init_column().
 */
void
ms_source_column_parse_type(MsSourceColumn *col)
{
	const char *p = col->column_type;
	Size		name_len = strcspn(p, " (");
	char	   *name = asc_tolower(p, name_len);
	int			args[2] = {-1, 0};

	if (col->data_type == NULL)
		col->data_type = name;
	col->labels = NIL;
	p += name_len;
	if (*p == '(')
	{
		for (int n = 0; *p && *p != ')';)
		{
			char	   *label;

			p++;
			if (*p == '\'')
			{
				p = parse_label(p + 1, &label);
				col->labels = lappend(col->labels, label);
			}
			else if (*p >= '0' && *p <= '9')
			{
				if (n < 2)
					args[n++] = atoi(p);
				p += strspn(p, "0123456789");
			}
		}
	}
	/* ZEROFILL implies it, and MariaDB says so */
	col->is_unsigned = strstr(p, "unsigned") != NULL;

	if (args[0] < 0)
		return;
	if (strcmp(name, "decimal") == 0 || strcmp(name, "numeric") == 0)
	{
		col->precision = args[0];
		col->scale = args[1];
	}
	else if (strcmp(name, "bit") == 0 || strcmp(name, "vector") == 0 ||
			 strcmp(name, "year") == 0)
		col->precision = args[0];
	else if (strcmp(name, "datetime") == 0 || strcmp(name, "time") == 0 ||
			 strcmp(name, "timestamp") == 0)
		col->fsp = args[0];
	else if (strcmp(name, "char") == 0 || strcmp(name, "varchar") == 0 ||
			 strcmp(name, "binary") == 0 || strcmp(name, "varbinary") == 0)
		col->char_length = args[0];
}

/*
 * The other way: write the labels into COLUMN_TYPE.
 */
void
ms_source_column_write_labels(MsSourceColumn *col)
{
	const char *end = strrchr(col->column_type, ')');
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, col->column_type,
						   strcspn(col->column_type, "("));
	foreach(lc, col->labels)
	{
		appendStringInfoString(&buf, foreach_current_index(lc) ? ",'" : "('");
		for (const char *p = lfirst(lc); *p; p++)
		{
			if (*p == '\'' || *p == '\\')
				appendStringInfoChar(&buf, *p);
			if (*p == '\n')
				appendStringInfoString(&buf, "\\n");
			else if (*p == '\r')
				appendStringInfoString(&buf, "\\r");
			else
				appendStringInfoChar(&buf, *p);
		}
		appendStringInfoChar(&buf, '\'');
	}
	appendStringInfoString(&buf, end ? end : ")");
	col->column_type = buf.data;
}

/* TINYINT(1) is what MariaDB makes of BOOLEAN */
static bool
is_tinyint1(const MsSourceColumn *source)
{
	return strncmp(source->column_type, "tinyint(1)", 10) == 0;
}

static void
bind_charset(MsColumn *col, const char *charset)
{
	if (!ms_charset_bind(charset, &col->transcode, &col->transcode_arg))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("character set \"%s\" of column \"%s\" is not supported",
						charset, col->name)));
}

static void
set_labels(MsColumn *col, const MsSourceColumn *source)
{
	ListCell   *lc;
	int			n = 0;

	col->nlabels = list_length(source->labels);
	if (col->nlabels == 0 || (col->kind == MS_KIND_SET && col->nlabels > 64))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("could not read the labels of column \"%s\"",
						col->name),
				 errdetail("Its type is %s.", source->column_type)));
	col->labels = palloc(sizeof(char *) * col->nlabels);
	foreach(lc, source->labels)
		col->labels[n++] = pstrdup(lfirst(lc));
}

static bool
is_within(int n, int max)
{
	return n >= 0 && n <= max;
}

/* Does MariaDB have this type in this width? */
static bool
is_possible_width(MsKind kind, const MsSourceColumn *source)
{
	switch (kind)
	{
		case MS_KIND_DECIMAL:
			return is_within(source->precision, MAX_DECIMAL_PRECISION) &&
				is_within(source->scale, MAX_DECIMAL_SCALE);
		case MS_KIND_BIT:
			return is_within(source->precision, MAX_BITS);
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
		case MS_KIND_TIME:
			return is_within(source->fsp, MAX_FSP);
		default:
			return true;
	}
}

/*
 * Set the source side of a column from its recorded definition, and leave the
 * target unbound.  Allocates in CurrentMemoryContext.
 *
 * A type or character set that we do not know is an error, as its values
 * could not even be read over.
 */
void
ms_typemap_init_column(MsColumn *col, const MsSourceColumn *source)
{
	const DataType *type = NULL;

	for (Size i = 0; i < lengthof(data_types); i++)
		if (strcmp(data_types[i].name, source->data_type) == 0)
			type = &data_types[i];
	if (type == NULL || !is_possible_width(type->kind, source))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type %s of column \"%s\" is not supported",
						source->column_type, source->name)));

	memset(col, 0, sizeof(MsColumn));
	col->name = pstrdup(source->name);
	col->source_type = pstrdup(source->column_type);
	col->kind = type->kind;
	col->charset = source->charset ? pstrdup(source->charset) : "binary";
	col->attidx = -1;
	col->typmod = -1;
	if (source->is_json && col->kind == MS_KIND_TEXT)
		col->kind = MS_KIND_JSON;

	switch (col->kind)
	{
		case MS_KIND_INT:
			if (source->is_unsigned)
				col->kind = MS_KIND_UINT;
			col->int_width = type->int_width;
			break;
		case MS_KIND_DECIMAL:
			col->precision = source->precision ? source->precision :
				DEFAULT_DECIMAL_PRECISION;
			col->scale = source->scale;
			break;
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
		case MS_KIND_TIME:
			col->fsp = source->fsp;
			break;
		case MS_KIND_YEAR:
		case MS_KIND_VECTOR:
			col->length = source->precision;
			break;
		case MS_KIND_BIT:
			col->length = Max(1, source->precision);
			break;
		case MS_KIND_TEXT:
			col->is_char = strcmp(source->data_type, "char") == 0;
			if (col->is_char || strcmp(source->data_type, "varchar") == 0)
				col->length = source->char_length;
			bind_charset(col, source->charset ? source->charset : "binary");
			break;
		case MS_KIND_JSON:
			bind_charset(col, source->charset ? source->charset : "utf8mb4");
			break;
		case MS_KIND_BYTES:
			if (strcmp(source->data_type, "binary") == 0)
				col->length = source->char_length;
			break;
		case MS_KIND_ENUM:
		case MS_KIND_SET:
			set_labels(col, source);
			break;
		default:
			break;
	}
}

/*
 * Widths.  What a source's values need at most:
 */

/* bits without sign of a kind that is a whole number, 0 for other kinds */
static int
integer_bits(const MsColumn *col)
{
	switch (col->kind)
	{
		case MS_KIND_INT:
			return col->int_width * 8 - 1;
		case MS_KIND_UINT:
			return col->int_width * 8;
		case MS_KIND_YEAR:
			return 12;
		case MS_KIND_BIT:
			return col->length;
		default:
			return 0;
	}
}

/* decimal digits before the point */
static int
integer_digits(const MsColumn *col)
{
	if (col->kind == MS_KIND_DECIMAL)
		return col->precision - col->scale;
	/* 2^64 has 20 digits, and log10(2) is a bit below 0.30103 */
	return (int) (integer_bits(col) * 0.30103) + 1;
}

/* characters of a text form, as ms_value_format() prints it */
static int
format_length(const MsColumn *col)
{
	int			fraction = col->fsp > 0 ? col->fsp + 1 : 0;

	switch (col->kind)
	{
		case MS_KIND_INT:
			return integer_digits(col) + 1;
		case MS_KIND_UINT:
			return integer_digits(col);
		case MS_KIND_FLOAT:
			return 16;
		case MS_KIND_DOUBLE:
			return 25;
		case MS_KIND_DECIMAL:
			return col->precision + 3;
		case MS_KIND_YEAR:
			return 4;
		case MS_KIND_DATE:
			return 10;
		case MS_KIND_DATETIME:
		case MS_KIND_TIMESTAMP:
			return 19 + fraction;
		case MS_KIND_TIME:
			return 10 + fraction;
		case MS_KIND_BIT:
			return col->length;
		case MS_KIND_UUID:
			return 36;
		case MS_KIND_INET4:
			return 15;
		case MS_KIND_INET6:
			return 45;
		default:
			return 0;
	}
}

/* characters of a kind that becomes text; 0 = any number */
static int64
text_length(const MsColumn *col, const MsSourceColumn *source)
{
	int64		length = 0;

	switch (col->kind)
	{
		case MS_KIND_TEXT:
			/* a TEXT's limit is in bytes, so its characters keep it too */
			if (source->char_length > 0)
				return source->char_length;
			/* CHAR(0) and VARCHAR(0) hold the empty string */
			return strstr(source->data_type, "char") ? 1 : 0;
		case MS_KIND_ENUM:
			for (int i = 0; i < col->nlabels; i++)
				length = Max(length, pg_mbstrlen(col->labels[i]));
			return Max(1, length);
		case MS_KIND_SET:
			for (int i = 0; i < col->nlabels; i++)
				length += pg_mbstrlen(col->labels[i]) + 1;
			return length - 1;
		default:
			return format_length(col);
	}
}

/* Does NUMERIC with this typmod hold every value? */
static bool
fits_numeric(const MsColumn *col, int32 typmod)
{
	int			precision;
	int			scale;

	if (typmod < (int32) VARHDRSZ)
		return true;
	precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	/* eleven bits with sign */
	scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	return scale >= col->scale && precision - scale >= integer_digits(col);
}

static bool
fits_integer(const MsColumn *col, int bits, int digits)
{
	if (col->kind == MS_KIND_DECIMAL)
		return col->scale == 0 && col->precision <= digits;
	return integer_bits(col) <= bits;
}

static bool
fits_interval(const MsColumn *col, int32 typmod)
{
	int			time_fields = INTERVAL_MASK(HOUR) | INTERVAL_MASK(MINUTE) |
	INTERVAL_MASK(SECOND);

	if (typmod < 0)
		return true;
	if (INTERVAL_PRECISION(typmod) != INTERVAL_FULL_PRECISION &&
		INTERVAL_PRECISION(typmod) < col->fsp)
		return false;
	return (INTERVAL_RANGE(typmod) & time_fields) == time_fields;
}

/*
 * Does the target type hold every value that the column can have?  A builder
 * for the pair exists.
 */
static bool
fits_target(const MsColumn *col, const MsSourceColumn *source)
{
	int32		typmod = col->typmod;

	switch (col->typid)
	{
		case BOOLOID:
			return col->kind == MS_KIND_BIT ? col->length == 1 :
				is_tinyint1(source);
		case INT2OID:
			return fits_integer(col, 15, 4);
		case INT4OID:
			return fits_integer(col, 31, 9);
		case INT8OID:
			return col->kind == MS_KIND_UINT || fits_integer(col, 63, 18);
		case FLOAT8OID:
			return integer_bits(col) <= 53;
		case NUMERICOID:
			return fits_numeric(col, typmod);
		case VARCHAROID:
		case BPCHAROID:
			/* blanks at the end have no meaning in bpchar */
			if (col->typid == BPCHAROID && !col->is_char)
				return false;
			if (typmod < (int32) VARHDRSZ)
				return true;
			return text_length(col, source) > 0 &&
				text_length(col, source) <= typmod - (int32) VARHDRSZ;
		case TIMESTAMPTZOID:
			if (col->kind == MS_KIND_DATETIME && col->zone == NULL)
				return false;
			return typmod < 0 || typmod >= col->fsp;
		case TIMEOID:
		case TIMESTAMPOID:
			return typmod < 0 || typmod >= col->fsp;
		case INTERVALOID:
			return fits_interval(col, typmod);
		case BITOID:
			return typmod < 0 || (uint32) typmod == col->length;
		case VARBITOID:
			return typmod < 0 || (uint32) typmod >= col->length;
		case UUIDOID:
			if (col->kind == MS_KIND_TEXT)
				return col->length == UUID_TEXT_LEN;
			return col->kind == MS_KIND_UUID || col->length == UUID_LEN;
		default:
			return true;
	}
}

/*
 * A label that this database cannot write would become another one.
 */
static void
check_label_encoding(const MsColumn *col)
{
	for (int i = 0; i < col->nlabels; i++)
		if (ms_has_lost_characters(col->labels[i]))
			ereport(ERROR,
					(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
					 errmsg("label %d of column \"%s\" has characters that the server's encoding \"%s\" lacks",
							i + 1, col->name, GetDatabaseEncodingName()),
					 errdetail("Its type is %s.", col->source_type),
					 errhint("Leave the column out with mariadb_sync.add_table(..., columns => '{\"%s\": false}'), or use a database with the encoding UTF8.",
							 col->name)));
}

/*
 * Text datums of an ENUM's or SET's labels, [0] being the empty string.
 */
static void
make_text_labels(MsColumn *col)
{
	col->label_datums = palloc(sizeof(Datum) * (col->nlabels + 1));
	col->label_datums[0] = CStringGetTextDatum("");
	for (int i = 0; i < col->nlabels; i++)
		col->label_datums[i + 1] = CStringGetTextDatum(col->labels[i]);
}

/*
 * An ENUM to one of PostgreSQL's.  Returns the label that the target lacks, or
 * NULL.  The empty string that MariaDB puts in place of what was not valid
 * need not be there.
 */
static const char *
make_enum_labels(MsColumn *col)
{
	col->label_datums = palloc(sizeof(Datum) * (col->nlabels + 1));
	for (int i = 0; i <= col->nlabels; i++)
	{
		const char *label = i == 0 ? "" : col->labels[i - 1];
		Oid			oid = InvalidOid;

		if (strlen(label) < NAMEDATALEN)
			oid = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
								  ObjectIdGetDatum(col->typid),
								  CStringGetDatum(label));
		if (i > 0 && !OidIsValid(oid))
			return label;
		col->label_datums[i] = ObjectIdGetDatum(oid);
	}
	return NULL;
}

/*
 * The type of that name of an extension, or InvalidOid where it is not
 * installed.
 */
static Oid
extension_type(const char *extension, const char *name)
{
	Oid			extension_oid = get_extension_oid(extension, true);
	Oid			result = InvalidOid;
	CatCList   *types;

	if (!OidIsValid(extension_oid))
		return InvalidOid;
	types = SearchSysCacheList1(TYPENAMENSP, CStringGetDatum(name));
	for (int i = 0; i < types->n_members; i++)
	{
		Form_pg_type type = (Form_pg_type) GETSTRUCT(&types->members[i]->tuple);

		if (getExtensionOfObject(TypeRelationId, type->oid) == extension_oid)
			result = type->oid;
	}
	ReleaseCatCacheList(types);
	return result;
}

/* PostGIS' geometry for a geometry, pgvector's vector for a vector */
static Oid
kind_extension_type(MsKind kind)
{
	if (kind == MS_KIND_GEOMETRY)
		return extension_type("postgis", "geometry");
	if (kind == MS_KIND_VECTOR)
		return extension_type("vector", "vector");
	return InvalidOid;
}

/*
 * Targets that no builder is made for: an enum type, and the types of
 * extensions: a string type such as citext, PostGIS' and pgvector's.  Sets
 * what is missing when it answers NULL.
 */
static MsBuildFn
choose_other_builder(MsColumn *col, const char **missing_label)
{
	char		typtype = get_typtype(col->typid);
	char		category;
	bool		preferred;
	Oid			in_func;

	if (typtype == TYPTYPE_ENUM && col->kind == MS_KIND_ENUM)
	{
		*missing_label = make_enum_labels(col);
		return *missing_label ? NULL : ms_value_build_label;
	}
	if (col->typid == kind_extension_type(col->kind))
	{
		if (col->kind == MS_KIND_VECTOR &&
			(col->length > MAX_PGVECTOR_DIMENSIONS ||
			 (col->typmod >= 0 && (uint32) col->typmod != col->length)))
			return NULL;
		getTypeBinaryInputInfo(col->typid, &in_func, &col->in_typioparam);
		fmgr_info(in_func, &col->in_func);
		return col->kind == MS_KIND_VECTOR ? ms_value_build_vector :
			ms_value_build_geometry;
	}
	get_type_category_preferred(col->typid, &category, &preferred);
	if (typtype != TYPTYPE_BASE || category != TYPCATEGORY_STRING ||
		col->typid < FirstNormalObjectId ||
		(col->kind != MS_KIND_TEXT && col->kind != MS_KIND_JSON))
		return NULL;
	getTypeInputInfo(col->typid, &in_func, &col->in_typioparam);
	fmgr_info(in_func, &col->in_func);
	return ms_value_build_input;
}

/*
 * Domains: the base type's datum, then the domain's constraints.  MariaDB knew
 * nothing of them when it accepted the row.
 */
static void
check_domain(MsColumn *col, Datum value, bool isnull)
{
	bool		as_other = OidIsValid(col->domain_role) && superuser();
	MsRole		before;

	if (as_other)
		ms_role_become(col->domain_role, &before);
	domain_check(value, isnull, col->domain, &col->domain_cache,
				 col->domain_cxt);
	if (as_other)
		ms_role_return(&before);
}

static Datum
build_domain(MsColumn *col, const MsValue *v, bool *isnull)
{
	Datum		result = col->base_build(col, v, isnull);

	check_domain(col, result, *isnull);
	return result;
}

static void
check_domain_null(MsColumn *col)
{
	check_domain(col, (Datum) 0, true);
}

static void
bind_domain(MsColumn *col, Oid domain)
{
	Oid			role = ms_role_for_domain(BOOTSTRAP_SUPERUSERID, domain);

	col->domain = domain;
	col->domain_role = role == BOOTSTRAP_SUPERUSERID ? InvalidOid : role;
	col->domain_cxt = CurrentMemoryContext;
	col->base_build = col->build;
	col->build = build_domain;
	col->check_null = check_domain_null;
}

/* What holds for the column: its own options, or the subscription's. */
const MsColumnOptions *
ms_typemap_column_options(const MsSourceColumn *source,
						  const MsSubscriptionOptions *options)
{
	return source->options ? source->options : &options->columns;
}

/* The name of the column in the target; NULL = it is left out. */
const char *
ms_typemap_target_name(const MsSourceColumn *source)
{
	if (source->options && source->options->omitted)
		return NULL;
	if (source->options && source->options->name)
		return source->options->name;
	/* a period that SELECT * does not show */
	if (source->invisible && (ms_source_column_is_row_start(source) ||
							  ms_source_column_is_row_end(source)))
		return NULL;
	return source->name;
}

/*
 * What to do about a pair of types that was refused.
 */
static char *
refusal_hint(const MsColumn *col, const MsSourceColumn *source,
			 const MsSubscriptionOptions *options)
{
	if (col->kind == MS_KIND_DATETIME && col->typid == TIMESTAMPTZOID &&
		col->zone == NULL)
		return psprintf("A DATETIME has no time zone. Name the one it is meant in with mariadb_sync.add_table(..., columns => '{\"%s\": {\"zone\": \"UTC\"}}'), or make the target column %s.",
						source->name, ms_typemap_default_type(source, options));
	return psprintf("Make the target column %s.",
					ms_typemap_default_type(source, options));
}

/*
 * Give a column its target, attribute attidx of type typid and typmod, and
 * the builder for it.  Allocates in CurrentMemoryContext.  A target that could
 * lose something of a value is an error.
 */
void
ms_typemap_bind_target(MsColumn *col, const MsSourceColumn *source,
					   int attidx, Oid typid, int32 typmod,
					   const MsSubscriptionOptions *options)
{
	const MsColumnOptions *own = ms_typemap_column_options(source, options);
	const char *missing_label = NULL;
	MsBuildFn	build;

	col->typmod = typmod;
	col->typid = getBaseTypeAndTypmod(typid, &col->typmod);
	col->policies = own->policies;
	col->zone = own->zone ? pg_tzset(own->zone) : NULL;
	check_label_encoding(col);
	build = ms_value_builder(col->kind, col->typid);
	if (build && !fits_target(col, source))
		build = NULL;
	else if (build == NULL)
		build = choose_other_builder(col, &missing_label);
	else if (col->kind == MS_KIND_ENUM || col->kind == MS_KIND_SET)
		make_text_labels(col);

	if (build == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s does not fit into type %s",
						col->name, col->source_type,
						format_type_with_typemod(typid, typmod)),
				 missing_label ?
				 errdetail("The target type has no label \"%s\".", missing_label) :
				 errdetail("A value could be changed or lost."),
				 errhint("%s", refusal_hint(col, source, options))));
	col->attidx = attidx;
	col->build = build;
	if (col->typid != typid)
		bind_domain(col, typid);
}

/*
 * The type of a source column in a table that we create.
 */
char *
ms_typemap_default_type(const MsSourceColumn *source,
						const MsSubscriptionOptions *options)
{
	const MsColumnOptions *own = ms_typemap_column_options(source, options);
	MsColumn	col;
	Oid			typid;

	ms_typemap_init_column(&col, source);
	switch (col.kind)
	{
		case MS_KIND_INT:
		case MS_KIND_UINT:
			if (own->tinyint1_as_boolean && is_tinyint1(source))
				return "boolean";
			if (integer_bits(&col) <= 15)
				return "smallint";
			if (integer_bits(&col) <= 31)
				return "integer";
			if (integer_bits(&col) <= 63)
				return "bigint";
			return own->unsigned_bigint_as_bigint ? "bigint" : "numeric(20,0)";
		case MS_KIND_DECIMAL:
			return psprintf("numeric(%d,%d)", col.precision, col.scale);
		case MS_KIND_FLOAT:
			return "real";
		case MS_KIND_DOUBLE:
			return "double precision";
		case MS_KIND_BIT:
			return psprintf("bit(%u)", col.length);
		case MS_KIND_YEAR:
			return "smallint";
		case MS_KIND_DATE:
			return "date";
		case MS_KIND_DATETIME:
			return psprintf(own->zone ? "timestamp(%d) with time zone" :
							"timestamp(%d) without time zone", col.fsp);
		case MS_KIND_TIMESTAMP:
			return psprintf("timestamp(%d) with time zone", col.fsp);
		case MS_KIND_TIME:
			return "interval";
		case MS_KIND_TEXT:
			if (strstr(source->data_type, "char"))
				return psprintf("character varying(%u)", Max(1, col.length));
			return "text";
		case MS_KIND_ENUM:
			return "text";
		case MS_KIND_SET:
			return "text[]";
		case MS_KIND_JSON:
			return own->json_as_jsonb ? "jsonb" : "json";
		case MS_KIND_UUID:
			return "uuid";
		case MS_KIND_INET4:
		case MS_KIND_INET6:
			return "inet";
		case MS_KIND_BYTES:
			return "bytea";
		case MS_KIND_GEOMETRY:
			typid = kind_extension_type(col.kind);
			return OidIsValid(typid) ? format_type_be_qualified(typid) :
				"bytea";
		case MS_KIND_VECTOR:
			typid = kind_extension_type(col.kind);
			return OidIsValid(typid) && col.length > 0 &&
				col.length <= MAX_PGVECTOR_DIMENSIONS ?
				psprintf("%s(%u)", format_type_be_qualified(typid), col.length) :
				"real[]";
	}
	elog(ERROR, "unknown kind of column %d", col.kind);
	return NULL;
}

/*
 * How the column is selected from the source so that ms_value_bind_protocol()
 * knows its bytes: labels as their number, which the binlog has, addresses as
 * bytes, and all of a YEAR(2), which shows two digits of 1901 to 2155 and its
 * zero as 1900.  All others are as they should be.
 */
char *
ms_typemap_select_expression(const MsSourceColumn *source)
{
	char	   *name = ms_wire_quote_identifier(source->name);

	if (strcmp(source->data_type, "enum") == 0 ||
		strcmp(source->data_type, "set") == 0)
		return psprintf("%s | 0", name);
	if (strcmp(source->data_type, "uuid") == 0 ||
		strcmp(source->data_type, "inet6") == 0)
		return psprintf("CAST(%s AS BINARY(16))", name);
	if (strcmp(source->data_type, "inet4") == 0)
		return psprintf("CAST(%s AS BINARY(4))", name);
	if (strcmp(source->data_type, "year") == 0 && source->precision == 2)
		return psprintf("IF(YEAR(%s) = 1900, 0, YEAR(%s)) | 0", name, name);
	return name;
}
