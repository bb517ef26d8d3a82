/*
 * fuzz_event.c - a stream of packets through the event parser.
 *
 * An input is a byte of flags and then events, each behind its length in two
 * bytes (little-endian).  One parser sees them all, as in a stream; an error
 * ends an event, not the stream.  Whatever a parsed event points at is read.
 *
 * Most changes of an event break its checksum or the length in its header, so
 * flags ask for both to be set right before the event is parsed.
 */
#include "postgres.h"

#include <zlib.h>

#include "event.h"

#include "pg_stub.h"

#define FLAG_FIX_LENGTH		0x01
#define FLAG_FIX_CHECKSUM	0x02

#define HEADER_LEN			19
#define CHECKSUM_LEN		4

typedef struct Packet
{
	MsEventParser *parser;
	const uint8 *data;
	size_t		len;
	uint8		flags;
}			Packet;

static void
put_u32(uint8 *p, uint32 n)
{
	p[0] = n;
	p[1] = n >> 8;
	p[2] = n >> 16;
	p[3] = n >> 24;
}

/* As relmap.c does: from a copy of the map's bytes, later. */
static void
use_table_map(const MsTableMapEvent *event)
{
	MsTableMapEvent copy;
	MsTableMap	map;

	stub_touch(event->db, event->db_len);
	stub_touch(event->table, event->table_len);

	copy.raw = stub_copy(event->raw, event->raw_len);
	copy.raw_len = event->raw_len;
	copy.db_len = copy.raw[0];
	copy.table_len = copy.raw[copy.db_len + 2];
	ms_event_read_table_map(&copy, &map);
	for (uint32 i = 0; i < map.ncolumns; i++)
	{
		const uint8 *labels = map.columns[i].labels;

		for (uint32 n = 0; labels && n < map.columns[i].nlabels; n++)
		{
			uint32		len;
			const char *label = ms_event_next_label(&labels,
													map.columns[i].labels_end,
													&len);

			stub_touch(label, len);
		}
		stub_touch(&map.columns[i], sizeof(MsMapColumn));
		stub_touch(map.columns[i].name, map.columns[i].name_len);
		if (map.has_names && map.columns[i].name == NULL)
			stub_finding("column %u of a table map has no name", i);
	}
}

static void
use_rows(const MsRowsEvent *rows)
{
	size_t		bitmap_len = (rows->ncolumns + 7) / 8;

	stub_touch(rows->present, bitmap_len);
	if ((rows->op == MS_ROW_UPDATE) != (rows->present_after != NULL))
		stub_finding("a rows event has the bitmaps of another");
	if (rows->present_after)
		stub_touch(rows->present_after, bitmap_len);
	if (rows->end < rows->rows)
		stub_finding("rows end before they start");
	stub_touch(rows->rows, rows->end - rows->rows);
}

static void
use_gtid_list(const MsGtidListEvent *event)
{
	MsGtidList	list;
	MsGtid		gtid;

	ms_gtid_init(&list);
	for (uint32 i = 0; i < event->count; i++)
	{
		ms_event_gtid_list_item(event, i, &gtid);
		ms_gtid_update(&list, &gtid);
	}
	if (!ms_gtid_reached(&list, &list) || ms_gtid_distance(&list, &list) != 0)
		stub_finding("a position is not at itself");
	ms_gtid_parse_list_or_error(ms_gtid_format_list(&list), &list);
}

static void
parse_packet(void *arg)
{
	Packet	   *packet = arg;
	uint8	   *data = stub_copy(packet->data, packet->len);
	MsEvent		event;
	char		gtid_text[MS_GTID_TEXT_LEN];

	if (packet->len >= HEADER_LEN && (packet->flags & FLAG_FIX_LENGTH))
		put_u32(data + 9, packet->len);
	if (packet->len >= HEADER_LEN + CHECKSUM_LEN &&
		(packet->flags & FLAG_FIX_CHECKSUM) &&
		(packet->parser->checksum || !packet->parser->have_format ||
		 data[4] == MS_EVENT_FORMAT_DESCRIPTION))
		put_u32(data + packet->len - CHECKSUM_LEN,
				crc32(0, data, packet->len - CHECKSUM_LEN));

	ms_event_parse(packet->parser, data, packet->len, &event);
	stub_touch(ms_event_type_name(event.type), 1);
	switch ((MsEventType) event.type)
	{
		case MS_EVENT_GTID:
			ms_gtid_format(&event.gtid.gtid, gtid_text);
			stub_touch(gtid_text, strlen(gtid_text));
			break;
		case MS_EVENT_QUERY:
		case MS_EVENT_QUERY_COMPRESSED:
			stub_touch(event.query.db, event.query.db_len);
			stub_touch(event.query.sql, event.query.sql_len);
			break;
		case MS_EVENT_TABLE_MAP:
			use_table_map(&event.table_map);
			break;
		case MS_EVENT_WRITE_ROWS:
		case MS_EVENT_UPDATE_ROWS:
		case MS_EVENT_DELETE_ROWS:
		case MS_EVENT_WRITE_ROWS_COMPRESSED:
		case MS_EVENT_UPDATE_ROWS_COMPRESSED:
		case MS_EVENT_DELETE_ROWS_COMPRESSED:
			use_rows(&event.rows);
			break;
		case MS_EVENT_ROTATE:
			stub_touch(event.rotate.file, event.rotate.file_len);
			break;
		case MS_EVENT_GTID_LIST:
			use_gtid_list(&event.gtid_list);
			break;
		default:
			break;
	}
}

int			LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	MsEventParser parser;
	Packet		packet;

	if (size < 1)
		return 0;
	packet.parser = &parser;
	packet.flags = *data++;
	size--;
	ms_event_parser_init(&parser);
	while (size >= 2)
	{
		packet.len = Min((size_t) (data[0] | data[1] << 8), size - 2);
		packet.data = data + 2;
		stub_run(parse_packet, &packet, packet.len);
		data += 2 + packet.len;
		size -= 2 + packet.len;
	}
	return 0;
}
