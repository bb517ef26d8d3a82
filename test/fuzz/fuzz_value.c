/*
 * fuzz_value.c - rows of both dialects through the readers and builders.
 *
 * An input describes a table and ends with the bytes of its rows.  Numbers are
 * little-endian:
 *
 *   settings      1 byte, see SETTING_
 *   server        1 byte: the server's encoding
 *   policies      1 byte: zero_date in the lower half, nul_byte in the upper
 *   ncolumns      1 byte; then for each column
 *     length      2 bytes, of the text that follows
 *     type        COLUMN_TYPE, as in information_schema
 *     length      1 byte, of the text that follows
 *     charset     CHARACTER_SET_NAME; when it has no length there is none
 *     flags       1 byte, see COLUMN_
 *     target      1 byte: 0 = the default type, otherwise an index into targets
 *     typmod      2 bytes, for a target that is not the default
 *     wire type   1 byte, and
 *     wire meta   2 bytes: those of the table map
 *   bitmap        only when SETTING_BITMAP is set: the columns in the image
 *   rows          to the end
 *
 * The columns go the way that the columns of a plan go: what
 * information_schema says is parsed, gets a target, and is compared with the
 * table map.  What any of these refuses ends the input.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "typemap.h"

#include "pg_stub.h"

#define SETTING_PROTOCOL	0x01
#define SETTING_BITMAP		0x02
#define SETTING_BOOLEAN		0x04
#define SETTING_JSONB		0x08
#define SETTING_REPLACE		0x10	/* what cannot be translated */
#define SETTING_ZONE		0x20
#define SETTING_EXTENSIONS	0x40	/* PostGIS and pgvector are there */

#define COLUMN_JSON			0x01
#define COLUMN_UNMAPPED		0x02
#define COLUMN_DOMAIN		0x04

#define MAX_ROWS			64

static const int encodings[] = {
	PG_UTF8, PG_SQL_ASCII, PG_LATIN1, PG_EUC_JP
};

static const Oid targets[] = {
	InvalidOid, BOOLOID, INT2OID, INT4OID, INT8OID, NUMERICOID, FLOAT4OID,
	FLOAT8OID, TEXTOID, VARCHAROID, BPCHAROID, BYTEAOID, UUIDOID, DATEOID,
	TIMEOID, TIMESTAMPOID, TIMESTAMPTZOID, INTERVALOID, BITOID, VARBITOID,
	JSONOID, JSONBOID, INETOID, TEXTARRAYOID, FLOAT4ARRAYOID, STUB_ENUM_OID,
	STUB_STRING_OID, STUB_GEOMETRY_OID, STUB_VECTOR_OID
};

/* the words of ms_typemap_default_type() */
typedef struct DefaultType
{
	const char *name;
	Oid			typid;
}			DefaultType;

static const DefaultType default_types[] = {
	{"boolean", BOOLOID},
	{"smallint", INT2OID},
	{"integer", INT4OID},
	{"bigint", INT8OID},
	{"numeric", NUMERICOID},
	{"real", FLOAT4OID},
	{"double precision", FLOAT8OID},
	{"bit", BITOID},
	{"date", DATEOID},
	{"timestamp without time zone", TIMESTAMPOID},
	{"timestamp with time zone", TIMESTAMPTZOID},
	{"interval", INTERVALOID},
	{"character varying", VARCHAROID},
	{"text", TEXTOID},
	{"text[]", TEXTARRAYOID},
	{"json", JSONOID},
	{"jsonb", JSONBOID},
	{"uuid", UUIDOID},
	{"inet", INETOID},
	{"bytea", BYTEAOID},
	{"real[]", FLOAT4ARRAYOID},
	{"public.geometry", STUB_GEOMETRY_OID},
	{"public.vector", STUB_VECTOR_OID}
};

typedef struct Input
{
	const uint8 *p;
	const uint8 *end;
}			Input;

