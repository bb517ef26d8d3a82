/*
 * pg_stub.c - as much of PostgreSQL as the decoders need outside a server.
 *
 * Memory: every palloc is a malloc of exactly that size, so that the byte
 * before it and the byte after it are guarded, and all of it is freed when
 * an input is done.  An allocation that is out of all proportion to the input
 * is a finding: some length was believed.
 *
 * Errors: ereport(ERROR) ends the input; FUZZ_SHOW_ERRORS in the environment
 * lets them be seen.  An error without an SQLSTATE of its
 * own is a finding, because elog() is for what must not happen.
 *
 * Everything that takes the decoders' output (input functions, constructors of
 * datums, conversions) looks at all the bytes that it is given, and asks for
 * as much room in their buffers as the real one could.
 */
#include "postgres.h"

#include <setjmp.h>

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/datetime.h"
#include "utils/formatting.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "remote_schema.h"
#include "role.h"

#include "pg_stub.h"

#define STUB_EXTENSION_OID	70000

/* the best that deflate can do is 1032:1, and text grows up to fourfold */
#define MAX_ALLOC_RATIO	(4 * 1100)
#define MIN_ALLOC_LIMIT	((size_t) 1 << 20)

MemoryContext CurrentMemoryContext = NULL;
MemoryContext TopMemoryContext = (MemoryContext) &TopMemoryContext;
ErrorContextCallback *error_context_stack = NULL;

/* what the input at hand has allocated */
static void **chunks;
static size_t nchunks;
static size_t max_chunks;
static size_t alloc_limit;

static jmp_buf error_exit;
static int	error_code;
static bool show_errors;
static bool extensions_installed;
static int	server_encoding = PG_UTF8;

/* where stub_touch() leaves what it read, so that it must read it */
volatile unsigned char stub_sink;

static void
stub_print(const char *label, const char *text)
{
	fprintf(stderr, "%s: %s\n", label, text);
}

void
stub_finding(const char *fmt,...)
{
	char		buf[1024];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	stub_print("finding", buf);
	abort();
}

void
stub_touch(const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned char sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	stub_sink = sum;
}

/*
 * Run the body of an input.  Returns whether it ended without an error.
 */
bool
stub_run(void (*body) (void *arg), void *arg, size_t input_len)
{
	bool		ok = false;

	show_errors = getenv("FUZZ_SHOW_ERRORS") != NULL;
	alloc_limit = MIN_ALLOC_LIMIT + input_len * MAX_ALLOC_RATIO;
	error_context_stack = NULL;
	if (setjmp(error_exit) == 0)
	{
		body(arg);
		ok = true;
	}
	while (nchunks > 0)
		free(chunks[--nchunks]);
	return ok;
}

/* ------------------------------------------------------------------------
 * Memory
 * ------------------------------------------------------------------------
 */

void *
palloc(Size size)
{
	void	   *chunk;

	if (size > alloc_limit)
		stub_finding("allocation of %zu bytes", (size_t) size);
	if (nchunks == max_chunks)
	{
		max_chunks = Max(1024, max_chunks * 2);
		chunks = realloc(chunks, max_chunks * sizeof(void *));
	}
	/* an allocation of nothing is one that may not be read */
	chunk = malloc(size);
	if (chunks == NULL || chunk == NULL)
		stub_finding("out of memory");
	chunks[nchunks++] = chunk;
	return chunk;
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void *
palloc_extended(Size size, int flags)
{
	return (flags & MCXT_ALLOC_ZERO) ? palloc0(size) : palloc(size);
}

/* Conversions that were looked up stay for the life of the process. */
void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return context == TopMemoryContext ? malloc(size) : palloc(size);
}

static size_t
find_chunk(void *pointer)
{
	for (size_t i = nchunks; i > 0; i--)
		if (chunks[i - 1] == pointer)
			return i - 1;
	stub_finding("pfree or repalloc of what was not allocated");
	return 0;
}

void *
repalloc(void *pointer, Size size)
{
	size_t		i = find_chunk(pointer);

	if (size > alloc_limit)
		stub_finding("allocation of %zu bytes", (size_t) size);
	chunks[i] = realloc(pointer, size);
	return chunks[i];
}

void
pfree(void *pointer)
{
	size_t		i = find_chunk(pointer);

	free(pointer);
	chunks[i] = chunks[--nchunks];
}

