/*
 * options.c - what a user may set on a subscription.
 *
 * One table says everything about the options of create_subscription() and
 * alter_subscription(); the parser walks it.  An option or word that the
 * contract knows but this version cannot do is in the table, marked, so that
 * it is refused by name and never taken for a typing error.
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "gtid.h"
#include "options.h"
#include "remote_schema.h"
#include "shmem.h"

/* ------------------------------------------------------------------------
 * The table of subscription options
 * ------------------------------------------------------------------------
 */

typedef enum OptionType
{
	OPTION_BOOL,
	OPTION_INT,
	OPTION_WORD,				/* one of words */
	OPTION_WORDS,				/* comma-separated words, or an array */
	OPTION_DURATION,			/* milliseconds, or an interval's text */
	OPTION_RATE,				/* rows per second, or bytes with a unit */
	OPTION_GTID,
	OPTION_SCHEMA_MAP,
	OPTION_NAME,				/* of a column */
	OPTION_ZONE
} OptionType;

typedef struct OptionWord
{
	const char *word;			/* NULL ends the list */
	int			value;
	bool		unsupported;	/* part of the contract, not done yet */
} OptionWord;

/* flags of a subscription option */
#define AT_CREATION		0x01	/* alter_subscription() cannot change it */
#define PER_COLUMN		0x02	/* single columns may have their own */
#define COLUMN_ONLY		0x04	/* single columns alone have it */

typedef struct SubscriptionOption
{
	const char *name;
	OptionType	type;
	int			default_value;
	int			min;			/* INT, DURATION */
	int			max;
	const OptionWord *words;	/* WORD, WORDS */
	int			flags;
	size_t		offset;			/* in MsSubscriptionOptions */
	size_t		size;			/* 0 = checked, not kept */
} SubscriptionOption;

static const OptionWord ddl_words[] = {
	{"apply", MS_DDL_APPLY, false},
	{"ignore", MS_DDL_IGNORE, false},
	{"stop", MS_DDL_STOP, false},
	{NULL, 0, false}
};

static const OptionWord on_error_words[] = {
	{"stop", MS_ON_ERROR_STOP, false},
	{"retry", MS_ON_ERROR_RETRY, false},
	{"quarantine_row", MS_ON_ERROR_QUARANTINE_ROW, false},
	{"disable_table", MS_ON_ERROR_DISABLE_TABLE, false},
	{NULL, 0, false}
};

static const OptionWord on_conflict_words[] = {
	{"error", MS_ON_CONFLICT_ERROR, false},
	{"apply", MS_ON_CONFLICT_APPLY, false},
	{"skip", MS_ON_CONFLICT_SKIP, false},
	{NULL, 0, false}
};

static const OptionWord publish_words[] = {
	{"insert", MS_PUBLISH_INSERT, false},
	{"update", MS_PUBLISH_UPDATE, false},
	{"delete", MS_PUBLISH_DELETE, false},
	{"truncate", MS_PUBLISH_TRUNCATE, false},
	{NULL, 0, false}
};

static const OptionWord zero_date_words[] = {
	{"null", MS_ZERO_DATE_NULL, false},
	{"epoch", MS_ZERO_DATE_EPOCH, false},
	{"-infinity", MS_ZERO_DATE_MINUS_INFINITY, false},
	{"error", MS_ZERO_DATE_ERROR, false},
	{NULL, 0, false}
};

static const OptionWord nul_byte_words[] = {
	{"error", MS_NUL_BYTE_ERROR, false},
	{"strip", MS_NUL_BYTE_STRIP, false},
	{"replace", MS_NUL_BYTE_REPLACE, false},
	{NULL, 0, false}
};

static const OptionWord untranslatable_words[] = {
	{"error", MS_UNTRANSLATABLE_ERROR, false},
	{"replace", MS_UNTRANSLATABLE_REPLACE, false},
	{NULL, 0, false}
};

static const OptionWord enum_as_words[] = {
	{"text", false, false},
	{"enum", true, false},
	{NULL, 0, false}
};

