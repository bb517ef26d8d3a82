/*
 * event.c - the format of MariaDB's binlog events.
 *
 * Knows headers, checksums, compression and the layout of every event type we
 * act on; knows nothing of values, tables or transactions.  Every length that
 * comes from the wire is checked before it is used: a packet that lies ends
 * in an error.
 *
 * Facts are from MariaDB's sql/log_event.h and log_event_server.cc (10.5 to
 * 11.8) as measured on real servers.
 */
#include "postgres.h"

#include <zlib.h>

#include "event.h"

#define EVENT_HEADER_LEN		19
#define EVENT_CHECKSUM_LEN		4
#define CHECKSUM_NONE			0
#define CHECKSUM_CRC32			1
#define CHECKSUM_UNDEFINED		255
#define FDE_FIXED_LEN			57	/* version, server version, created,
									 * header length */
#define QUERY_POST_HEADER_LEN	13
#define MAX_INFLATED			((uint32) 0x3FFFFFFF)
#define UNKNOWN_TYPE			0xFF

/* the best that deflate can do is 1032 bytes out of one */
#define INFLATE_MAX_RATIO		1032

#define read_u16(p)	((uint16) ((p)[0] | (p)[1] << 8))
#define read_u32(p)	((uint32) (p)[0] | (uint32) (p)[1] << 8 | \
					 (uint32) (p)[2] << 16 | (uint32) (p)[3] << 24)
#define read_u48(p)	((uint64) read_u32(p) | (uint64) read_u16((p) + 4) << 32)
#define read_u64(p)	((uint64) read_u32(p) | (uint64) read_u32((p) + 4) << 32)

/* A stretch of bytes being read. */
typedef struct Cursor
{
	const uint8 *p;
	const uint8 *end;
} Cursor;

static void
malformed(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("malformed binlog event: %s", what)));
}

/* Step over n bytes, returning where they start. */
static inline const uint8 *
take(Cursor *c, size_t n, const char *what)
{
	const uint8 *p = c->p;

	if (unlikely((size_t) (c->end - c->p) < n))
		malformed(what);
	c->p += n;
	return p;
}

/* A length-encoded integer of the client protocol. */
static uint64
take_lenenc(Cursor *c, const char *what)
{
	const uint8 *p = take(c, 1, what);

	switch (*p)
	{
		case 252:
			p = take(c, 2, what);
			return read_u16(p);
		case 253:
			p = take(c, 3, what);
			return read_u16(p) | (uint32) p[2] << 16;
		case 254:
			p = take(c, 8, what);
			return read_u64(p);
		case 251:
		case 255:
			malformed(what);
	}
	return *p;
}

const char *
ms_event_type_name(uint8 type)
{
	switch ((MsEventType) type)
	{
		case MS_EVENT_QUERY:
			return "QUERY";
		case MS_EVENT_STOP:
			return "STOP";
		case MS_EVENT_ROTATE:
			return "ROTATE";
		case MS_EVENT_INTVAR:
			return "INTVAR";
		case MS_EVENT_APPEND_BLOCK:
			return "APPEND_BLOCK";
		case MS_EVENT_DELETE_FILE:
			return "DELETE_FILE";
		case MS_EVENT_RAND:
			return "RAND";
		case MS_EVENT_USER_VAR:
			return "USER_VAR";
		case MS_EVENT_FORMAT_DESCRIPTION:
			return "FORMAT_DESCRIPTION";
		case MS_EVENT_XID:
			return "XID";
		case MS_EVENT_BEGIN_LOAD_QUERY:
			return "BEGIN_LOAD_QUERY";
		case MS_EVENT_EXECUTE_LOAD_QUERY:
			return "EXECUTE_LOAD_QUERY";
		case MS_EVENT_TABLE_MAP:
			return "TABLE_MAP";
		case MS_EVENT_WRITE_ROWS:
			return "WRITE_ROWS";
		case MS_EVENT_UPDATE_ROWS:
			return "UPDATE_ROWS";
		case MS_EVENT_DELETE_ROWS:
			return "DELETE_ROWS";
		case MS_EVENT_INCIDENT:
			return "INCIDENT";
		case MS_EVENT_HEARTBEAT:
			return "HEARTBEAT";
		case MS_EVENT_WRITE_ROWS_V2:
			return "WRITE_ROWS_V2";
		case MS_EVENT_UPDATE_ROWS_V2:
			return "UPDATE_ROWS_V2";
		case MS_EVENT_DELETE_ROWS_V2:
			return "DELETE_ROWS_V2";
		case MS_EVENT_XA_PREPARE:
			return "XA_PREPARE";
		case MS_EVENT_ANNOTATE_ROWS:
			return "ANNOTATE_ROWS";
		case MS_EVENT_BINLOG_CHECKPOINT:
			return "BINLOG_CHECKPOINT";
		case MS_EVENT_GTID:
			return "GTID";
		case MS_EVENT_GTID_LIST:
			return "GTID_LIST";
		case MS_EVENT_START_ENCRYPTION:
			return "START_ENCRYPTION";
		case MS_EVENT_QUERY_COMPRESSED:
			return "QUERY_COMPRESSED";
		case MS_EVENT_WRITE_ROWS_COMPRESSED:
			return "WRITE_ROWS_COMPRESSED";
		case MS_EVENT_UPDATE_ROWS_COMPRESSED:
			return "UPDATE_ROWS_COMPRESSED";
		case MS_EVENT_DELETE_ROWS_COMPRESSED:
			return "DELETE_ROWS_COMPRESSED";
		case MS_EVENT_PARTIAL_ROW_DATA:
			return "PARTIAL_ROW_DATA";
	}
	return "unknown";
}