/* A copy of exactly this size, whose neighbours are guarded. */
void *
stub_copy(const void *data, size_t len)
{
	void	   *copy = palloc(len);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *
pnstrdup(const char *in, Size len)
{
	char	   *out;

	len = strnlen(in, len);
	out = palloc(len + 1);
	memcpy(out, in, len);
	out[len] = '\0';
	return out;
}

char *
pstrdup(const char *in)
{
	return pnstrdup(in, strlen(in));
}

char *
psprintf(const char *fmt,...)
{
	va_list		args;
	char		buf[1];
	char	   *result;
	int			len;

	va_start(args, fmt);
	len = vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	result = palloc(len + 1);
	va_start(args, fmt);
	vsnprintf(result, len + 1, fmt, args);
	va_end(args);
	return result;
}

void
initStringInfo(StringInfo str)
{
	str->maxlen = 64;
	str->data = palloc(str->maxlen);
	str->data[0] = '\0';
	str->len = 0;
	str->cursor = 0;
}

void
enlargeStringInfo(StringInfo str, int needed)
{
	if (str->maxlen - str->len <= needed)
	{
		str->maxlen = (str->len + needed + 1) * 2;
		str->data = repalloc(str->data, str->maxlen);
	}
}

void
appendBinaryStringInfo(StringInfo str,
#if PG_VERSION_NUM < 160000
					   const char *data,
#else
					   const void *data,
#endif
					   int datalen)
{
	enlargeStringInfo(str, datalen);
	memcpy(str->data + str->len, data, datalen);
	str->len += datalen;
	str->data[str->len] = '\0';
}

void
appendStringInfoString(StringInfo str, const char *s)
{
	appendBinaryStringInfo(str, s, strlen(s));
}

void
appendStringInfoChar(StringInfo str, char ch)
{
	appendBinaryStringInfo(str, &ch, 1);
}

List *
lappend(List *list, void *datum)
{
	if (list == NIL)
	{
		list = palloc0(sizeof(List));
		list->type = T_List;
	}
	if (list->length == list->max_length)
	{
		ListCell   *elements;

		list->max_length = Max(4, list->max_length * 2);
		elements = palloc(list->max_length * sizeof(ListCell));
		if (list->length > 0)
			memcpy(elements, list->elements, list->length * sizeof(ListCell));
		list->elements = elements;
	}
	lfirst(&list->elements[list->length++]) = datum;
	return list;
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */

bool
errstart(int elevel, const char *domain)
{
	error_code = ERRCODE_INTERNAL_ERROR;
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	error_code = sqlerrcode;
	return 0;
}

int
geterrcode(void)
{
	return error_code;
}

/* Messages are printed, which reads their arguments. */
static char message[1024];
static char detail[1024];
static char hint[1024];

#define MESSAGE_FUNCTION(name, buf) \
int \
name(const char *fmt,...) \
{ \
	va_list		args; \
\
	va_start(args, fmt); \
	vsnprintf(buf, sizeof(buf), fmt, args); \
	va_end(args); \
	return 0; \
}

MESSAGE_FUNCTION(errmsg, message)
MESSAGE_FUNCTION(errmsg_internal, message)
MESSAGE_FUNCTION(errdetail, detail)
MESSAGE_FUNCTION(errhint, hint)

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	if (error_code == ERRCODE_INTERNAL_ERROR)
		stub_finding("internal error at %s:%d: %s", filename, lineno, message);
	if (show_errors)
		stub_print("error", message);
	for (ErrorContextCallback *context = error_context_stack; context;
		 context = context->previous)
		context->callback(context->arg);
	longjmp(error_exit, 1);
}

void
ExceptionalCondition(const char *conditionName,
#if PG_VERSION_NUM < 160000
					 const char *errorType,
#endif
					 const char *fileName, int lineNumber)
{
	stub_finding("assertion \"%s\" failed at %s:%d", conditionName, fileName,
				 lineNumber);
	abort();
}

/* ------------------------------------------------------------------------
 * Numbers and dates
 * ------------------------------------------------------------------------
 */

/* These write no NUL, or one behind what they return, as PostgreSQL's do. */
int
pg_ulltoa_n(uint64 value, char *a)
{
	char		buf[32];
	int			len = snprintf(buf, sizeof(buf), UINT64_FORMAT, value);

	memcpy(a, buf, len);
	return len;
}

int
pg_ultoa_n(uint32 value, char *a)
{
	return pg_ulltoa_n(value, a);
}

int
pg_lltoa(int64 value, char *a)
{
	char		buf[32];
	int			len = snprintf(buf, sizeof(buf), INT64_FORMAT, value);

	memcpy(a, buf, len + 1);
	return len;
}

char *
pg_ultostr_zeropad(char *str, uint32 value, int32 minwidth)
{
	char		buf[32];
	int			len = snprintf(buf, sizeof(buf), "%0*u", minwidth, value);

	memcpy(str, buf, len);
	return str + len;
}

const int	day_tab[2][13] =
{
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}
};

