/*
 * event.h - binlog events: bytes in, structs out.
 *
 * Pure functions over bytes.  The structs point into the packet (or into an
 * inflated copy in the current context) and are valid as long as that is.
 */
#ifndef MS_EVENT_H
#define MS_EVENT_H

#include "gtid.h"
#include "xid.h"

typedef enum MsEventType
{
	MS_EVENT_QUERY = 2,
	MS_EVENT_STOP = 3,
	MS_EVENT_ROTATE = 4,
	MS_EVENT_INTVAR = 5,
	MS_EVENT_APPEND_BLOCK = 9,
	MS_EVENT_DELETE_FILE = 11,
	MS_EVENT_RAND = 13,
	MS_EVENT_USER_VAR = 14,
	MS_EVENT_FORMAT_DESCRIPTION = 15,
	MS_EVENT_XID = 16,
	MS_EVENT_BEGIN_LOAD_QUERY = 17,
	MS_EVENT_EXECUTE_LOAD_QUERY = 18,
	MS_EVENT_TABLE_MAP = 19,
	MS_EVENT_WRITE_ROWS = 23,
	MS_EVENT_UPDATE_ROWS = 24,
	MS_EVENT_DELETE_ROWS = 25,
	MS_EVENT_INCIDENT = 26,
	MS_EVENT_HEARTBEAT = 27,
	MS_EVENT_WRITE_ROWS_V2 = 30,
	MS_EVENT_UPDATE_ROWS_V2 = 31,
	MS_EVENT_DELETE_ROWS_V2 = 32,
	MS_EVENT_XA_PREPARE = 38,
	MS_EVENT_ANNOTATE_ROWS = 160,
	MS_EVENT_BINLOG_CHECKPOINT = 161,
	MS_EVENT_GTID = 162,
	MS_EVENT_GTID_LIST = 163,
	MS_EVENT_START_ENCRYPTION = 164,
	MS_EVENT_QUERY_COMPRESSED = 165,
	MS_EVENT_WRITE_ROWS_COMPRESSED = 166,
	MS_EVENT_UPDATE_ROWS_COMPRESSED = 167,
	MS_EVENT_DELETE_ROWS_COMPRESSED = 168,
	MS_EVENT_PARTIAL_ROW_DATA = 172
} MsEventType;

/* common header flags */
#define MS_EVENT_FLAG_ARTIFICIAL	0x20
#define MS_EVENT_FLAG_IGNORABLE		0x80

/* GTID event flags2 */
#define MS_GTID_STANDALONE			0x01
#define MS_GTID_HAS_COMMIT_ID		0x02
#define MS_GTID_TRANSACTIONAL		0x04
#define MS_GTID_DDL					0x20
#define MS_GTID_PREPARED_XA			0x40
#define MS_GTID_COMPLETED_XA		0x80

/* GTID event flags_extra */
#define MS_GTID_EXTRA_MULTI_ENGINE	0x01
#define MS_GTID_EXTRA_START_ALTER	0x02
#define MS_GTID_EXTRA_COMMIT_ALTER	0x04
#define MS_GTID_EXTRA_ROLLBACK_ALTER 0x08

/* rows event flags */
#define MS_ROWS_STMT_END			0x01
#define MS_ROWS_NO_FOREIGN_KEYS		0x02	/* foreign_key_checks = 0 */

/* table ids of a rows event that only ends a statement */
#define MS_DUMMY_TABLE_ID			UINT64CONST(0xFFFFFFFF)
#define MS_DUMMY_TABLE_ID_SHORT		UINT64CONST(0x00FFFFFF)

/* QUERY event: SQL_MODE bits that change how text is tokenised */
#define MS_SQL_MODE_ANSI_QUOTES		UINT64CONST(0x4)
#define MS_SQL_MODE_MSSQL			UINT64CONST(0x400)	/* [name] */
#define MS_SQL_MODE_NO_BACKSLASH	UINT64CONST(0x100000)

/* and those that change what the name of a type means */
#define MS_SQL_MODE_REAL_AS_FLOAT	UINT64CONST(0x1)
#define MS_SQL_MODE_ORACLE			UINT64CONST(0x200)
#define MS_SQL_MODE_MAXDB			UINT64CONST(0x1000)