static unsigned
next_u8(Input * in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static unsigned
next_u16(Input * in)
{
	unsigned	low = next_u8(in);

	return low | next_u8(in) << 8;
}

/* A text of up to len bytes. */
static char *
next_text(Input * in, size_t len)
{
	char	   *result;

	len = Min(len, (size_t) (in->end - in->p));
	result = pnstrdup((const char *) in->p, len);
	in->p += len;
	return result;
}

/*
 * A typmod of the sort that the type has.
 */
static int32
make_typmod(Oid typid, int a, int b)
{
	if (a < 0)
		return -1;
	switch (typid)
	{
		case NUMERICOID:
			return ((a << 16) | (b & 0x7ff)) + VARHDRSZ;
		case VARCHAROID:
		case BPCHAROID:
			return a + VARHDRSZ;
		case BITOID:
		case VARBITOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case STUB_VECTOR_OID:
			return a;
		default:
			return -1;
	}
}

/*
 * What parseTypeString() would say.
 */
static void
parse_type_name(const char *text, Oid *typid, int32 *typmod)
{
	const char *args = strchr(text, '(');
	int			a = -1;
	int			b = 0;
	char	   *name = pstrdup(text);

	if (args)
	{
		const char *behind = strchr(args, ')');

		a = atoi(args + 1);
		if (strchr(args, ','))
			b = atoi(strchr(args, ',') + 1);
		strcpy(name + (args - text), behind + 1);
	}
	for (Size i = 0; i < lengthof(default_types); i++)
	{
		if (strcmp(default_types[i].name, name) == 0)
		{
			*typid = default_types[i].typid;
			*typmod = make_typmod(*typid, a, b);
			return;
		}
	}
	stub_finding("unknown default type %s", text);
}

/*
 * Labels that are written into the type are the labels that are read from it.
 */
static void
check_labels(const MsSourceColumn *source)
{
	MsSourceColumn copy = *source;

	ms_source_column_write_labels(&copy);
	ms_source_column_parse_type(&copy);
	if (list_length(copy.labels) != list_length(source->labels))
		stub_finding("labels are lost: %s became %s", source->column_type,
					 copy.column_type);
	for (int i = 0; i < list_length(copy.labels); i++)
		if (strcmp(list_nth(copy.labels, i), list_nth(source->labels, i)) != 0)
			stub_finding("a label has changed: %s became %s",
						 source->column_type, copy.column_type);
}

/*
 * Read a column's description and do what relmap.c does when it makes a plan.
 * Returns whether the table map agrees.
 */
static bool
bind_column(Input * in, MsColumn *col, int attidx,
			const MsSubscriptionOptions *options, bool protocol)
{
	MsSourceColumn *source = palloc0(sizeof(MsSourceColumn));
	char	   *charset;
	unsigned	flags;
	unsigned	target;
	int			modifier;
	uint8		wire_type;
	uint16		wire_meta;
	Oid			typid;
	int32		typmod;

	source->name = "value";
	source->column_type = next_text(in, next_u16(in));
	charset = next_text(in, next_u8(in));
	source->charset = *charset ? charset : NULL;
	flags = next_u8(in);
	target = next_u8(in) % lengthof(targets);
	modifier = next_u16(in);
	wire_type = next_u8(in);
	wire_meta = next_u16(in);

	source->is_json = (flags & COLUMN_JSON) != 0;
	ms_source_column_parse_type(source);
	if (source->labels != NIL)
		check_labels(source);
	stub_touch(ms_typemap_select_expression(source), 1);
	ms_typemap_init_column(col, source);
	if ((flags & COLUMN_UNMAPPED) == 0)
	{
		if (target == 0)
			parse_type_name(ms_typemap_default_type(source, options), &typid,
							&typmod);
		else
		{
			typid = targets[target];
			typmod = make_typmod(typid, modifier == 0xFFFF ? -1 :
								 modifier & 0x3FF, modifier >> 10);
		}
		if (flags & COLUMN_DOMAIN)
			typid += STUB_DOMAIN_OFFSET;
		ms_typemap_bind_target(col, source, attidx, typid, typmod, options);
	}
	ms_value_bind_protocol(col);
	return protocol || ms_value_bind_image(col, wire_type, wire_meta) == NULL;
}

/*
 * A numeric that value_build_numeric.c has made, not our stubs, is one that
 * PostgreSQL could have made.
 */
static void
check_numeric(Datum value)
{
	const char *data = VARDATA_ANY(DatumGetPointer(value));
	int			ngroups = VARSIZE_ANY_EXHDR(DatumGetPointer(value)) / 2 - 1;
	uint16		header;
	int16		group = 0;

	memcpy(&header, data, sizeof(header));
	if ((header & 0xC000) != 0x8000)
		return;
	for (int i = 0; i < ngroups; i++)
	{
		memcpy(&group, data + 2 + 2 * i, sizeof(group));
		if (group < 0 || group > 9999 || (i == 0 && group == 0))
			stub_finding("group %d of a numeric is %d", i, group);
	}
	if (ngroups > 0 && group == 0)
		stub_finding("a numeric ends with zeros");
	if (ngroups == 0 && (header & 0x207F) != 0)
		stub_finding("a zero has a sign or a weight");
}

/*
 * Look at all of a datum.
 */
static void
touch_datum(Oid typid, Datum value)
{
	switch (typid)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case STUB_ENUM_OID:
			break;
		case UUIDOID:
			stub_touch(DatumGetPointer(value), UUID_LEN);
			break;
		case INTERVALOID:
			stub_touch(DatumGetPointer(value), sizeof(Interval));
			break;
		case NUMERICOID:
			check_numeric(value);
			/* fall through */
		default:
			stub_touch(DatumGetPointer(value),
					   VARSIZE_ANY(DatumGetPointer(value)));
			break;
	}
}

