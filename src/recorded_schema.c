/*
 * recorded_schema.c - a source table's schema as it is recorded in our catalog.
 *
 * Owns the form in which an MsSourceTable is kept as jsonb: what the source's
 * information_schema said of the table when it was mapped, changed since by
 * the structure changes that the stream brought.  It is true at the position
 * of the subscription, whatever the source looks like by then.
 *
 * Nothing is written for NULL, 0 and false: that is what reading gives.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "remote_schema.h"
#include "typemap.h"

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

static void
set_string(JsonbValue *value, const char *text)
{
	value->type = jbvString;
	value->val.string.val = (char *) text;
	value->val.string.len = strlen(text);
}

static void
set_number(JsonbValue *value, int64 number)
{
	value->type = jbvNumeric;
	value->val.numeric = int64_to_numeric(number);
}

static void
push_key(JsonbParseState **state, const char *key)
{
	JsonbValue	value;

	set_string(&value, key);
	(void) pushJsonbValue(state, WJB_KEY, &value);
}

static void
push_string(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	value;

	if (text == NULL)
		return;
	push_key(state, key);
	set_string(&value, text);
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

static void
push_int(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value;

	if (number == 0)
		return;
	push_key(state, key);
	set_number(&value, number);
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

static void
push_bool(JsonbParseState **state, const char *key, bool flag)
{
	JsonbValue	value;

	if (!flag)
		return;
	push_key(state, key);
	value.type = jbvBool;
	value.val.boolean = flag;
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

static void
set_string_cell(JsonbValue *value, const ListCell *lc)
{
	set_string(value, lfirst(lc));
}

static void
set_int_cell(JsonbValue *value, const ListCell *lc)
{
	set_number(value, lfirst_int(lc));
}

/* An array of what set makes of the list's cells. */
static void
push_array(JsonbParseState **state, const char *key, const List *items,
		   void (*set) (JsonbValue *, const ListCell *))
{
	ListCell   *lc;

	push_key(state, key);
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, items)
	{
		JsonbValue	value;

		set(&value, lc);
		(void) pushJsonbValue(state, WJB_ELEM, &value);
	}
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_column(JsonbParseState **state, const void *item)
{
	const MsSourceColumn *col = item;

	push_string(state, "name", col->name);
	push_string(state, "data_type", col->data_type);
	push_string(state, "column_type", col->column_type);
	push_string(state, "charset", col->charset);
	push_string(state, "collation", col->collation);
	push_int(state, "char_length", col->char_length);
	push_int(state, "precision", col->precision);
	push_int(state, "scale", col->scale);
	push_int(state, "fsp", col->fsp);
	push_bool(state, "nullable", col->nullable);
	push_bool(state, "auto_increment", col->auto_increment);
	push_string(state, "default", col->default_text);
	push_string(state, "comment", col->comment);
	push_string(state, "generation", col->generation);
	push_bool(state, "generated", col->generated);
	push_bool(state, "on_update_now", col->on_update_now);
	push_bool(state, "invisible", col->invisible);
	push_bool(state, "implicit", col->implicit);
	push_bool(state, "json", col->is_json);
	push_string(state, "json_check", col->json_check);
}

static void
push_index(JsonbParseState **state, const void *item)
{
	const MsSourceIndex *index = item;

	push_string(state, "name", index->name);
	push_string(state, "type", index->type);
	push_array(state, "columns", index->columns, set_string_cell);
	push_bool(state, "unique", index->unique);
	push_bool(state, "has_prefix", index->has_prefix);
	if (index->has_prefix)
		push_array(state, "prefixes", index->prefixes, set_int_cell);
	push_bool(state, "nullable", index->nullable);
}

static void
push_foreign_key(JsonbParseState **state, const void *item)
{
	const MsSourceForeignKey *fk = item;

	push_string(state, "name", fk->name);
	push_array(state, "columns", fk->columns, set_string_cell);
	push_string(state, "ref_db", fk->ref_db);
	push_string(state, "ref_table", fk->ref_table);
	push_array(state, "ref_columns", fk->ref_columns, set_string_cell);
	push_string(state, "update_rule", fk->update_rule);
	push_string(state, "delete_rule", fk->delete_rule);
}

static void
push_check(JsonbParseState **state, const void *item)
{
	const MsSourceCheck *check = item;

	push_string(state, "name", check->name);
	push_string(state, "clause", check->clause);
}