/* days from year -4800, counted in years that begin in March */
int
date2j(int year, int month, int day)
{
	int			y = year + 4800 - (month <= 2);
	int			m = (month + 9) % 12;

	return day + (153 * m + 2) / 5 + 365 * y + y / 4 - y / 100 + y / 400 -
		32045;
}

void
j2date(int jd, int *year, int *month, int *day)
{
	int			a = jd + 32044;
	int			b = (4 * a + 3) / 146097;
	int			c = a - 146097 * b / 4;
	int			d = (4 * c + 3) / 1461;
	int			e = c - 1461 * d / 4;
	int			m = (5 * e + 2) / 153;

	*day = e - (153 * m + 2) / 5 + 1;
	*month = m + 3 - 12 * (m / 10);
	*year = 100 * b + d - 4800 + m / 10;
}

/*
 * A zone two hours ahead whose clocks skip the hour after three in the morning
 * of every day.
 */
pg_tz *
pg_tzset(const char *tzname)
{
	return (pg_tz *) &day_tab;
}

int
DetermineTimeZoneOffset(struct pg_tm *tm, pg_tz *tzp)
{
	return -7200;
}

int
timestamp2tm(Timestamp dt, int *tzp, struct pg_tm *tm, fsec_t *fsec,
			 const char **tzn, pg_tz *attimezone)
{
	int64		local = dt + 2 * USECS_PER_HOUR;
	int64		usec = local % USECS_PER_DAY;

	if (usec < 0)
		usec += USECS_PER_DAY;
	j2date((local - usec) / USECS_PER_DAY + POSTGRES_EPOCH_JDATE,
		   &tm->tm_year, &tm->tm_mon, &tm->tm_mday);
	tm->tm_hour = usec / USECS_PER_HOUR;
	tm->tm_min = usec / USECS_PER_MINUTE % MINS_PER_HOUR;
	tm->tm_sec = usec / USECS_PER_SEC % SECS_PER_MINUTE;
	*fsec = usec % USECS_PER_SEC;
	if (tm->tm_hour == 3)
		tm->tm_hour++;
	return 0;
}

/* ------------------------------------------------------------------------
 * Constructors and input functions
 * ------------------------------------------------------------------------
 */

static Datum
opaque_datum(size_t len)
{
	struct varlena *result = palloc0(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	return PointerGetDatum(result);
}

text *
cstring_to_text(const char *s)
{
	size_t		len = strlen(s);
	text	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), s, len);
	return result;
}

Numeric
int64_to_numeric(int64 val)
{
	return (Numeric) DatumGetPointer(opaque_datum(sizeof(val)));
}

Datum
numeric(PG_FUNCTION_ARGS)
{
	return PG_GETARG_DATUM(0);
}

/* One that refuses most things. */
Datum
json_in(PG_FUNCTION_ARGS)
{
	const char *s = PG_GETARG_CSTRING(0);

	if (s[0] == '\0' || strchr("[{\"-0123456789tfn", s[0]) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type json")));
	return opaque_datum(strlen(s));
}

Datum
jsonb_in(PG_FUNCTION_ARGS)
{
	return json_in(fcinfo);
}

Datum
InputFunctionCall(FmgrInfo *flinfo, char *str, Oid typioparam, int32 typmod)
{
	return opaque_datum(strlen(str));
}

Datum
uuid_in(PG_FUNCTION_ARGS)
{
	const char *s = PG_GETARG_CSTRING(0);

	if (strlen(s) != 36)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type uuid")));
	return opaque_datum(UUID_LEN);
}

Datum
ReceiveFunctionCall(FmgrInfo *flinfo, StringInfo buf, Oid typioparam,
					int32 typmod)
{
	stub_touch(buf->data, buf->len);
	return opaque_datum(buf->len);
}

ArrayType *
construct_empty_array(Oid elmtype)
{
	return (ArrayType *) DatumGetPointer(opaque_datum(sizeof(ArrayType)));
}

ArrayType *
construct_array(Datum *elems, int nelems, Oid elmtype, int elmlen,
				bool elmbyval, char elmalign)
{
	for (int i = 0; i < nelems; i++)
		stub_touch(DatumGetPointer(elems[i]),
				   VARSIZE_ANY(DatumGetPointer(elems[i])));
	return construct_empty_array(elmtype);
}

Datum
DirectFunctionCall1Coll(PGFunction func, Oid collation, Datum arg1)
{
	LOCAL_FCINFO(fcinfo, 1);

	InitFunctionCallInfoData(*fcinfo, NULL, 1, collation, NULL, NULL);
	fcinfo->args[0].value = arg1;
	return func(fcinfo);
}

Datum
DirectFunctionCall2Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2)
{
	LOCAL_FCINFO(fcinfo, 2);

	InitFunctionCallInfoData(*fcinfo, NULL, 2, collation, NULL, NULL);
	fcinfo->args[0].value = arg1;
	fcinfo->args[1].value = arg2;
	return func(fcinfo);
}