static const OptionWord json_as_words[] = {
	{"json", false, false},
	{"jsonb", true, false},
	{NULL, 0, false}
};

static const OptionWord unsigned_bigint_as_words[] = {
	{"numeric", false, false},
	{"bigint", true, false},
	{NULL, 0, false}
};

#define PUBLISH_ALL \
	(MS_PUBLISH_INSERT | MS_PUBLISH_UPDATE | MS_PUBLISH_DELETE | \
	 MS_PUBLISH_TRUNCATE)

/* an hour: a longer wait for company only makes the replica late */
#define MAX_COMMIT_DELAY	3600000

#define FIELD(field) \
	offsetof(MsSubscriptionOptions, field), \
	sizeof(((MsSubscriptionOptions *) 0)->field)
#define NO_FIELD 0, 0

static const SubscriptionOption subscription_options[] = {
	{"enabled", OPTION_BOOL,
	true, 0, 0, NULL, AT_CREATION, FIELD(enabled)},
	{"copy_data", OPTION_BOOL,
	true, 0, 0, NULL, AT_CREATION, FIELD(copy_data)},
	{"start_gtid", OPTION_GTID,
	0, 0, 0, NULL, AT_CREATION, FIELD(start_gtid)},
	{"create_tables", OPTION_BOOL,
	true, 0, 0, NULL, 0, FIELD(create_tables)},
	{"fillfactor", OPTION_INT,
	0, 10, 100, NULL, 0, FIELD(fillfactor)},
	{"schema_map", OPTION_SCHEMA_MAP,
	0, 0, 0, NULL, 0, FIELD(schema_map)},
	{"ddl", OPTION_WORD,
	MS_DDL_APPLY, 0, 0, ddl_words, 0, FIELD(ddl)},
	{"on_error", OPTION_WORD,
	MS_ON_ERROR_STOP, 0, 0, on_error_words, 0, FIELD(on_error)},
	{"on_conflict", OPTION_WORD,
	MS_ON_CONFLICT_ERROR, 0, 0, on_conflict_words, 0, FIELD(on_conflict)},
	{"publish", OPTION_WORDS,
	PUBLISH_ALL, 0, 0, publish_words, 0, FIELD(publish)},
	{"snapshot_workers", OPTION_INT,
	2, 1, 16, NULL, 0, FIELD(snapshot_workers)},
	{"snapshot_chunk_rows", OPTION_INT,
	250000, 1, INT_MAX, NULL, 0, FIELD(snapshot_chunk_rows)},
	{"snapshot_max_age", OPTION_DURATION,
	60000, 0, INT_MAX, NULL, 0, FIELD(snapshot_max_age)},
	{"snapshot_max_rate", OPTION_RATE,
	0, 0, INT_MAX, NULL, 0, FIELD(snapshot_max_rate)},
	{"apply_workers", OPTION_INT,
	0, 0, MS_MAX_APPLY_WORKERS, NULL, 0, FIELD(apply_workers)},
	{"synchronous_commit", OPTION_BOOL,
	false, 0, 0, NULL, 0, FIELD(synchronous_commit)},
	{"commit_max_transactions", OPTION_INT,
	100, 1, INT_MAX, NULL, 0, FIELD(commit_max_transactions)},
	{"commit_max_rows", OPTION_INT,
	10000, 1, INT_MAX, NULL, 0, FIELD(commit_max_rows)},
	{"commit_max_delay", OPTION_DURATION,
	100, 0, MAX_COMMIT_DELAY, NULL, 0, FIELD(commit_max_delay)},
	{"run_as_owner", OPTION_BOOL,
	true, 0, 0, NULL, 0, FIELD(run_as_owner)},
	{"versioned_history", OPTION_BOOL,
	false, 0, 0, NULL, AT_CREATION, FIELD(versioned_history)},
	{"zero_date", OPTION_WORD,
		MS_ZERO_DATE_NULL, 0, 0, zero_date_words, PER_COLUMN,
	FIELD(columns.policies.zero_date)},
	{"nul_byte", OPTION_WORD,
		MS_NUL_BYTE_ERROR, 0, 0, nul_byte_words, PER_COLUMN,
	FIELD(columns.policies.nul_byte)},
	{"untranslatable", OPTION_WORD,
		MS_UNTRANSLATABLE_ERROR, 0, 0, untranslatable_words, PER_COLUMN,
	FIELD(columns.policies.untranslatable)},
	{"tinyint1_as_boolean", OPTION_BOOL,
	false, 0, 0, NULL, PER_COLUMN, FIELD(columns.tinyint1_as_boolean)},
	{"enum_as", OPTION_WORD,
	false, 0, 0, enum_as_words, PER_COLUMN, FIELD(columns.enum_as_enum)},
	{"json_as", OPTION_WORD,
	false, 0, 0, json_as_words, PER_COLUMN, FIELD(columns.json_as_jsonb)},
	{"unsigned_bigint_as", OPTION_WORD,
		false, 0, 0, unsigned_bigint_as_words, PER_COLUMN,
	FIELD(columns.unsigned_bigint_as_bigint)},
	{"name", OPTION_NAME,
	0, 0, 0, NULL, PER_COLUMN | COLUMN_ONLY, FIELD(columns.name)},
	{"zone", OPTION_ZONE,
	0, 0, 0, NULL, PER_COLUMN | COLUMN_ONLY, FIELD(columns.zone)}
};