static void
push_list(JsonbParseState **state, const char *key, const List *items,
		  void (*push) (JsonbParseState **, const void *))
{
	ListCell   *lc;

	if (items == NIL)
		return;
	push_key(state, key);
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, items)
	{
		(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push(state, lfirst(lc));
		(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* An object; db and name are the catalog row's own. */
Jsonb *
ms_source_table_to_jsonb(const MsSourceTable *table)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_string(&state, "type", table->table_type);
	push_string(&state, "engine", table->engine);
	push_string(&state, "collation", table->collation);
	push_string(&state, "comment", table->comment);
	push_bool(&state, "partitioned", table->partitioned);
	push_bool(&state, "foreign_keys_hidden", table->foreign_keys_hidden);
	push_list(&state, "columns", table->columns, push_column);
	push_list(&state, "indexes", table->indexes, push_index);
	push_list(&state, "foreign_keys", table->foreign_keys, push_foreign_key);
	push_list(&state, "checks", table->checks, push_check);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

static JsonbValue *
find_key(JsonbContainer *object, const char *key)
{
	JsonbValue	name;

	set_string(&name, key);
	return JsonContainerIsObject(object) ?
		findJsonbValueFromContainer(object, JB_FOBJECT, &name) : NULL;
}

static char *
get_string(JsonbContainer *object, const char *key)
{
	JsonbValue *value = find_key(object, key);

	return value && value->type == jbvString ?
		pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

static int64
number_of(const JsonbValue *value)
{
	return value && value->type == jbvNumeric ?
		DatumGetInt64(DirectFunctionCall1(numeric_int8,
										  NumericGetDatum(value->val.numeric))) : 0;
}

static int64
get_int(JsonbContainer *object, const char *key)
{
	return number_of(find_key(object, key));
}

static bool
get_bool(JsonbContainer *object, const char *key)
{
	JsonbValue *value = find_key(object, key);

	return value && value->type == jbvBool && value->val.boolean;
}

/* NULL when there is none. */
static JsonbContainer *
find_array(JsonbContainer *object, const char *key)
{
	JsonbValue *value = find_key(object, key);

	return value && value->type == jbvBinary &&
		JsonContainerIsArray(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

/* An array's elements, each made into something by read. */
static List *
get_list(JsonbContainer *object, const char *key, void *(*read) (JsonbValue *))
{
	JsonbContainer *array = find_array(object, key);
	List	   *result = NIL;

	for (uint32 i = 0; array && i < JsonContainerSize(array); i++)
		result = lappend(result,
						 read(getIthJsonbValueFromContainer(array, i)));
	return result;
}

static List *
get_ints(JsonbContainer *object, const char *key)
{
	JsonbContainer *array = find_array(object, key);
	List	   *result = NIL;

	for (uint32 i = 0; array && i < JsonContainerSize(array); i++)
		result = lappend_int(result,
							 (int) number_of(getIthJsonbValueFromContainer(array, i)));
	return result;
}

static JsonbContainer *
as_object(JsonbValue *value)
{
	if (value->type != jbvBinary)
		elog(ERROR, "recorded schema is damaged");
	return value->val.binary.data;
}

static void *
read_string(JsonbValue *value)
{
	if (value->type != jbvString)
		elog(ERROR, "recorded schema is damaged");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static void *
read_column(JsonbValue *value)
{
	JsonbContainer *object = as_object(value);
	MsSourceColumn *col = palloc0(sizeof(MsSourceColumn));

	col->name = get_string(object, "name");
	col->data_type = get_string(object, "data_type");
	col->column_type = get_string(object, "column_type");
	if (col->name == NULL || col->data_type == NULL || col->column_type == NULL)
		elog(ERROR, "recorded source column is incomplete");
	col->charset = get_string(object, "charset");
	col->collation = get_string(object, "collation");
	col->char_length = get_int(object, "char_length");
	col->precision = (int) get_int(object, "precision");
	col->scale = (int) get_int(object, "scale");
	col->fsp = (int) get_int(object, "fsp");
	col->nullable = get_bool(object, "nullable");
	col->auto_increment = get_bool(object, "auto_increment");
	col->default_text = get_string(object, "default");
	col->comment = get_string(object, "comment");
	col->generation = get_string(object, "generation");
	col->generated = get_bool(object, "generated");
	col->on_update_now = get_bool(object, "on_update_now");
	col->invisible = get_bool(object, "invisible");
	col->implicit = get_bool(object, "implicit");
	col->is_json = get_bool(object, "json");
	col->json_check = get_string(object, "json_check");
	ms_source_column_parse_type(col);
	return col;
}

static void *
read_index(JsonbValue *value)
{
	JsonbContainer *object = as_object(value);
	MsSourceIndex *index = palloc0(sizeof(MsSourceIndex));

	index->name = get_string(object, "name");
	index->type = get_string(object, "type");
	index->columns = get_list(object, "columns", read_string);
	index->unique = get_bool(object, "unique");
	index->has_prefix = get_bool(object, "has_prefix");
	index->prefixes = get_ints(object, "prefixes");
	index->nullable = get_bool(object, "nullable");
	return index;
}

static void *
read_foreign_key(JsonbValue *value)
{
	JsonbContainer *object = as_object(value);
	MsSourceForeignKey *fk = palloc0(sizeof(MsSourceForeignKey));

	fk->name = get_string(object, "name");
	fk->columns = get_list(object, "columns", read_string);
	fk->ref_db = get_string(object, "ref_db");
	fk->ref_table = get_string(object, "ref_table");
	fk->ref_columns = get_list(object, "ref_columns", read_string);
	fk->update_rule = get_string(object, "update_rule");
	fk->delete_rule = get_string(object, "delete_rule");
	return fk;
}

static void *
read_check(JsonbValue *value)
{
	JsonbContainer *object = as_object(value);
	MsSourceCheck *check = palloc0(sizeof(MsSourceCheck));

	check->name = get_string(object, "name");
	check->clause = get_string(object, "clause");
	return check;
}

/* The columns alone. */
List *
ms_source_columns_from_jsonb(Jsonb *schema)
{
	return get_list(&schema->root, "columns", read_column);
}

/* All of it, in the current context; db and name are the caller's to set. */
MsSourceTable *
ms_source_table_from_jsonb(Jsonb *schema)
{
	JsonbContainer *object = &schema->root;
	MsSourceTable *table = palloc0(sizeof(MsSourceTable));

	table->table_type = get_string(object, "type");
	table->engine = get_string(object, "engine");
	table->collation = get_string(object, "collation");
	table->comment = get_string(object, "comment");
	table->partitioned = get_bool(object, "partitioned");
	table->foreign_keys_hidden = get_bool(object, "foreign_keys_hidden");
	table->columns = ms_source_columns_from_jsonb(schema);
	table->indexes = get_list(object, "indexes", read_index);
	table->foreign_keys = get_list(object, "foreign_keys", read_foreign_key);
	table->checks = get_list(object, "checks", read_check);
	return table;
}
