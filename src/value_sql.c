/*
 * value_sql.c - one value through the decoders, from SQL.
 *
 * For the tests of the decoders: a value's bytes in, the datum's text out,
 * over the very functions that replication uses.  Not granted to anyone.
 */
#include "postgres.h"

#include "fmgr.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "options.h"
#include "typemap.h"

PG_FUNCTION_INFO_V1(ms_decode_value);

/*
 * The column that information_schema would show for this type.
 */
static MsSourceColumn *
make_source_column(char *column_type, char *charset)
{
	MsSourceColumn *source = palloc0(sizeof(MsSourceColumn));

	source->name = "value";
	source->column_type = column_type;
	source->nullable = true;
	ms_source_column_parse_type(source);
	if (charset)
		source->charset = charset;
	else if (strstr(source->data_type, "char") ||
			 strstr(source->data_type, "text"))
		source->charset = "utf8mb4";
	return source;
}

/*
 * _decode_value(column_type, wire_type, wire_meta, dialect, image, charset,
 * options, target): the value in image, NULL when a policy makes it NULL.
 *
 * In dialect 'image' wire_type and wire_meta are the table map's; in dialect
 * 'protocol' they are not looked at.
 */
Datum
ms_decode_value(PG_FUNCTION_ARGS)
{
	MsSourceColumn *source;
	MsSubscriptionOptions options;
	MsColumn	col;
	MsRowFormat format;
	Oid			typid;
	int32		typmod = -1;
	bytea	   *image;
	uint8	   *row;
	int			header;
	Size		len;
	char	   *dialect;
	Datum		value;
	bool		isnull;
	Oid			out_func;
	bool		is_varlena;

	for (int i = 0; i < 7; i++)
		if (PG_ARGISNULL(i) && i != 5)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %d must not be null", i + 1)));
	source = make_source_column(text_to_cstring(PG_GETARG_TEXT_PP(0)),
								PG_ARGISNULL(5) ? NULL :
								text_to_cstring(PG_GETARG_TEXT_PP(5)));
	dialect = text_to_cstring(PG_GETARG_TEXT_PP(3));
	image = PG_GETARG_BYTEA_PP(4);
	ms_options_parse(PG_GETARG_JSONB_P(6), &options);

	if (PG_ARGISNULL(7))
		parseTypeString(ms_typemap_default_type(source, &options), &typid,
						&typmod, false);
	else
		typid = PG_GETARG_OID(7);
	ms_typemap_init_column(&col, source);
	ms_typemap_bind_target(&col, source, 0, typid, typmod, &options);

	/* a row of this one column, not NULL */
	format.ncolumns = 1;
	format.columns = &col;
	format.current = -1;
	header = strcmp(dialect, "image") == 0 ? 1 : 2;
	len = VARSIZE_ANY_EXHDR(image);
	row = palloc0(header + len);
	memcpy(row + header, VARDATA_ANY(image), len);

	if (strcmp(dialect, "image") == 0)
	{
		const char *problem = ms_value_bind_image(&col, PG_GETARG_INT32(1),
												  PG_GETARG_INT32(2));

		if (problem)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("the column's type is not the recorded one"),
					 errdetail("%s.", problem)));
		if (ms_value_read_image_row(&format, row, row + header + len, NULL, 1,
									&value, &isnull) != row + header + len)
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("bytes are left over behind the value")));
	}
	else if (strcmp(dialect, "protocol") == 0)
	{
		ms_value_bind_protocol(&col);
		ms_value_read_protocol_row(&format, row, row + header + len, &value,
								   &isnull);
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown dialect \"%s\"", dialect),
				 errhint("Valid dialects are image and protocol.")));

	if (isnull)
		PG_RETURN_NULL();
	getTypeOutputInfo(col.typid, &out_func, &is_varlena);
	PG_RETURN_TEXT_P(cstring_to_text(OidOutputFunctionCall(out_func, value)));
}