void
ms_event_parser_init(MsEventParser *parser)
{
	parser->have_format = false;
	parser->checksum = false;
	memset(parser->post_header, UNKNOWN_TYPE, sizeof(parser->post_header));
}

/* ------------------------------------------------------------------------
 * Compression
 * ------------------------------------------------------------------------
 */

/*
 * MariaDB's compressed field: 0x80 | n, n bytes of the inflated length
 * (big-endian), a zlib stream to the end.  The result is in the current
 * context.
 */
static void
inflate_rest(Cursor *c)
{
	const uint8 *head = take(c, 1, "compression header");
	int			n = *head & 0x07;
	uint32		len = 0;
	uLongf		out_len;
	uint8	   *out;

	if ((*head & 0x80) == 0 || (*head & 0x70) != 0 || n < 1 || n > 4)
		malformed("compression header");
	head = take(c, n, "compression header");
	for (int i = 0; i < n; i++)
		len = len << 8 | head[i];
	if (len > MAX_INFLATED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("compressed binlog event is too large"),
				 errdetail("It would inflate to %u bytes.", len)));
	/* a length that the data cannot have must not make us allocate it */
	if (len / INFLATE_MAX_RATIO > (size_t) (c->end - c->p))
		malformed("compression header");

	out = palloc(Max(len, 1));
	out_len = len;
	if (uncompress(out, &out_len, c->p, c->end - c->p) != Z_OK ||
		out_len != len)
		malformed("compressed data");
	c->p = out;
	c->end = out + len;
}

/* ------------------------------------------------------------------------
 * Event bodies
 * ------------------------------------------------------------------------
 */

/*
 * FORMAT_DESCRIPTION describes the events after it.  It always ends with a
 * checksum algorithm and a CRC, whatever the algorithm.
 */
static void
parse_format(MsEventParser *parser, Cursor *c, MsEvent *event)
{
	const uint8 *fixed = take(c, FDE_FIXED_LEN, "format description");
	size_t		ntypes;
	uint8		alg;

	if (c->end - c->p < 1 + EVENT_CHECKSUM_LEN)
		malformed("format description");
	ntypes = (c->end - c->p) - 1 - EVENT_CHECKSUM_LEN;
	alg = c->end[-EVENT_CHECKSUM_LEN - 1];

	if (read_u16(fixed) != 4 || fixed[FDE_FIXED_LEN - 1] != EVENT_HEADER_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("binlog format version %u is not supported",
						read_u16(fixed))));
	if (alg != CHECKSUM_NONE && alg != CHECKSUM_CRC32 &&
		alg != CHECKSUM_UNDEFINED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("binlog checksum algorithm %u is not supported", alg)));

	memset(parser->post_header, UNKNOWN_TYPE, sizeof(parser->post_header));
	for (size_t type = 1; type <= ntypes && type < 256; type++)
		parser->post_header[type] = c->p[type - 1];
	parser->checksum = (alg == CHECKSUM_CRC32);
	parser->have_format = true;
	event->fde_created = read_u32(fixed + 52);
}

