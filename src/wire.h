/*
 * wire.h - connections to MariaDB.  The only room that knows libmariadb.
 */
#ifndef MS_WIRE_H
#define MS_WIRE_H

#include "options.h"

typedef struct MsWire MsWire;

/* A query's whole result, in the server's encoding. */
typedef struct MsResult
{
	int			nrows;
	int			nfields;
	char	  **cells;			/* row by row; NULL = SQL NULL */
} MsResult;

#define ms_result_cell(res, row, field) \
	((res)->cells[(row) * (res)->nfields + (field)])

/* How and from where to stream. */
typedef struct MsStreamStart
{
	const char *gtid_position;	/* @slave_connect_state */
	uint32		server_id;
	const char *report_host;	/* shown by SHOW SLAVE HOSTS */
	int			heartbeat_period;	/* milliseconds */
} MsStreamStart;

typedef enum MsReceiveStatus
{
	MS_RECEIVE_EVENT,			/* *data, *len hold an event */
	MS_RECEIVE_END				/* the source ended the stream */
} MsReceiveStatus;

/*
 * Called when nothing is buffered and the connection is about to wait.
 * Returns how many milliseconds it may wait before the next call, -1 for as
 * long as it takes.  May raise errors: they are caught, the library call is
 * ended and the error is raised again outside it.
 */
typedef long (*MsIdleFn) (void *arg);

extern MsWire *ms_wire_connect(const MsServerOptions *options);
extern void ms_wire_close(MsWire *wire);
extern void ms_wire_set_idle(MsWire *wire, MsIdleFn idle, void *arg);
extern void ms_wire_set_read_timeout(MsWire *wire, int seconds);
extern void ms_wire_interrupt_connect(void);
extern const char *ms_wire_server_version(MsWire *wire);

extern MsResult *ms_wire_query(MsWire *wire, const char *sql);
extern void ms_wire_query_begin(MsWire *wire, const char *sql);
extern MsResult *ms_wire_query_end(MsWire *wire, const char *sql);
extern bool ms_wire_is_readable(MsWire *wire);
extern void ms_wire_wait_any(MsWire **wires, const void *const *busy, int n,
							 long timeout_ms);
extern char *ms_wire_query_value(MsWire *wire, const char *sql);
extern void ms_wire_exec(MsWire *wire, const char *sql);
extern char *ms_wire_quote_literal(const char *text);
extern char *ms_wire_quote_identifier(const char *name);

extern int	ms_wire_rows_begin(MsWire *wire, const char *sql);
extern bool ms_wire_rows_next(MsWire *wire, const uint8 **row, size_t *len);

extern void ms_wire_start_stream(MsWire *wire, const MsStreamStart *start);
extern MsReceiveStatus ms_wire_receive(MsWire *wire, const uint8 **data,
									   size_t *len);

#endif							/* MS_WIRE_H */
