/*
 * catalog_sequence.c - mariadb_sync.subscription_sequence, the sequences of
 * subscriptions.
 *
 * Part of the catalog room.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"

#include "catalog_internal.h"

static void *
sequence_row(HeapTuple tuple, TupleDesc desc)
{
	MsSequence *sequence = palloc0(sizeof(MsSequence));
	bool		isnull;

	sequence->db = get_string(tuple, desc, 1);
	sequence->name = get_string(tuple, desc, 2);
	sequence->relid = DatumGetObjectId(SPI_getbinval(tuple, desc, 3, &isnull));
	sequence->created = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
	return sequence;
}

/* Of MsSequence *. */
List *
ms_catalog_get_sequences(int32 subid)
{
	Args		args = {0};

	add_int4(&args, subid);
	return execute("SELECT source_db, source_name, relid, created"
				   " FROM mariadb_sync.subscription_sequence WHERE subid = $1"
				   " ORDER BY source_db, source_name",
				   &args, sequence_row, NULL);
}

static void
add_key(Args *args, int32 subid, const MsSequence *sequence)
{
	add_int4(args, subid);
	add_text(args, sequence->db);
	add_text(args, sequence->name);
}

void
ms_catalog_insert_sequence(int32 subid, const MsSequence *sequence)
{
	Args		args = {0};

	add_key(&args, subid, sequence);
	add_arg(&args, REGCLASSOID, ObjectIdGetDatum(sequence->relid), false);
	add_arg(&args, BOOLOID, BoolGetDatum(sequence->created), false);
	execute("INSERT INTO mariadb_sync.subscription_sequence"
			" (subid, source_db, source_name, relid, created)"
			" VALUES ($1, $2, $3, $4, $5)", &args, NULL, NULL);
}

void
ms_catalog_delete_sequence(int32 subid, const MsSequence *sequence)
{
	Args		args = {0};

	add_key(&args, subid, sequence);
	execute("DELETE FROM mariadb_sync.subscription_sequence"
			" WHERE subid = $1 AND source_db = $2 AND source_name = $3",
			&args, NULL, NULL);
}