StaticAssertDecl(sizeof(MsDdlPolicy) == sizeof(int) &&
				 sizeof(MsZeroDate) == sizeof(int),
				 "enums are stored as int by the option table");

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */

/* Collects names as "a, b, c". */
static void
append_name(StringInfo list, const char *name)
{
	if (list->len > 0)
		appendStringInfoString(list, ", ");
	appendStringInfoString(list, name);
}

void
ms_name_match_init(MsNameMatch *match, const char *wanted)
{
	match->wanted = wanted;
	match->best = NULL;
	match->distance = INT_MAX;
	initStringInfo(&match->valid);
}

/*
 * Add a valid name; it becomes the best match if it is the nearest so far,
 * and near enough to be what the user meant.
 */
void
ms_name_match_add(MsNameMatch *match, const char *candidate)
{
	int			length = strlen(match->wanted);
	int			max = Max(length / 2, 1);
	int			distance;

	append_name(&match->valid, candidate);
	if (length >= NAMEDATALEN)
		return;
	distance = varstr_levenshtein_less_equal(match->wanted, length,
											 candidate, strlen(candidate),
											 1, 1, 1, max, true);
	if (distance <= max && distance < match->distance)
	{
		match->best = candidate;
		match->distance = distance;
	}
}

/* Is the option one of a subscription, or of a column? */
static bool
is_in_scope(const SubscriptionOption *option, bool of_column)
{
	return of_column ? (option->flags & PER_COLUMN) != 0 :
		(option->flags & COLUMN_ONLY) == 0;
}

static void
unknown_option(const char *name, bool of_column)
{
	MsNameMatch match;

	ms_name_match_init(&match, name);
	for (int i = 0; i < (int) lengthof(subscription_options); i++)
		if (is_in_scope(&subscription_options[i], of_column))
			ms_name_match_add(&match, subscription_options[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 of_column ? errmsg("unrecognized column option \"%s\"", name) :
			 errmsg("unrecognized subscription option \"%s\"", name),
			 errdetail("Valid options are: %s.", match.valid.data),
			 match.best ? errhint("Perhaps you meant the option \"%s\".",
								  match.best) : 0));
}

