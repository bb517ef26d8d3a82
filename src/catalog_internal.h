/*
 * catalog_internal.h - what the files of the catalog room share.
 */
#ifndef MS_CATALOG_INTERNAL_H
#define MS_CATALOG_INTERNAL_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "catalog.h"

#define MAX_ARGS 24

/* Arguments of a statement, added in the order of $1, $2, ... */
typedef struct Args
{
	int			n;
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];
} Args;

static inline void
add_arg(Args *args, Oid type, Datum value, bool isnull)
{
	Assert(args->n < MAX_ARGS);
	args->types[args->n] = type;
	args->values[args->n] = value;
	args->nulls[args->n] = isnull ? 'n' : ' ';
	args->n++;
}

/* Makes a struct of a row, in the current context. */
typedef void *(*RowFn) (HeapTuple tuple, TupleDesc desc);

/* short names for use inside the room */
#define execute			ms_catalog_execute
#define add_int4		ms_catalog_add_int4
#define add_int8		ms_catalog_add_int8
#define add_jsonb		ms_catalog_add_jsonb
#define add_text		ms_catalog_add_text
#define add_text_array	ms_catalog_add_text_array
#define add_table_key	ms_catalog_add_table_key
#define get_int8		ms_catalog_get_int8
#define get_jsonb		ms_catalog_get_jsonb
#define get_string		ms_catalog_get_string
#define get_text_list	ms_catalog_get_text_list

#define TABLE_KEY "subid = $1 AND source_db = $2 AND source_table = $3"

extern List *execute(const char *sql, Args *args, RowFn row_fn,
					 uint64 *processed);
extern void add_int4(Args *args, int32 value);
extern void add_int8(Args *args, int64 value);
extern void add_jsonb(Args *args, Jsonb *value);
extern void add_text(Args *args, const char *value);
extern void add_text_array(Args *args, List *texts);
extern void add_table_key(Args *args, const MsSubTable *table);
extern Jsonb *get_jsonb(HeapTuple tuple, TupleDesc desc, int column);
extern int64 get_int8(HeapTuple tuple, TupleDesc desc, int column);
extern char *get_string(HeapTuple tuple, TupleDesc desc, int column);
extern List *get_text_list(HeapTuple tuple, TupleDesc desc, int column);

#endif							/* MS_CATALOG_INTERNAL_H */