Datum
DirectFunctionCall3Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2,
						Datum arg3)
{
	LOCAL_FCINFO(fcinfo, 3);

	InitFunctionCallInfoData(*fcinfo, NULL, 3, collation, NULL, NULL);
	fcinfo->args[0].value = arg1;
	fcinfo->args[1].value = arg2;
	fcinfo->args[2].value = arg3;
	return func(fcinfo);
}

/* ------------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------------
 */

Oid
getBaseTypeAndTypmod(Oid typid, int32 *typmod)
{
	return typid >= STUB_DOMAIN_OFFSET ? typid - STUB_DOMAIN_OFFSET : typid;
}

/* Domains belong to a superuser, as whom they are checked. */
Oid
ms_role_for_domain(Oid role, Oid typid)
{
	return role;
}

bool
superuser(void)
{
	return true;
}

void
ms_role_become(Oid role, MsRole *before)
{
	stub_finding("a domain of the superuser is checked as somebody else");
}

void
ms_role_return(const MsRole *before)
{
}

/* Some domains refuse NULL. */
void
domain_check(Datum value, bool isnull, Oid domainType, void **extra,
			 MemoryContext mcxt)
{
	if (isnull && domainType % 2 == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("domain does not allow null values")));
}

char
get_typtype(Oid typid)
{
	return typid == STUB_ENUM_OID ? TYPTYPE_ENUM : TYPTYPE_BASE;
}

void
get_type_category_preferred(Oid typid, char *typcategory, bool *typispreferred)
{
	*typcategory = typid == STUB_STRING_OID ? TYPCATEGORY_STRING :
		TYPCATEGORY_USER;
	*typispreferred = false;
}

void
getTypeInputInfo(Oid type, Oid *typInput, Oid *typIOParam)
{
	*typInput = type;
	*typIOParam = type;
}

void
getTypeBinaryInputInfo(Oid type, Oid *typReceive, Oid *typIOParam)
{
	getTypeInputInfo(type, typReceive, typIOParam);
}

void
fmgr_info(Oid functionId, FmgrInfo *finfo)
{
	memset(finfo, 0, sizeof(*finfo));
	finfo->fn_oid = functionId;
}

void
fmgr_info_cxt(Oid functionId, FmgrInfo *finfo, MemoryContext mcxt)
{
	fmgr_info(functionId, finfo);
}

char *
format_type_with_typemod(Oid type_oid, int32 typemod)
{
	return psprintf("%u(%d)", type_oid, typemod);
}

char *
format_type_be_qualified(Oid type_oid)
{
	return pstrdup(type_oid == STUB_GEOMETRY_OID ? "public.geometry" :
				   "public.vector");
}

void
stub_set_extensions(bool installed)
{
	extensions_installed = installed;
}

Oid
get_extension_oid(const char *extname, bool missing_ok)
{
	return extensions_installed ? STUB_EXTENSION_OID : InvalidOid;
}

Oid
getExtensionOfObject(Oid classId, Oid objectId)
{
	return STUB_EXTENSION_OID;
}