/* What the option may be, as a sentence. */
static char *
describe_valid_values(const SubscriptionOption *option)
{
	StringInfoData buf;

	switch (option->type)
	{
		case OPTION_BOOL:
			return pstrdup("Valid values are: true, false.");
		case OPTION_INT:
			if (option->max == INT_MAX)
				return psprintf("Valid values are whole numbers from %d on.",
								option->min);
			return psprintf("Valid values are whole numbers from %d to %d.",
							option->min, option->max);
		case OPTION_DURATION:
			return psprintf("Valid values are milliseconds from %d to %d, or an interval as text such as \"1 s\".",
							option->min, option->max);
		case OPTION_RATE:
			return pstrdup("Valid values are rows per second, 0 for no limit, or bytes per second as text with a unit, such as \"20MB\".");
		case OPTION_GTID:
			return pstrdup("Valid values are MariaDB GTID positions such as \"0-1-100\", or \"0-1-100,1-2-50\" with several domains.");
		case OPTION_SCHEMA_MAP:
			return pstrdup("Valid values are objects that map names of databases to names of schemas, such as {\"db\": \"schema\"}.");
		case OPTION_NAME:
			return psprintf("Valid values are names of at most %d bytes.",
							NAMEDATALEN - 1);
		case OPTION_ZONE:
			return pstrdup("Valid values are names of time zones, such as \"Europe/Berlin\" or \"UTC\".");
		case OPTION_WORD:
		case OPTION_WORDS:
			break;
	}
	initStringInfo(&buf);
	for (const OptionWord *word = option->words; word->word; word++)
		if (!word->unsupported)
			append_name(&buf, word->word);
	return psprintf(option->type == OPTION_WORD ?
					"Valid values are: %s." :
					"Valid values are lists of: %s.", buf.data);
}

static void
invalid_value(const SubscriptionOption *option, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 (option->flags & COLUMN_ONLY) ?
			 errmsg("invalid value for column option \"%s\": %s",
					option->name, value) :
			 errmsg("invalid value for subscription option \"%s\": %s",
					option->name, value),
			 errdetail("%s", describe_valid_values(option))));
}

static void
unsupported_value(const SubscriptionOption *option, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("value \"%s\" of subscription option \"%s\" is not supported yet",
					value, option->name),
			 errdetail("%s", describe_valid_values(option))));
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

/* A value as the user wrote it, for messages. */
static char *
value_text(const JsonbValue *value)
{
	if (value->type == jbvString)
		return psprintf("\"%.*s\"", value->val.string.len,
						value->val.string.val);
	return JsonbToCString(NULL, &JsonbValueToJsonb((JsonbValue *) value)->root,
						  0);
}

static void
store_int(MsSubscriptionOptions *options, const SubscriptionOption *option,
		  int value)
{
	void	   *field = (char *) options + option->offset;

	if (option->size == sizeof(bool))
		*(bool *) field = (value != 0);
	else if (option->size == sizeof(int))
		*(int *) field = value;
	else
		Assert(option->size == 0);
}

static void
store_pointer(MsSubscriptionOptions *options, const SubscriptionOption *option,
			  void *value)
{
	Assert(option->size == sizeof(void *));
	*(void **) ((char *) options + option->offset) = value;
}

static void
set_defaults(MsSubscriptionOptions *options)
{
	memset(options, 0, sizeof(*options));
	for (int i = 0; i < (int) lengthof(subscription_options); i++)
	{
		const SubscriptionOption *option = &subscription_options[i];

		/* pointers are NULL */
		if (option->type <= OPTION_RATE)
			store_int(options, option, option->default_value);
	}
}

/* Text of a string value; NULL when it is not a string. */
static char *
string_value(const JsonbValue *value)
{
	return value->type == jbvString ?
		pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

static bool
parse_bool_value(const JsonbValue *value, bool *result)
{
	if (value->type == jbvBool)
	{
		*result = value->val.boolean;
		return true;
	}
	return value->type == jbvString &&
		parse_bool_with_len(value->val.string.val, value->val.string.len,
							result);
}

/* A whole number, as a number or as text. */
static bool
parse_int_value(const JsonbValue *value, int *result)
{
	char	   *text;

	if (value->type == jbvNumeric)
		text = DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric)));

	else
		text = string_value(value);

	if (text == NULL)
		return false;
	/* parse_int would round a fraction */
	return strspn(text, "+-0123456789") == strlen(text) &&
		parse_int(text, result, 0, NULL);
}