static void
touch_row(const MsRowFormat *format, const Datum *values, const bool *isnull)
{
	if (format->current != -1)
		stub_finding("a row ended inside column %d", format->current);
	for (int i = 0; i < format->ncolumns; i++)
	{
		const MsColumn *col = &format->columns[i];

		if (col->attidx >= 0 && !isnull[col->attidx])
			touch_datum(col->typid, values[col->attidx]);
	}
}

static void
read_input(void *arg)
{
	Input		in = *(Input *) arg;
	unsigned	settings = next_u8(&in);
	bool		protocol = (settings & SETTING_PROTOCOL) != 0;
	unsigned	policies;
	MsSubscriptionOptions options;
	MsColumnOptions *own = &options.columns;
	MsRowFormat format;
	const uint8 *present = NULL;
	const uint8 *p;
	const uint8 *end;
	size_t		len;
	Datum	   *values;
	bool	   *isnull;

	stub_set_encoding(encodings[next_u8(&in) % lengthof(encodings)]);
	memset(&options, 0, sizeof(options));
	policies = next_u8(&in);
	own->policies.zero_date = (policies & 0x0f) % (MS_ZERO_DATE_ERROR + 1);
	own->policies.nul_byte = (policies >> 4) % (MS_NUL_BYTE_REPLACE + 1);
	own->policies.untranslatable = settings & SETTING_REPLACE ?
		MS_UNTRANSLATABLE_REPLACE : MS_UNTRANSLATABLE_ERROR;
	own->tinyint1_as_boolean = (settings & SETTING_BOOLEAN) != 0;
	own->json_as_jsonb = (settings & SETTING_JSONB) != 0;
	if (settings & SETTING_ZONE)
		own->zone = "Europe/Helsinki";
	stub_set_extensions((settings & SETTING_EXTENSIONS) != 0);

	format.ncolumns = next_u8(&in);
	format.columns = palloc(sizeof(MsColumn) * format.ncolumns);
	format.current = -1;
	for (int i = 0; i < format.ncolumns; i++)
		if (!bind_column(&in, &format.columns[i], i, &options, protocol))
			return;
	values = palloc(sizeof(Datum) * format.ncolumns);
	isnull = palloc(sizeof(bool) * format.ncolumns);
	memset(isnull, true, format.ncolumns);

	if (settings & SETTING_BITMAP)
	{
		len = (format.ncolumns + 7) / 8;
		if ((size_t) (in.end - in.p) < len)
			return;
		present = stub_copy(in.p, len);
		in.p += len;
	}

	len = in.end - in.p;
	p = stub_copy(in.p, len);
	end = p + len;
	if (protocol)
	{
		ms_value_read_protocol_row(&format, p, end, values, isnull);
		touch_row(&format, values, isnull);
		return;
	}
	for (int n = 0; n < MAX_ROWS && p < end; n++)
	{
		const uint8 *next = ms_value_read_image_row(&format, p, end, present,
													format.ncolumns, values,
													isnull);

		touch_row(&format, values, isnull);
		if (next < p || next > end)
			stub_finding("a row ends where it cannot");
		/* a bitmap without columns describes rows of no bytes */
		if (next == p)
			break;
		p = next;
	}
}

int			LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	Input		in;

	in.p = data;
	in.end = data + size;
	stub_run(read_input, &in, size);
	return 0;
}
