/*
 * chunk.h - the key ranges that a table is copied in.
 */
#ifndef MS_CHUNK_H
#define MS_CHUNK_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "value.h"

#define MS_MAX_CHUNK_COLUMNS	8

typedef enum MsChunkState
{
	MS_CHUNK_PENDING,
	MS_CHUNK_ACTIVE,			/* in the leader's memory only */
	MS_CHUNK_DONE
} MsChunkState;

/* A row of mariadb_sync.snapshot_chunk: the rows from lower up to upper. */
typedef struct MsChunk
{
	int			number;			/* from 0, in the order of the keys */
	List	   *key_columns;	/* of char *; NIL = the whole table */
	uint8	   *lower_key;		/* sortable form */
	int			lower_len;		/* 0 = from the first row on */
	List	   *lower_bound;	/* of char *: SQL literals; NIL = open */
	List	   *upper_bound;	/* exclusive; NIL = open */
	MsChunkState state;
	char	   *snapshot_file;	/* DONE: the read view's position */
	uint64		snapshot_pos;
	uint32		snapshot_server_id;
	char	   *before_file;	/* noted before it, see snapshot_xa.c: the */
	uint64		before_pos;		/* binlog's end */
	List	   *prepared;		/* of char *: XA transactions */
	char	   *end_file;		/* without a read view: nothing that is */
	uint64		end_pos;		/* behind this has been copied */
	int64		rows;
	int64		bytes;
} MsChunk;

/* The columns of a key, found in a row format. */
typedef struct MsChunkKey
{
	int			ncolumns;
	int			columns[MS_MAX_CHUNK_COLUMNS];	/* indexes in the format */
} MsChunkKey;

/* The values of a key as they come from a row. */
typedef struct MsChunkValues
{
	MsValue		values[MS_MAX_CHUNK_COLUMNS];
	bool		present[MS_MAX_CHUNK_COLUMNS];
} MsChunkValues;

extern bool ms_chunk_is_uuid_swapped(const uint8 *uuid);
extern bool ms_chunk_usable(const MsColumn *col);
extern void ms_chunk_encode(const MsColumn *col, const MsValue *v,
							StringInfo buf);
extern char *ms_chunk_literal(const MsColumn *col, const MsValue *v);
extern void ms_chunk_find_key(MsChunkKey *key, List *names,
							  const MsRowFormat *format);
extern const uint8 *ms_chunk_read_image(const MsChunkKey *key,
										MsRowFormat *format,
										const uint8 *p, const uint8 *end,
										const uint8 *present,
										MsChunkValues *values);
extern int	ms_chunk_of(MsChunk *const *chunks, int nchunks,
						const MsChunkKey *key, const MsRowFormat *format,
						const MsChunkValues *values);
extern char *ms_chunk_condition(List *columns, List *bound, const char *op,
								bool or_equal);

/* chunk_target.c */
extern bool ms_chunk_reads_target(const MsColumn *col);
extern bool ms_chunk_read_target(const MsColumn *col, Datum datum,
								 MsValue *v);

#endif							/* MS_CHUNK_H */