/* A number of milliseconds, or the text of an interval. */
static bool
parse_duration_value(const JsonbValue *value, int *result)
{
	char	   *text = string_value(value);
	char		workbuf[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nf;
	int			dtype;
	struct pg_itm_in itm;
	double		ms;

	if (parse_int_value(value, result))
		return true;
	if (text == NULL ||
		ParseDateTime(text, workbuf, sizeof(workbuf), field, ftype,
					  MAXDATEFIELDS, &nf) != 0 ||
		DecodeInterval(field, ftype, nf, INTERVAL_FULL_RANGE, &dtype,
					   &itm) != 0 ||
		dtype != DTK_DELTA || itm.tm_mon != 0 || itm.tm_year != 0)
		return false;
	ms = itm.tm_usec / 1000.0 + (double) itm.tm_mday * SECS_PER_DAY * 1000;
	if (ms < 0 || ms > INT_MAX)
		return false;
	*result = (int) rint(ms);
	return true;
}

/* Rows per second, or kilobytes per second as a negative number. */
static bool
parse_rate_value(const JsonbValue *value, int *result)
{
	char	   *text = string_value(value);

	if (parse_int_value(value, result))
		return *result >= 0;
	if (text == NULL || !parse_int(text, result, GUC_UNIT_KB, NULL) ||
		*result <= 0)
		return false;
	*result = -*result;
	return true;
}

/* The word's value; an error unless it is a word of the option. */
static int
parse_word(const SubscriptionOption *option, const JsonbValue *value,
		   const char *text)
{
	for (const OptionWord *word = option->words; word->word; word++)
	{
		if (text == NULL || pg_strcasecmp(word->word, text) != 0)
			continue;
		if (word->unsupported)
			unsupported_value(option, word->word);
		return word->value;
	}
	invalid_value(option, value_text(value));
	return 0;
}

/* "insert,update", or ["insert", "update"] */
static int
parse_words(const SubscriptionOption *option, const JsonbValue *value)
{
	int			bits = 0;

	if (value->type == jbvString)
	{
		char	   *text = string_value(value);
		List	   *names;
		ListCell   *lc;

		if (!SplitIdentifierString(text, ',', &names))
			invalid_value(option, value_text(value));
		foreach(lc, names)
			bits |= parse_word(option, value, lfirst(lc));
	}
	else if (value->type == jbvBinary &&
			 JsonContainerIsArray(value->val.binary.data))
	{
		JsonbIterator *it = JsonbIteratorInit(value->val.binary.data);
		JsonbValue	element;
		JsonbIteratorToken token;

		while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
			if (token == WJB_ELEM)
				bits |= parse_word(option, value, string_value(&element));
	}
	else
		invalid_value(option, value_text(value));
	return bits;
}

static char *
parse_gtid(const SubscriptionOption *option, const JsonbValue *value)
{
	char	   *text = string_value(value);
	MsGtidList	list;

	ms_gtid_init(&list);
	if (text == NULL || !ms_gtid_parse_list(text, &list))
		invalid_value(option, value_text(value));
	return text;
}

static List *
parse_schema_map(const SubscriptionOption *option, const JsonbValue *value)
{
	List	   *map = NIL;
	MsSchemaMapEntry *entry = NULL;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken token;

	if (value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		invalid_value(option, value_text(value));

	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			entry = palloc0(sizeof(MsSchemaMapEntry));
			entry->db = string_value(&item);
		}
		else if (token == WJB_VALUE)
		{
			entry->schema = string_value(&item);
			if (entry->schema == NULL || entry->schema[0] == '\0' ||
				entry->db[0] == '\0')
				invalid_value(option, value_text(value));
			if (strlen(entry->schema) >= NAMEDATALEN)
				ereport(ERROR,
						(errcode(ERRCODE_NAME_TOO_LONG),
						 errmsg("schema name \"%s\" in subscription option \"%s\" is too long",
								entry->schema, option->name),
						 errdetail("Names have at most %d bytes.",
								   NAMEDATALEN - 1)));
			map = lappend(map, entry);
		}
	}
	return map;
}