/* The types of a name: one of an extension's. */
CatCList *
SearchSysCacheList(int cacheId, int nkeys, Datum key1, Datum key2, Datum key3)
{
	const char *name = DatumGetCString(key1);
	CatCList   *list = palloc0(offsetof(CatCList, members) +
							   sizeof(CatCTup *));
	CatCTup    *member = palloc0(sizeof(CatCTup));
	size_t		header_len = MAXALIGN(SizeofHeapTupleHeader);
	Form_pg_type type;

	member->tuple.t_data = palloc0(header_len + sizeof(FormData_pg_type));
	member->tuple.t_data->t_hoff = header_len;
	type = (Form_pg_type) GETSTRUCT(&member->tuple);
	type->oid = strcmp(name, "geometry") == 0 ? STUB_GEOMETRY_OID :
		STUB_VECTOR_OID;
	list->n_members = 1;
	list->members[0] = member;
	return list;
}

void
ReleaseCatCacheList(CatCList *list)
{
}

/* Enum labels: every one but the empty one. */
Oid
GetSysCacheOid(int cacheId, AttrNumber oidcol, Datum key1, Datum key2,
			   Datum key3, Datum key4)
{
	const char *label = DatumGetCString(key2);

	return label[0] == '\0' ? InvalidOid : STUB_ENUM_OID + strlen(label);
}

/* ------------------------------------------------------------------------
 * Text
 * ------------------------------------------------------------------------
 */

void
stub_set_encoding(int encoding)
{
	server_encoding = encoding;
}

int
GetDatabaseEncoding(void)
{
	return server_encoding;
}

int
pg_database_encoding_max_length(void)
{
	return pg_encoding_max_length(server_encoding);
}

int
pg_mbstrlen_with_len(const char *mbstr, int limit)
{
	int			count = 0;

	stub_touch(mbstr, limit);
	while (limit > 0 && *mbstr)
	{
		int			len = pg_encoding_mblen(server_encoding, mbstr);

		limit -= len;
		mbstr += len;
		count++;
	}
	return count;
}

int
pg_mbstrlen(const char *mbstr)
{
	return pg_mbstrlen_with_len(mbstr, strlen(mbstr));
}

char *
asc_tolower(const char *buff, size_t nbytes)
{
	char	   *result = pnstrdup(buff, nbytes);

	for (char *p = result; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return result;
}

const char *
GetDatabaseEncodingName(void)
{
	return "server";
}

/* As much of a text as limit bytes hold, in whole characters. */
int
pg_encoding_mbcliplen(int encoding, const char *mbstr, int len, int limit)
{
	int			clipped = 0;

	while (clipped < len)
	{
		int			size = pg_encoding_mblen(encoding, mbstr + clipped);

		if (clipped + size > limit)
			break;
		clipped += size;
	}
	return clipped;
}

/*
 * From UTF-8 to the server's encoding, which lacks all characters above U+07FF.
 */
int
pg_do_encoding_conversion_buf(Oid proc, int src_encoding, int dest_encoding,
							  unsigned char *src, int srclen,
							  unsigned char *dest, int destlen, bool noError)
{
	int			done = 0;
	int			n = 0;

	stub_touch(src, srclen);
	while (done < srclen && src[done] != '\0' && src[done] < 0xE0 &&
		   n + 1 < destlen)
	{
		dest[n++] = IS_HIGHBIT_SET(src[done]) ? 0xC3 : src[done];
		done += pg_utf_mblen(src + done);
	}
	dest[n] = '\0';
	return done;
}

Oid
FindDefaultConversionProc(int32 for_encoding, int32 to_encoding)
{
	return 80000 + for_encoding;
}

/*
 * A conversion to UTF-8, up to what is not valid.  Every byte that is not
 * ASCII becomes three, which none of the real ones exceeds.
 */
Datum
FunctionCall6Coll(FmgrInfo *flinfo, Oid collation, Datum arg1, Datum arg2,
				  Datum arg3, Datum arg4, Datum arg5, Datum arg6)
{
	int			encoding = DatumGetInt32(arg1);
	const char *src = DatumGetCString(arg3);
	char	   *dest = DatumGetCString(arg4);
	int			len = DatumGetInt32(arg5);
	bool		no_error = DatumGetBool(arg6);
	int			valid;

	stub_touch(src, len);
	valid = pg_encoding_verifymbstr(encoding, src, len);
	if (valid != len && !no_error)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("invalid byte sequence")));
	for (int i = 0; i < valid; i++)
	{
		if (IS_HIGHBIT_SET(src[i]))
		{
			memcpy(dest, "\xE3\x81\x82", 3);
			dest += 3;
		}
		else
			*dest++ = src[i];
	}
	*dest = '\0';
	return Int32GetDatum(valid);
}

char *
ms_wire_quote_identifier(const char *name)
{
	return psprintf("`%s`", name);
}