static void
parse_gtid(Cursor *c, MsEvent *event)
{
	const uint8 *p = take(c, 13, "GTID event");
	MsGtidEvent *gtid = &event->gtid;

	gtid->gtid.seq = read_u64(p);
	gtid->gtid.domain = read_u32(p + 8);
	gtid->gtid.server_id = event->server_id;
	gtid->flags2 = p[12];
	gtid->flags_extra = 0;
	gtid->sa_seq = 0;

	if (gtid->flags2 & MS_GTID_HAS_COMMIT_ID)
		take(c, 8, "GTID event");
	if (gtid->flags2 & (MS_GTID_PREPARED_XA | MS_GTID_COMPLETED_XA))
	{
		p = take(c, 6, "GTID event");
		gtid->xid.format_id = read_u32(p);
		gtid->xid.gtrid_len = p[4];
		gtid->xid.bqual_len = p[5];
		if (p[4] > MS_XID_PART_MAX || p[5] > MS_XID_PART_MAX)
			malformed("GTID event");
		p = take(c, p[4] + p[5], "GTID event");
		memcpy(gtid->xid.data, p,
			   gtid->xid.gtrid_len + gtid->xid.bqual_len);
	}

	/* the rest may be missing, or zero padding of any length */
	if (c->p < c->end)
	{
		gtid->flags_extra = *take(c, 1, "GTID event");
		if (gtid->flags_extra & MS_GTID_EXTRA_MULTI_ENGINE)
			take(c, 1, "GTID event");
		if (gtid->flags_extra & (MS_GTID_EXTRA_COMMIT_ALTER |
								 MS_GTID_EXTRA_ROLLBACK_ALTER))
		{
			p = take(c, 8, "GTID event");
			gtid->sa_seq = read_u64(p);
		}
	}
}

/*
 * Status variables of a QUERY.  The codes do not ascend (11.x writes 131
 * before 4), and what follows an unknown code cannot be parsed.
 */
static void
parse_status_vars(Cursor *c, MsQueryEvent *query)
{
	const char *const what = "status variables of a QUERY";

	while (c->p < c->end)
	{
		uint8		code = *take(c, 1, what);
		const uint8 *p;

		switch (code)
		{
			case 0:				/* FLAGS2 */
				p = take(c, 4, what);
				query->flags2 = read_u32(p);
				break;
			case 3:				/* AUTO_INCREMENT */
			case 10:			/* MASTER_DATA_WRITTEN */
				take(c, 4, what);
				break;
			case 1:				/* SQL_MODE */
				p = take(c, 8, what);
				query->sql_mode = read_u64(p);
				break;
			case 2:				/* CATALOG */
				p = take(c, 1, what);
				take(c, *p + 1, what);
				break;
			case 4:				/* CHARSET: client, connection, server */
				p = take(c, 6, what);
				query->charset = read_u16(p);
				break;
			case 5:				/* TIME_ZONE */
			case 6:				/* CATALOG_NZ */
				p = take(c, 1, what);
				take(c, *p, what);
				break;
			case 7:				/* LC_TIME_NAMES */
			case 8:				/* CHARSET_DATABASE */
				take(c, 2, what);
				break;
			case 9:				/* TABLE_MAP_FOR_UPDATE */
			case 129:			/* XID */
				take(c, 8, what);
				break;
			case 11:			/* INVOKER: user, host */
				p = take(c, 1, what);
				take(c, *p, what);
				p = take(c, 1, what);
				take(c, *p, what);
				break;
			case 128:			/* HRNOW */
				take(c, 3, what);
				break;
			case 130:			/* GTID_FLAGS3 */
				p = take(c, 1, what);
				if (*p & (MS_GTID_EXTRA_COMMIT_ALTER |
						  MS_GTID_EXTRA_ROLLBACK_ALTER))
					take(c, 8, what);
				break;
			case 131:			/* CHARACTER_SET_COLLATIONS */
				p = take(c, 1, what);
				take(c, (size_t) *p * 4, what);
				break;
			default:
				return;
		}
	}
}