/* The name of a column, or of a time zone. */
static char *
parse_name(const SubscriptionOption *option, const JsonbValue *value)
{
	char	   *text = string_value(value);

	if (text == NULL || text[0] == '\0' ||
		(option->type == OPTION_NAME ? strlen(text) >= NAMEDATALEN :
		 pg_tzset(text) == NULL))
		invalid_value(option, value_text(value));
	return text;
}

static void
parse_option(const SubscriptionOption *option, const JsonbValue *value,
			 MsSubscriptionOptions *options)
{
	bool		valid = true;
	bool		flag = false;
	int			number = 0;

	if (value->type == jbvNull)
		return;					/* the default */

	switch (option->type)
	{
		case OPTION_BOOL:
			valid = parse_bool_value(value, &flag);
			number = flag;
			break;
		case OPTION_INT:
			valid = parse_int_value(value, &number) &&
				number >= option->min && number <= option->max;
			break;
		case OPTION_DURATION:
			valid = parse_duration_value(value, &number) &&
				number >= option->min && number <= option->max;
			break;
		case OPTION_RATE:
			valid = parse_rate_value(value, &number);
			break;
		case OPTION_WORD:
			number = parse_word(option, value, string_value(value));
			break;
		case OPTION_WORDS:
			number = parse_words(option, value);
			break;
		case OPTION_GTID:
			store_pointer(options, option, parse_gtid(option, value));
			return;
		case OPTION_SCHEMA_MAP:
			store_pointer(options, option, parse_schema_map(option, value));
			return;
		case OPTION_NAME:
		case OPTION_ZONE:
			store_pointer(options, option, parse_name(option, value));
			return;
	}
	if (!valid)
		invalid_value(option, value_text(value));
	store_int(options, option, number);
}

static const SubscriptionOption *
find_option(const char *name, bool of_column)
{
	for (int i = 0; i < (int) lengthof(subscription_options); i++)
		if (strcmp(subscription_options[i].name, name) == 0 &&
			is_in_scope(&subscription_options[i], of_column))
			return &subscription_options[i];
	unknown_option(name, of_column);
	return NULL;
}

static void
check_is_object(Jsonb *json)
{
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("subscription options must be a JSON object"),
				 errhint("Write them as '{\"option\": value}'.")));
}

/*
 * Check the options and fill in the defaults of those that are not there.
 * Results live in the current context.
 */
void
ms_options_parse(Jsonb *json, MsSubscriptionOptions *options)
{
	const SubscriptionOption *option = NULL;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken token;

	set_defaults(options);
	check_is_object(json);
	it = JsonbIteratorInit(&json->root);

	/* the object itself, then keys and values; nested values come whole */
	(void) JsonbIteratorNext(&it, &item, false);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			option = find_option(string_value(&item), false);
		else if (token == WJB_VALUE)
			parse_option(option, &item, options);
	}

	if (options->start_gtid && options->copy_data)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("subscription option \"start_gtid\" requires \"copy_data\" to be false"),
				 errdetail("With a copy, streaming starts at the position of the copy.")));
}

/*
 * The options after a change: a null value takes an option back to its
 * default.  The result is valid, or an error was raised.
 */
Jsonb *
ms_options_merge(Jsonb *old, Jsonb *changes)
{
	MsSubscriptionOptions parsed;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken token;
	Datum		merged;

	check_is_object(changes);
	merged = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(old),
								 JsonbPGetDatum(changes));

	it = JsonbIteratorInit(&changes->root);
	(void) JsonbIteratorNext(&it, &item, false);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		char	   *name;

		if (token == WJB_KEY)
		{
			name = string_value(&item);
			if (find_option(name, false)->flags & AT_CREATION)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("subscription option \"%s\" can only be set by create_subscription()",
								name),
						 strcmp(name, "enabled") == 0 ?
						 errhint("Use mariadb_sync.start() and mariadb_sync.stop().") : 0));
			token = JsonbIteratorNext(&it, &item, true);
			if (item.type == jbvNull)
				merged = DirectFunctionCall2(jsonb_delete, merged,
											 CStringGetTextDatum(name));
		}
	}

	ms_options_parse(DatumGetJsonbP(merged), &parsed);
	return DatumGetJsonbP(merged);
}