/* QUERY event: FLAGS2 bits */
#define MS_QUERY_EXPLICIT_TIMESTAMP	0x01000000	/* explicit_defaults_for_timestamp */

typedef enum MsRowOp
{
	MS_ROW_INSERT,
	MS_ROW_UPDATE,
	MS_ROW_DELETE
} MsRowOp;

typedef struct MsGtidEvent
{
	MsGtid		gtid;
	uint8		flags2;
	uint8		flags_extra;
	uint64		sa_seq;			/* COMMIT/ROLLBACK ALTER: seq of the START */
	MsXid		xid;			/* PREPARED_XA, COMPLETED_XA */
} MsGtidEvent;

typedef struct MsQueryEvent
{
	uint16		error_code;
	uint32		flags2;
	uint64		sql_mode;
	uint16		charset;		/* client collation id, 0 = not told */
	const char *db;
	uint32		db_len;
	const char *sql;
	uint32		sql_len;
} MsQueryEvent;

typedef struct MsTableMapEvent
{
	uint64		table_id;
	const char *db;
	uint32		db_len;
	const char *table;
	uint32		table_len;
	const uint8 *raw;			/* everything after the table id and flags */
	uint32		raw_len;
} MsTableMapEvent;

typedef struct MsRowsEvent
{
	MsRowOp		op;
	uint64		table_id;
	uint16		flags;
	uint32		ncolumns;
	const uint8 *present;		/* INSERT: after; UPDATE, DELETE: before */
	const uint8 *present_after; /* UPDATE only */
	const uint8 *rows;
	const uint8 *end;
} MsRowsEvent;

typedef struct MsRotateEvent
{
	uint64		position;
	const char *file;
	uint32		file_len;
} MsRotateEvent;

typedef struct MsGtidListEvent
{
	uint32		count;
	const uint8 *items;			/* 16 bytes each */
} MsGtidListEvent;

typedef struct MsEvent
{
	uint32		timestamp;
	uint8		type;
	uint32		server_id;
	uint32		next_pos;
	uint32		length;
	uint16		flags;
	union
	{
		MsGtidEvent gtid;
		MsQueryEvent query;
		MsTableMapEvent table_map;
		MsRowsEvent rows;
		MsRotateEvent rotate;	/* and HEARTBEAT: the binlog's end */
		MsGtidListEvent gtid_list;
		uint32		fde_created;	/* non-zero: the source was started */
	};
} MsEvent;

/* What has to be remembered between events. */
typedef struct MsEventParser
{
	bool		have_format;	/* a FORMAT_DESCRIPTION was seen */
	bool		checksum;		/* later events end with a CRC32 */
	uint8		post_header[256];	/* by event type; 0xFF = unknown type */
} MsEventParser;

/* One column of a table map. */
typedef struct MsMapColumn
{
	uint8		type;
	uint16		meta;			/* see ms_value_bind_image */
	bool		is_numeric;
	bool		is_unsigned;	/* when signedness is known */
	const char *name;			/* NULL without full metadata */
	uint32		name_len;
	bool		is_character;	/* ENUM and SET are not */
	bool		is_enum;
	bool		is_set;
	uint32		collation;		/* number, 0 when not told */
	const uint8 *labels;		/* ENUM and SET: for ms_event_next_label(), or
								 * NULL */
	const uint8 *labels_end;
	uint32		nlabels;
} MsMapColumn;

/* A table map taken apart, done once per table definition. */
typedef struct MsTableMap
{
	uint32		ncolumns;
	MsMapColumn *columns;
	bool		has_signedness;
	bool		has_names;
} MsTableMap;

extern void ms_event_parser_init(MsEventParser *parser);
extern void ms_event_parse(MsEventParser *parser, const uint8 *data,
						   size_t len, MsEvent *event);
extern size_t ms_event_length(const uint8 *data, size_t available);
extern void ms_event_read_table_map(const MsTableMapEvent *event,
									MsTableMap *map);
extern const char *ms_event_next_label(const uint8 **labels, const uint8 *end,
									   uint32 *len);
extern void ms_event_gtid_list_item(const MsGtidListEvent *list, uint32 i,
									MsGtid *gtid);
extern const char *ms_event_type_name(uint8 type);

#endif							/* MS_EVENT_H */