static void
parse_query(Cursor *c, MsEvent *event, uint8 post_header_len)
{
	MsQueryEvent *query = &event->query;
	const uint8 *p;
	uint8		db_len;
	Cursor		status;

	if (post_header_len < QUERY_POST_HEADER_LEN || post_header_len == UNKNOWN_TYPE)
		malformed("QUERY header");
	p = take(c, post_header_len, "QUERY header");
	db_len = p[8];
	query->error_code = read_u16(p + 9);
	query->flags2 = 0;
	query->sql_mode = 0;
	query->charset = 0;

	status.p = take(c, read_u16(p + 11), "status variables of a QUERY");
	status.end = c->p;
	parse_status_vars(&status, query);

	query->db = (const char *) take(c, db_len + 1, "database of a QUERY");
	query->db_len = db_len;

	if (event->type == MS_EVENT_QUERY_COMPRESSED)
		inflate_rest(c);
	query->sql = (const char *) c->p;
	query->sql_len = c->end - c->p;
}

static void
parse_table_map(Cursor *c, MsEvent *event, uint8 post_header_len)
{
	MsTableMapEvent *map = &event->table_map;
	const uint8 *p;

	if (post_header_len < 8 || post_header_len == UNKNOWN_TYPE)
		malformed("TABLE_MAP header");
	p = take(c, post_header_len, "TABLE_MAP header");
	map->table_id = read_u48(p);
	map->raw = c->p;
	map->raw_len = c->end - c->p;

	p = take(c, 1, "TABLE_MAP database");
	map->db_len = *p;
	map->db = (const char *) take(c, *p + 1, "TABLE_MAP database");
	p = take(c, 1, "TABLE_MAP table");
	map->table_len = *p;
	map->table = (const char *) take(c, *p + 1, "TABLE_MAP table");
}

static void
parse_rows(Cursor *c, MsEvent *event, uint8 post_header_len)
{
	MsRowsEvent *rows = &event->rows;
	const uint8 *p;
	uint64		ncolumns;
	size_t		bitmap_len;
	bool		compressed = false;

	if (post_header_len < 8 || post_header_len == UNKNOWN_TYPE)
		malformed("rows header");
	p = take(c, post_header_len, "rows header");
	rows->table_id = read_u48(p);
	rows->flags = read_u16(p + 6);

	switch (event->type)
	{
		case MS_EVENT_WRITE_ROWS_COMPRESSED:
			compressed = true;
			/* FALLTHROUGH */
		case MS_EVENT_WRITE_ROWS:
			rows->op = MS_ROW_INSERT;
			break;
		case MS_EVENT_UPDATE_ROWS_COMPRESSED:
			compressed = true;
			/* FALLTHROUGH */
		case MS_EVENT_UPDATE_ROWS:
			rows->op = MS_ROW_UPDATE;
			break;
		case MS_EVENT_DELETE_ROWS_COMPRESSED:
			compressed = true;
			/* FALLTHROUGH */
		default:
			rows->op = MS_ROW_DELETE;
			break;
	}

	ncolumns = take_lenenc(c, "rows column count");
	if (ncolumns > 65535)
		malformed("rows column count");
	rows->ncolumns = (uint32) ncolumns;
	bitmap_len = (ncolumns + 7) / 8;
	rows->present = take(c, bitmap_len, "rows columns bitmap");
	rows->present_after = NULL;
	if (rows->op == MS_ROW_UPDATE)
		rows->present_after = take(c, bitmap_len, "rows columns bitmap");

	if (compressed)
		inflate_rest(c);
	rows->rows = c->p;
	rows->end = c->end;
}

static void
parse_rotate(Cursor *c, MsEvent *event)
{
	const uint8 *p = take(c, 8, "ROTATE");

	event->rotate.position = read_u64(p);
	event->rotate.file = (const char *) c->p;
	event->rotate.file_len = c->end - c->p;
}

static void
parse_gtid_list(Cursor *c, MsEvent *event)
{
	const uint8 *p = take(c, 4, "GTID_LIST");

	/* the upper four bits are flags */
	event->gtid_list.count = read_u32(p) & 0x0FFFFFFF;
	event->gtid_list.items = take(c, (size_t) event->gtid_list.count * 16,
								  "GTID_LIST");
}

void
ms_event_gtid_list_item(const MsGtidListEvent *list, uint32 i, MsGtid *gtid)
{
	const uint8 *p = list->items + (size_t) i * 16;

	gtid->domain = read_u32(p);
	gtid->server_id = read_u32(p + 4);
	gtid->seq = read_u64(p + 8);
}

/* ------------------------------------------------------------------------
 * The event
 * ------------------------------------------------------------------------
 */