/* ------------------------------------------------------------------------
 * Options of single columns
 * ------------------------------------------------------------------------
 */

static MsSourceColumn *
find_column(List *source_columns, const char *name)
{
	MsNameMatch match;
	ListCell   *lc;

	ms_name_match_init(&match, name);
	foreach(lc, source_columns)
	{
		MsSourceColumn *col = lfirst(lc);

		if (strcmp(col->name, name) == 0)
			return col;
		ms_name_match_add(&match, col->name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("source table has no column \"%s\"", name),
			 errdetail("Its columns are: %s.", match.valid.data),
			 match.best ? errhint("Perhaps you meant the column \"%s\".",
								  match.best) : 0));
	return NULL;
}

/* Names the column whose options are read. */
static void
column_error_context(void *arg)
{
	errcontext("options of column \"%s\"", (const char *) arg);
}

/*
 * One column's options: its name in the target, null or false to leave it
 * out, or an object.  What is not said is as options have it.
 */
static MsColumnOptions *
parse_column(char *name, const JsonbValue *value,
			 const MsSubscriptionOptions *options)
{
	MsSubscriptionOptions own = *options;
	MsColumnOptions *result = palloc(sizeof(MsColumnOptions));
	ErrorContextCallback callback;
	const SubscriptionOption *option = NULL;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken token;

	callback.callback = column_error_context;
	callback.arg = name;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	if (value->type == jbvNull ||
		(value->type == jbvBool && !value->val.boolean))
		own.columns.omitted = true;
	else if (value->type == jbvString)
		parse_option(find_option("name", true), value, &own);
	else if (value->type == jbvBinary &&
			 JsonContainerIsObject(value->val.binary.data))
	{
		it = JsonbIteratorInit(value->val.binary.data);
		(void) JsonbIteratorNext(&it, &item, false);
		while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
		{
			if (token == WJB_KEY)
				option = find_option(string_value(&item), true);
			else if (token == WJB_VALUE)
				parse_option(option, &item, &own);
		}
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for column \"%s\": %s", name,
						value_text(value)),
				 errdetail("Valid values are the column's name in the target table, null to leave it out, or an object of options.")));

	error_context_stack = callback.previous;
	*result = own.columns;
	return result;
}

/*
 * Give every column of a table its options: those in columns, an object with
 * source column names as keys (NULL = none), else the subscription's.
 */
void
ms_options_bind_columns(List *source_columns, Jsonb *columns,
						const MsSubscriptionOptions *options)
{
	MsSourceColumn *col = NULL;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken token;
	ListCell   *lc;

	foreach(lc, source_columns)
		((MsSourceColumn *) lfirst(lc))->options = &options->columns;
	if (columns == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(columns))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("columns must be a JSON object"),
				 errhint("Write them as '{\"source column\": \"target column\"}'.")));

	it = JsonbIteratorInit(&columns->root);
	(void) JsonbIteratorNext(&it, &item, false);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			col = find_column(source_columns, string_value(&item));
		else if (token == WJB_VALUE)
			col->options = parse_column(col->name, &item, options);
	}
}

/* The schema that holds the tables of a database of the source. */
const char *
ms_options_schema(const MsSubscriptionOptions *options, const char *db)
{
	ListCell   *lc;

	foreach(lc, options->schema_map)
	{
		MsSchemaMapEntry *entry = lfirst(lc);

		if (strcmp(entry->db, db) == 0)
			return entry->schema;
	}
	return db;
}