/*
 * Does the event end with a CRC that holds?  After a FORMAT_DESCRIPTION that is
 * known.  Before it comes one artificial ROTATE; its CRC, if it has one,
 * matches.  A FORMAT_DESCRIPTION that announces events without CRC has one of
 * its own, but MariaDB changes the header for who resumes a stream and does
 * not mend it.
 */
static bool
has_checksum(const MsEventParser *parser, uint8 type, const uint8 *data,
			 size_t len)
{
	if (type == MS_EVENT_FORMAT_DESCRIPTION)
		return len < EVENT_HEADER_LEN + 1 + EVENT_CHECKSUM_LEN ||
			data[len - EVENT_CHECKSUM_LEN - 1] != CHECKSUM_NONE;
	if (parser->have_format)
		return parser->checksum;
	return len >= EVENT_HEADER_LEN + EVENT_CHECKSUM_LEN &&
		crc32(0, data, len - EVENT_CHECKSUM_LEN) ==
		read_u32(data + len - EVENT_CHECKSUM_LEN);
}

/*
 * The length of the event that data begins with, of which available bytes are
 * there.
 */
size_t
ms_event_length(const uint8 *data, size_t available)
{
	size_t		length;

	if (available < EVENT_HEADER_LEN)
		malformed("header");
	length = read_u32(data + 9);
	if (length < EVENT_HEADER_LEN || length > available)
		malformed("length");
	return length;
}

/*
 * Take one event apart.
 *
 * data is the event without the packet's status byte.  Raises 08P01 for what
 * is malformed, XX001 when the checksum does not match.  Types we do not act
 * on come back with their header only.
 */
void
ms_event_parse(MsEventParser *parser, const uint8 *data, size_t len,
			   MsEvent *event)
{
	Cursor		c;
	uint8		post_header_len;

	if (len < EVENT_HEADER_LEN)
		malformed("header");
	event->timestamp = read_u32(data);
	event->type = data[4];
	event->server_id = read_u32(data + 5);
	event->length = read_u32(data + 9);
	event->next_pos = read_u32(data + 13);
	event->flags = read_u16(data + 17);
	if (event->length != len)
		malformed("length");

	c.p = data + EVENT_HEADER_LEN;
	c.end = data + len;
	if (has_checksum(parser, event->type, data, len))
	{
		if (len < EVENT_HEADER_LEN + EVENT_CHECKSUM_LEN)
			malformed("length");
		if (crc32(0, data, len - EVENT_CHECKSUM_LEN) !=
			read_u32(data + len - EVENT_CHECKSUM_LEN))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("checksum of a binlog event does not match"),
					 errdetail("Event type is %s, length %zu.",
							   ms_event_type_name(event->type), len)));
		/* the format description's own tail is read by its parser */
		if (event->type != MS_EVENT_FORMAT_DESCRIPTION)
			c.end -= EVENT_CHECKSUM_LEN;
	}

	post_header_len = parser->post_header[event->type];
	switch ((MsEventType) event->type)
	{
		case MS_EVENT_FORMAT_DESCRIPTION:
			parse_format(parser, &c, event);
			break;
		case MS_EVENT_GTID:
			parse_gtid(&c, event);
			break;
		case MS_EVENT_QUERY:
		case MS_EVENT_EXECUTE_LOAD_QUERY:
		case MS_EVENT_QUERY_COMPRESSED:
			parse_query(&c, event, post_header_len);
			break;
		case MS_EVENT_TABLE_MAP:
			parse_table_map(&c, event, post_header_len);
			break;
		case MS_EVENT_WRITE_ROWS:
		case MS_EVENT_UPDATE_ROWS:
		case MS_EVENT_DELETE_ROWS:
		case MS_EVENT_WRITE_ROWS_COMPRESSED:
		case MS_EVENT_UPDATE_ROWS_COMPRESSED:
		case MS_EVENT_DELETE_ROWS_COMPRESSED:
			parse_rows(&c, event, post_header_len);
			break;
		case MS_EVENT_ROTATE:
			parse_rotate(&c, event);
			break;
		case MS_EVENT_HEARTBEAT:
			event->rotate.position = event->next_pos;
			event->rotate.file = (const char *) c.p;
			event->rotate.file_len = c.end - c.p;
			break;
		case MS_EVENT_GTID_LIST:
			parse_gtid_list(&c, event);
			break;
		default:
			break;
	}
}

/* ------------------------------------------------------------------------
 * Table maps
 * ------------------------------------------------------------------------
 */

/* How many bytes of metadata a column type has. */
static int
metadata_size(uint8 type)
{
	switch (type)
	{
		case 4:					/* FLOAT */
		case 5:					/* DOUBLE */
		case 17:				/* TIMESTAMP2 */
		case 18:				/* DATETIME2 */
		case 19:				/* TIME2 */
		case 140:				/* BLOB_COMPRESSED */
		case 252:				/* BLOB */
		case 255:				/* GEOMETRY */
			return 1;
		case 15:				/* VARCHAR */
		case 16:				/* BIT */
		case 141:				/* VARCHAR_COMPRESSED */
		case 246:				/* NEWDECIMAL */
		case 253:				/* VAR_STRING */
		case 254:				/* STRING */
			return 2;
		default:
			return 0;
	}
}

/* Types that have a bit in the SIGNEDNESS metadata. */
static bool
type_is_numeric(uint8 type)
{
	switch (type)
	{
		case 1:					/* TINY */
		case 2:					/* SHORT */
		case 3:					/* LONG */
		case 4:					/* FLOAT */
		case 5:					/* DOUBLE */
		case 8:					/* LONGLONG */
		case 9:					/* INT24 */
		case 13:				/* YEAR */
		case 246:				/* NEWDECIMAL */
			return true;
		default:
			return false;
	}
}

/* Are the column's values text or bytes, as far as the table map knows? */
static bool
type_is_character(uint8 type)
{
	switch (type)
	{
		case 15:				/* VARCHAR, VARBINARY, VECTOR */
		case 140:				/* BLOB_COMPRESSED */
		case 141:				/* VARCHAR_COMPRESSED */
		case 252:				/* BLOB, TEXT */
		case 253:				/* VAR_STRING */
		case 254:				/* STRING: CHAR, BINARY, UUID, INET4, INET6 */
		case 255:				/* GEOMETRY */
			return true;
		default:
			return false;
	}
}

/* Is this one of the columns that a list of collations is about? */
static bool
is_of_class(const MsMapColumn *col, bool labelled)
{
	return labelled ? col->is_enum || col->is_set : col->is_character;
}

static uint32
take_collation(Cursor *c, const char *what)
{
	uint64		collation = take_lenenc(c, what);

	if (collation > 65535)
		malformed(what);
	return (uint32) collation;
}

/* One bit per numeric column, most significant bit first. */
static void
read_signedness(Cursor *c, MsTableMap *map)
{
	uint32		bit = 0;

	for (uint32 i = 0; i < map->ncolumns; i++)
	{
		if (!map->columns[i].is_numeric)
			continue;
		if (bit / 8 >= (size_t) (c->end - c->p))
			malformed("TABLE_MAP signedness");
		map->columns[i].is_unsigned = (c->p[bit / 8] & (0x80 >> bit % 8)) != 0;
		bit++;
	}
	map->has_signedness = true;
}

static void
read_names(Cursor *c, MsTableMap *map)
{
	for (uint32 i = 0; i < map->ncolumns; i++)
	{
		uint64		len = take_lenenc(c, "TABLE_MAP column names");

		map->columns[i].name = (const char *) take(c, len, "TABLE_MAP column names");
		map->columns[i].name_len = (uint32) len;
	}
	map->has_names = true;
}

/*
 * The collation of each column of a class: one number for all, and exceptions
 * as pairs of an index into the class and a number.
 */
static void
read_default_collation(Cursor *c, MsTableMap *map, bool labelled)
{
	const char *const what = "TABLE_MAP character sets";
	uint32		default_collation = take_collation(c, what);
	uint32		index = 0;
	uint64		exception = 0;
	uint32		collation = 0;
	bool		have_exception = false;

	for (uint32 i = 0; i < map->ncolumns; i++)
	{
		MsMapColumn *col = &map->columns[i];

		if (!is_of_class(col, labelled))
			continue;
		if (!have_exception && c->p < c->end)
		{
			exception = take_lenenc(c, what);
			collation = take_collation(c, what);
			have_exception = true;
		}
		col->collation = default_collation;
		if (have_exception && exception == index)
		{
			col->collation = collation;
			have_exception = false;
		}
		index++;
	}
	if (have_exception || c->p < c->end)
		malformed(what);
}

/* One number for each column of a class. */
static void
read_collations(Cursor *c, MsTableMap *map, bool labelled)
{
	for (uint32 i = 0; i < map->ncolumns; i++)
		if (is_of_class(&map->columns[i], labelled))
			map->columns[i].collation = take_collation(c, "TABLE_MAP character sets");
}

/* The labels of each ENUM, or of each SET: their number, then strings. */
static void
read_labels(Cursor *c, MsTableMap *map, bool of_sets)
{
	const char *const what = "TABLE_MAP labels";

	for (uint32 i = 0; i < map->ncolumns; i++)
	{
		MsMapColumn *col = &map->columns[i];
		uint64		count;

		if (of_sets ? !col->is_set : !col->is_enum)
			continue;
		count = take_lenenc(c, what);
		if (count > 65535)
			malformed(what);
		col->labels = c->p;
		col->nlabels = (uint32) count;
		while (count-- > 0)
			take(c, take_lenenc(c, what), what);
		col->labels_end = c->p;
	}
}

/*
 * Step through the labels of a column.  They are in its character set and do
 * not end with a NUL byte.
 */
const char *
ms_event_next_label(const uint8 **labels, const uint8 *end, uint32 *len)
{
	Cursor		c = {*labels, end};
	const char *label;

	*len = (uint32) take_lenenc(&c, "TABLE_MAP labels");
	label = (const char *) take(&c, *len, "TABLE_MAP labels");
	*labels = c.p;
	return label;
}

/*
 * Take a table map's columns apart.  The column array is in the current
 * context, names point into the event.
 */
void
ms_event_read_table_map(const MsTableMapEvent *event, MsTableMap *map)
{
	Cursor		c;
	Cursor		meta;
	const uint8 *types;
	uint64		ncolumns;

	c.p = event->raw + event->db_len + event->table_len + 4;
	c.end = event->raw + event->raw_len;

	ncolumns = take_lenenc(&c, "TABLE_MAP column count");
	if (ncolumns > 65535)
		malformed("TABLE_MAP column count");
	memset(map, 0, sizeof(*map));
	map->ncolumns = (uint32) ncolumns;
	types = take(&c, ncolumns, "TABLE_MAP types");

	meta.end = meta.p = c.p;
	{
		uint64		meta_len = take_lenenc(&c, "TABLE_MAP metadata");

		meta.p = take(&c, meta_len, "TABLE_MAP metadata");
		meta.end = c.p;
	}
	take(&c, (ncolumns + 7) / 8, "TABLE_MAP nullability");

	map->columns = palloc0(sizeof(MsMapColumn) * Max(ncolumns, 1));
	for (uint32 i = 0; i < map->ncolumns; i++)
	{
		MsMapColumn *col = &map->columns[i];
		int			size = metadata_size(types[i]);
		const uint8 *p = take(&meta, size, "TABLE_MAP metadata");

		col->type = types[i];
		col->is_numeric = type_is_numeric(types[i]);
		if (size == 1)
			col->meta = p[0];
		else if (size == 2)
			col->meta = read_u16(p);

		/* both are STRINGs, and the metadata's first byte has the type */
		col->is_enum = types[i] == 254 && p[0] == 247;
		col->is_set = types[i] == 254 && p[0] == 248;
		col->is_character = type_is_character(types[i]) &&
			!col->is_enum && !col->is_set;
	}

	while (c.p < c.end)
	{
		uint8		tag = *take(&c, 1, "TABLE_MAP optional metadata");
		uint64		len = take_lenenc(&c, "TABLE_MAP optional metadata");
		Cursor		value;

		value.p = take(&c, len, "TABLE_MAP optional metadata");
		value.end = c.p;
		switch (tag)
		{
			case 1:				/* SIGNEDNESS */
				read_signedness(&value, map);
				break;
			case 2:				/* DEFAULT_CHARSET */
				read_default_collation(&value, map, false);
				break;
			case 3:				/* COLUMN_CHARSET */
				read_collations(&value, map, false);
				break;
			case 4:				/* COLUMN_NAME */
				read_names(&value, map);
				break;
			case 5:				/* SET_STR_VALUE */
				read_labels(&value, map, true);
				break;
			case 6:				/* ENUM_STR_VALUE */
				read_labels(&value, map, false);
				break;
			case 10:			/* ENUM_AND_SET_DEFAULT_CHARSET */
				read_default_collation(&value, map, true);
				break;
			case 11:			/* ENUM_AND_SET_COLUMN_CHARSET */
				read_collations(&value, map, true);
				break;
			default:			/* keys, types of geometries */
				break;
		}
	}
}
