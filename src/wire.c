/*
 * wire.c - connections to MariaDB.
 *
 * The only room that includes libmariadb.  It connects, authenticates, does
 * TLS, runs queries, reads the rows of a copy and the packets of the binlog
 * stream, and turns the library's errors into ereports.  It does not look
 * inside a packet beyond its status byte.
 *
 * Waiting.  libmariadb reads ahead (its own cache, TLS records, compressed
 * packets), so waiting on the socket before a read can sleep on data already
 * here.  Instead the library calls wire_io_wait() when it has nothing buffered
 * and the kernel would block; that is the only place we wait, on the latch and
 * the socket together.  The function must not throw through the library:
 * errors raised inside it are kept in the connection, the call is failed, and
 * the error is raised again once the library has returned.  A FATAL exit may
 * leave from inside the library; close_wire() then keeps its hands off.
 *
 * Memory.  libmariadb allocates with malloc.  Every connection is tied to the
 * memory context it was made in, so an error that resets the context closes
 * it.
 */
#include "postgres.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "access/xact.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "mariadb_client.h"

#include "clock.h"
#include "compat.h"
#include "encoding.h"
#include "wire.h"
#include "wire_error.h"

/* commands of the client protocol that the library does not wrap */
#define WIRE_COM_BINLOG_DUMP	18
#define WIRE_COM_REGISTER_SLAVE 21

/* what mysql_net_read_packet returns on error: not ~0UL */
#define WIRE_PACKET_ERROR		((unsigned int) -1)

/* seconds that we may be silent before the source hangs up: a year */
#define WIRE_SILENCE	31536000

/* the longest single wait, so that a lost wake-up cannot hang us */
#define WIRE_MAX_WAIT_MS		10000L

struct MsWire
{
	MYSQL	   *mysql;
	char	   *server_name;	/* foreign server, for messages */
	char	   *address;		/* host:port or socket, for messages */
	long		read_timeout_ms;
	MemoryContext cxt;
	MemoryContextCallback reset_callback;
	dlist_node	node;			/* in open_wires */

	bool		in_call;		/* the library is on the stack */
	TimestampTz wait_started;	/* since when nothing comes, 0 = it does */
	bool		timed_out;		/* the call was failed by read_timeout */
	bool		woken;			/* the latch was set while a query waited */
	ErrorData  *edata;			/* error to raise after the call, or NULL */

	bool		connected;
	bool		streaming;
	MsIdleFn	idle;
	void	   *idle_arg;
	WaitEventSet *wait_set;		/* while streaming */

	MYSQL_STMT *stmt;			/* rows being read, or NULL */
};

static dlist_head open_wires = DLIST_STATIC_INIT(open_wires);

/* the connection being made: its socket is not known yet */
static MsWire *volatile connecting = NULL;

static void report_error(MsWire *wire, int elevel, const char *sql);

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

/*
 * End a connection attempt from a signal handler: the TLS handshake inside
 * mysql_real_connect does not come by wire_io_wait().  Async-signal-safe.
 */
void
ms_wire_interrupt_connect(void)
{
	MsWire	   *wire = connecting;

	if (wire != NULL && wire->mysql != NULL)
	{
		int			save_errno = errno;
		my_socket	fd = mysql_get_socket(wire->mysql);

		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
		errno = save_errno;
	}
}

static MsWire *
find_wire(my_socket fd)
{
	dlist_iter	iter;

	dlist_foreach(iter, &open_wires)
	{
		MsWire	   *wire = dlist_container(MsWire, node, iter.cur);

		if (mysql_get_socket(wire->mysql) == fd)
			return wire;
	}
	return connecting;
}

/* Waits once; true = try again, false = fail the call.  May throw. */
static bool
wait_once(MsWire *wire, my_socket fd, bool is_read)
{
	long		timeout = Min(WIRE_MAX_WAIT_MS, wire->read_timeout_ms);
	uint32		ready;

	if (wire->streaming && is_read)
	{
		if (wire->idle)
		{
			long		idle_timeout = wire->idle(wire->idle_arg);

			if (idle_timeout >= 0)
				timeout = Min(timeout, idle_timeout);
		}
	}

	/* not before idle(), which may have waited for a lock meanwhile */
	if (wire->wait_started == 0)
		wire->wait_started = ms_clock_now();

	if (wire->wait_set && is_read)
	{
		WaitEvent	event;
		int			n = WaitEventSetWait(wire->wait_set, timeout, &event, 1,
										 PG_WAIT_EXTENSION);

		ready = n > 0 ? event.events : WL_TIMEOUT;
	}
	else
	{
		/* under TLS is_read is set even when the library wants to write */
		ready = WaitLatchOrSocket(MyLatch,
								  WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH |
								  WL_SOCKET_READABLE |
								  (is_read ? 0 : WL_SOCKET_WRITEABLE),
								  fd, timeout, PG_WAIT_EXTENSION);
	}

	if (ready & WL_LATCH_SET)
	{
		ResetLatch(MyLatch);
		wire->woken = !wire->streaming;
	}
	CHECK_FOR_INTERRUPTS();

	/*
	 * A packet may take longer than read_timeout as long as some of it comes;
	 * a connection has to be there within connect_timeout.
	 */
	if (wire->connected && (ready & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE)))
		wire->wait_started = 0;
	else if (TimestampDifferenceExceeds(wire->wait_started, ms_clock_now(),
										(int) wire->read_timeout_ms))
	{
		wire->timed_out = true;
		return false;
	}
	return true;
}

/*
 * libmariadb's I/O wait function.  The timeout argument is in milliseconds or
 * seconds depending on the caller and is ignored: we keep our own.
 */
static int
wire_io_wait(my_socket fd, my_bool is_read, int timeout pg_attribute_unused())
{
	MsWire	   *wire = find_wire(fd);
	MemoryContext oldcxt = CurrentMemoryContext;
	volatile bool again = false;

	if (wire == NULL || wire->edata != NULL)
		return 0;

	PG_TRY();
	{
		again = wait_once(wire, fd, is_read);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(wire->cxt);
		wire->edata = CopyErrorData();
		FlushErrorState();
		again = false;
	}
	PG_END_TRY();

	MemoryContextSwitchTo(oldcxt);
	return again ? 1 : 0;
}

static void
call_begin(MsWire *wire)
{
	Assert(!wire->in_call);
	wire->in_call = true;
	wire->wait_started = 0;
	wire->timed_out = false;
}

/*
 * Back from the library: raise what the wait function caught.  A wake-up that
 * came during a query was not meant for it, and is passed on.
 */
static void
call_end(MsWire *wire)
{
	wire->in_call = false;
	if (wire->woken && wire->stmt == NULL)
	{
		wire->woken = false;
		SetLatch(MyLatch);
	}
	if (wire->edata)
	{
		ErrorData  *edata = wire->edata;

		wire->edata = NULL;
		ReThrowError(edata);
	}
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */

/*
 * Raise the library's error with SQLSTATE, detail and hint.  sql is what was
 * being run, or NULL; it never holds a secret.
 */
static void
report_error(MsWire *wire, int elevel, const char *sql)
{
	unsigned int code = mysql_errno(wire->mysql);
	const char *state = mysql_sqlstate(wire->mysql);
	char	   *message = pstrdup(mysql_error(wire->mysql));
	int			sqlerrcode;
	const char *hint;

	if (wire->timed_out && !wire->connected)
		ereport(elevel,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("could not connect to MariaDB server \"%s\" at %s",
						wire->server_name, wire->address),
				 errdetail("Nothing was received for %ld seconds.",
						   wire->read_timeout_ms / 1000),
				 errhint("Check that MariaDB is running and reachable. Option \"connect_timeout\" of the server sets how long to wait.")));
	if (wire->timed_out)
		ereport(elevel,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("MariaDB server \"%s\" at %s does not answer",
						wire->server_name, wire->address),
				 errdetail("Nothing was received for %ld seconds.",
						   wire->read_timeout_ms / 1000),
				 errhint("Option \"read_timeout\" of the server sets how long to wait.")));

	if (code == 0)
	{
		code = CR_SERVER_LOST;
		message = pstrdup("Lost connection to server");
	}
	sqlerrcode = ms_wire_map_error(code, message, &hint);
	/* a dump thread that cannot write says so */
	if (code == ER_UNKNOWN_ERROR && wire->streaming)
		sqlerrcode = ERRCODE_CONNECTION_FAILURE;
	/* so MariaDB answers a replica that lacks REPLICATION SLAVE */
	if (code == ER_ACCESS_DENIED_ERROR && wire->connected)
	{
		sqlerrcode = ERRCODE_INSUFFICIENT_PRIVILEGE;
		hint = "Run mariadb_sync.check_source() to see which privileges are missing.";
	}

	ereport(elevel,
			(errcode(sqlerrcode),
			 !wire->connected ?
			 errmsg("could not connect to MariaDB server \"%s\" at %s",
					wire->server_name, wire->address) :
			 wire->streaming ?
			 errmsg("the binlog stream of MariaDB server \"%s\" at %s failed",
					wire->server_name, wire->address) :
			 errmsg("a query on MariaDB server \"%s\" at %s failed",
					wire->server_name, wire->address),
			 errdetail("MariaDB error %u (%s): %s", code, state,
					   ms_utf8_to_server(message, strlen(message))),
			 hint ? errhint("%s", hint) : 0,
			 sql ? errcontext("remote SQL command: %s", sql) : 0));
}

/* ------------------------------------------------------------------------
 * Connecting
 * ------------------------------------------------------------------------
 */

static void
close_wire(void *arg)
{
	MsWire	   *wire = (MsWire *) arg;

	dlist_delete(&wire->node);
	if (wire->wait_set)
		FreeWaitEventSet(wire->wait_set);

	/* leaving the process from inside the library: its state is undefined */
	if (wire->in_call || wire->mysql == NULL)
		return;
	if (wire->stmt)
		wire->mysql->status = MYSQL_STATUS_READY;
	wire->wait_started = 0;
	mysql_close(wire->mysql);
	wire->mysql = NULL;
}

#ifdef MARIADB_TLS_VERIFY_TRUST
/*
 * What the library asks about a certificate, for verify-ca: everything but the
 * host's name.  OpenSSL has found it out during the handshake.
 */
static int
verify_chain(void *tls pg_attribute_unused(),
			 unsigned int flags pg_attribute_unused())
{
	return (connecting->mysql->net.tls_verify_status &
			~(MARIADB_TLS_VERIFY_HOST | MARIADB_TLS_VERIFY_FINGERPRINT)) != 0;
}
#endif

/*
 * Whether certificates are checked.  A library before 3.4 verifies the chain
 * whenever it has a CA, and the host's name when it is asked to verify the
 * certificate.  Since 3.4 it verifies nothing unless it is asked, and then
 * both: where it cannot be told to leave out the name, verify-ca is as strict
 * as verify-full.
 */
static void
set_verification(MsWire *wire, const MsServerOptions *options)
{
	my_bool		verify = options->ssl_mode == MS_SSL_VERIFY_FULL;

	if (options->ssl_mode == MS_SSL_VERIFY_CA &&
		mysql_get_client_version() >= 30400)
	{
#ifdef MARIADB_TLS_VERIFY_TRUST
		const char *library = NULL;

		if (mariadb_get_infov(NULL, MARIADB_TLS_LIBRARY, &library) == 0 &&
			library && strncmp(library, "OpenSSL", strlen("OpenSSL")) == 0)
			mysql_optionsv(wire->mysql, MARIADB_OPT_TLS_VERIFICATION_CALLBACK,
						   (void *) verify_chain);
#endif
		verify = 1;
	}
	mysql_optionsv(wire->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static void
set_ssl(MsWire *wire, const MsServerOptions *options)
{
	my_bool		on = 1;

	if (options->ssl_mode == MS_SSL_DISABLE)
		return;
	if (options->ssl_mode >= MS_SSL_VERIFY_CA && options->ssl_ca == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("ssl_mode of server \"%s\" needs option \"ssl_ca\"",
						options->server_name)));

	mysql_ssl_set(wire->mysql, options->ssl_key, options->ssl_cert,
				  options->ssl_mode >= MS_SSL_VERIFY_CA ? options->ssl_ca : NULL,
				  NULL, options->ssl_cipher);
	if (options->ssl_mode >= MS_SSL_REQUIRE)
		mysql_optionsv(wire->mysql, MYSQL_OPT_SSL_ENFORCE, &on);
	set_verification(wire, options);
}

/*
 * The ways to log in that do not show the password to whoever asks.  Others,
 * which MariaDB has for PAM, are for a server that has proven who it is.
 */
static void
restrict_authentication(MsWire *wire, const MsServerOptions *options)
{
	if (options->unix_socket == NULL && options->ssl_mode < MS_SSL_VERIFY_CA)
		mysql_optionsv(wire->mysql, MARIADB_OPT_RESTRICTED_AUTH,
					   "mysql_native_password,client_ed25519,parsec");
}

static void
set_options(MsWire *wire, const MsServerOptions *options)
{
	/* or "localhost" would be the library's own socket */
	unsigned int protocol = options->unix_socket ? MYSQL_PROTOCOL_SOCKET :
	MYSQL_PROTOCOL_TCP;
	my_bool		off = 0;
	unsigned int infile = 0;
	unsigned int connect_timeout = options->connect_timeout;

	mysql_optionsv(wire->mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_optionsv(wire->mysql, MYSQL_OPT_RECONNECT, &off);
	mysql_optionsv(wire->mysql, MYSQL_OPT_LOCAL_INFILE, &infile);
	mysql_optionsv(wire->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
	mysql_optionsv(wire->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_optionsv(wire->mysql, MARIADB_OPT_IO_WAIT, wire_io_wait);
	mysql_optionsv(wire->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name",
				   "mariadb_sync");
	if (options->compress)
		mysql_optionsv(wire->mysql, MYSQL_OPT_COMPRESS, NULL);
	if (options->default_file)
		mysql_optionsv(wire->mysql, MYSQL_READ_DEFAULT_FILE,
					   options->default_file);
	set_ssl(wire, options);
	restrict_authentication(wire, options);
}

/* Connect to one host; NULL for a socket. */
static MsWire *
connect_to(const MsServerOptions *options, const MsHost *host)
{
	MemoryContext cxt;
	MemoryContext oldcxt;
	MsWire	   *wire;
	MYSQL	   *ok;
	int			flags;
	my_socket	fd;

	cxt = AllocSetContextCreate(CurrentMemoryContext, "mariadb_sync wire",
								ALLOCSET_SMALL_SIZES);
	oldcxt = MemoryContextSwitchTo(cxt);

	wire = palloc0(sizeof(MsWire));
	wire->cxt = cxt;
	wire->server_name = pstrdup(options->server_name);
	wire->address = options->unix_socket ?
		psprintf("socket \"%s\"", options->unix_socket) :
		psprintf("%s:%d", host->name, host->port);
	wire->read_timeout_ms = options->read_timeout * 1000L;

	wire->mysql = mysql_init(NULL);
	if (wire->mysql == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	dlist_push_head(&open_wires, &wire->node);
	wire->reset_callback.func = close_wire;
	wire->reset_callback.arg = wire;
	MemoryContextRegisterResetCallback(cxt, &wire->reset_callback);
	MemoryContextSwitchTo(oldcxt);

	set_options(wire, options);

	/* a busy peer must not let the connection attempt hang for long */
	wire->read_timeout_ms = options->connect_timeout * 1000L;
	connecting = wire;
	call_begin(wire);
	ok = mysql_real_connect(wire->mysql,
							host ? host->name : "localhost",
							options->username, options->password, NULL,
							host ? host->port : 0,
							options->unix_socket, CLIENT_REMEMBER_OPTIONS);
	connecting = NULL;
	call_end(wire);
	CHECK_FOR_INTERRUPTS();
	if (ok == NULL)
		report_error(wire, ERROR, NULL);
	wire->connected = true;
	/* the library goes on without TLS when the server has none */
	if (options->ssl_mode >= MS_SSL_REQUIRE &&
		mysql_get_ssl_cipher(wire->mysql) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("MariaDB server \"%s\" at %s does not offer TLS",
						wire->server_name, wire->address),
				 errdetail("Option \"ssl_mode\" of the server requires it."),
				 errhint("Set ssl_cert and ssl_key on MariaDB, or choose another \"ssl_mode\".")));
	wire->read_timeout_ms = options->read_timeout * 1000L;

	/* with TLS the library leaves the socket blocking and would never wait */
	fd = mysql_get_socket(wire->mysql);
	flags = fcntl(fd, F_GETFL, 0);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not make the connection to MariaDB non-blocking: %m")));

	ms_wire_exec(wire, psprintf("SET SESSION sql_mode = '', time_zone = '+00:00', "
								"wait_timeout = %d, net_write_timeout = %d, net_read_timeout = %d, "
								"max_statement_time = 0, sql_select_limit = " UINT64_FORMAT,
								WIRE_SILENCE, WIRE_SILENCE, WIRE_SILENCE,
								PG_UINT64_MAX));
	return wire;
}

/*
 * Connect to one host, and come back without a connection when it cannot be
 * reached and another one may be tried.
 */
static MsWire *
try_to_connect(const MsServerOptions *options, const MsHost *host)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(oldcxt, "mariadb_sync host",
											  ALLOCSET_SMALL_SIZES);
	MsWire	   *volatile wire = NULL;

	PG_TRY();
	{
		MemoryContextSwitchTo(cxt);
		wire = connect_to(options, host);
		MemoryContextSwitchTo(oldcxt);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(oldcxt);
		edata = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(edata->sqlerrcode) != ERRCODE_CONNECTION_EXCEPTION &&
			edata->sqlerrcode != ERRCODE_TOO_MANY_CONNECTIONS)
			PG_RE_THROW();
		FlushErrorState();
		MemoryContextDelete(cxt);
		ereport(LOG,
				(errcode(edata->sqlerrcode),
				 errmsg("%s; the next host of the server is tried",
						edata->message),
				 edata->detail ? errdetail_internal("%s", edata->detail) : 0));
	}
	PG_END_TRY();
	return wire;
}

/*
 * Connect to the source, the first host of the list that can be reached.
 *
 * The connection lives in the current memory context and is closed when that
 * is reset.  Raises 08001 when no server can be reached, 28000 when it
 * refuses the user, and what report_error() maps.
 */
MsWire *
ms_wire_connect(const MsServerOptions *options)
{
	List	   *hosts;
	MsWire	   *wire = NULL;

	if (options->unix_socket)
		return connect_to(options, NULL);
	hosts = ms_server_options_hosts(options);
	for (int i = 0; i < list_length(hosts) - 1 && wire == NULL; i++)
		wire = try_to_connect(options, list_nth(hosts, i));
	return wire ? wire : connect_to(options, llast(hosts));
}

void
ms_wire_close(MsWire *wire)
{
	if (wire)
		MemoryContextDelete(wire->cxt);
}

/*
 * idle is called whenever the stream has nothing more to read, see MsIdleFn.
 */
void
ms_wire_set_idle(MsWire *wire, MsIdleFn idle, void *arg)
{
	wire->idle = idle;
	wire->idle_arg = arg;
}

void
ms_wire_set_read_timeout(MsWire *wire, int seconds)
{
	wire->read_timeout_ms = seconds * 1000L;
}

const char *
ms_wire_server_version(MsWire *wire)
{
	return mysql_get_server_info(wire->mysql);
}

/* ------------------------------------------------------------------------
 * Queries
 * ------------------------------------------------------------------------
 */

/* With sent, the query is under way and its answer is all that is needed. */
static MYSQL_RES *
run_query(MsWire *wire, const char *sql, bool sent)
{
	char	   *utf8 = ms_server_to_utf8(sql);
	MYSQL_RES  *res = NULL;
	int			rc;

	call_begin(wire);
	rc = sent ? mysql_read_query_result(wire->mysql) :
		mysql_real_query(wire->mysql, utf8, strlen(utf8));
	if (rc == 0)
		res = mysql_store_result(wire->mysql);
	call_end(wire);
	if (rc != 0 || (res == NULL && mysql_errno(wire->mysql) != 0))
		report_error(wire, ERROR, sql);
	return res;
}

/* A result in the current context, in the server's encoding. */
static MsResult *
take_result(MYSQL_RES *res)
{
	MsResult   *result = palloc0(sizeof(MsResult));

	if (res == NULL)
		return result;

	PG_TRY();
	{
		result->nrows = (int) mysql_num_rows(res);
		result->nfields = (int) mysql_num_fields(res);
		result->cells = palloc0(Max(1, (Size) result->nrows * result->nfields) *
								sizeof(char *));
		for (int i = 0; i < result->nrows; i++)
		{
			MYSQL_ROW	row = mysql_fetch_row(res);
			unsigned long *lengths = mysql_fetch_lengths(res);

			for (int j = 0; j < result->nfields; j++)
			{
				if (row[j] != NULL)
					ms_result_cell(result, i, j) =
						ms_utf8_to_server(row[j], lengths[j]);
			}
		}
	}
	PG_FINALLY();
	{
		mysql_free_result(res);
	}
	PG_END_TRY();

	return result;
}

/*
 * Run a query, return its whole result.
 */
MsResult *
ms_wire_query(MsWire *wire, const char *sql)
{
	return take_result(run_query(wire, sql, false));
}

/*
 * The same in two steps, so that the source works while we do.  Between them
 * the connection is of no other use.
 */
void
ms_wire_query_begin(MsWire *wire, const char *sql)
{
	char	   *utf8 = pg_server_to_any(sql, strlen(sql), PG_UTF8);
	int			rc;

	call_begin(wire);
	rc = mysql_send_query(wire->mysql, utf8, strlen(utf8));
	call_end(wire);
	if (rc != 0)
		report_error(wire, ERROR, sql);
}

MsResult *
ms_wire_query_end(MsWire *wire, const char *sql)
{
	return take_result(run_query(wire, sql, true));
}

/* Has the answer to a query that was begun begun to come? */
bool
ms_wire_is_readable(MsWire *wire)
{
	struct pollfd event = {mysql_get_socket(wire->mysql), POLLIN, 0};

	return poll(&event, 1, 0) > 0;
}

/*
 * Wait until one of the connections where something is begun (busy is not
 * NULL) is readable, or the latch is set.
 */
void
ms_wire_wait_any(MsWire **wires, const void *const *busy, int n,
				 long timeout_ms)
{
	WaitEventSet *set = create_wait_event_set_compat(CurrentMemoryContext, n + 2);
	WaitEvent	event;

	PG_TRY();
	{
		AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
		AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
		for (int i = 0; i < n; i++)
			if (busy[i])
				AddWaitEventToSet(set, WL_SOCKET_READABLE,
								  mysql_get_socket(wires[i]->mysql), NULL, NULL);
		(void) WaitEventSetWait(set, timeout_ms, &event, 1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	PG_FINALLY();
	{
		FreeWaitEventSet(set);
	}
	PG_END_TRY();
}

/*
 * The first cell of the result, NULL if there is none.
 */
char *
ms_wire_query_value(MsWire *wire, const char *sql)
{
	MsResult   *result = ms_wire_query(wire, sql);

	return result->nrows > 0 && result->nfields > 0 ?
		ms_result_cell(result, 0, 0) : NULL;
}

void
ms_wire_exec(MsWire *wire, const char *sql)
{
	MYSQL_RES  *res = run_query(wire, sql, false);

	if (res)
		mysql_free_result(res);
}

/*
 * As a literal; the session's sql_mode is empty, so backslash escapes work.
 */
char *
ms_wire_quote_literal(const char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '\'');
	for (; *text; text++)
	{
		if (*text == '\'' || *text == '\\')
			appendStringInfoChar(&buf, '\\');
		appendStringInfoChar(&buf, *text);
	}
	appendStringInfoChar(&buf, '\'');
	return buf.data;
}

char *
ms_wire_quote_identifier(const char *name)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '`');
	for (; *name; name++)
	{
		if (*name == '`')
			appendStringInfoChar(&buf, '`');
		appendStringInfoChar(&buf, *name);
	}
	appendStringInfoChar(&buf, '`');
	return buf.data;
}

/* ------------------------------------------------------------------------
 * Rows of a copy
 * ------------------------------------------------------------------------
 */

/* Raise the statement's error: the library keeps it apart from the handle's. */
static void
report_stmt_error(MsWire *wire, const char *sql)
{
	if (!wire->timed_out && mysql_errno(wire->mysql) == 0)
	{
		wire->mysql->net.last_errno = mysql_stmt_errno(wire->stmt);
		strlcpy(wire->mysql->net.last_error, mysql_stmt_error(wire->stmt),
				sizeof(wire->mysql->net.last_error));
		strlcpy(wire->mysql->net.sqlstate, mysql_stmt_sqlstate(wire->stmt),
				sizeof(wire->mysql->net.sqlstate));
	}
	report_error(wire, ERROR, sql);
}

/*
 * Start a query whose rows are read one by one in the binary protocol.
 * Returns the number of columns.
 */
int
ms_wire_rows_begin(MsWire *wire, const char *sql)
{
	char	   *utf8 = ms_server_to_utf8(sql);
	int			rc;

	Assert(wire->stmt == NULL);
	wire->stmt = mysql_stmt_init(wire->mysql);
	if (wire->stmt == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));

	call_begin(wire);
	rc = mysql_stmt_prepare(wire->stmt, utf8, strlen(utf8)) ||
		mysql_stmt_execute(wire->stmt);
	call_end(wire);
	if (rc != 0)
		report_stmt_error(wire, sql);
	return (int) mysql_stmt_field_count(wire->stmt);
}

/*
 * The next row as it came over the wire, valid until the next call.  False
 * at the end, when the connection is free for other queries again.
 *
 * The library's fetch functions would copy every value into bound buffers; a
 * row's packet is read in place instead.
 */
bool
ms_wire_rows_next(MsWire *wire, const uint8 **row, size_t *length)
{
	unsigned long len;
	const uint8 *data;

	call_begin(wire);
	len = mysql_net_read_packet(wire->mysql);
	call_end(wire);
	if (len == WIRE_PACKET_ERROR)
		report_error(wire, ERROR, NULL);

	data = (const uint8 *) wire->mysql->net.read_pos;
	if (data[0] == 0xFE && len < 9)
	{
		/* nothing is left unread, which the library does not know */
		wire->mysql->status = MYSQL_STATUS_READY;
		call_begin(wire);
		mysql_stmt_close(wire->stmt);
		wire->stmt = NULL;
		call_end(wire);
		return false;
	}
	*row = data;
	*length = len;
	return true;
}

/* ------------------------------------------------------------------------
 * The binlog stream
 * ------------------------------------------------------------------------
 */

static void
send_command(MsWire *wire, int command, StringInfo payload, bool read_reply)
{
	int			rc;

	call_begin(wire);
	rc = wire->mysql->methods->db_command(wire->mysql,
										  (enum enum_server_command) command,
										  payload->data, payload->len,
										  read_reply ? 0 : 1, NULL);
	call_end(wire);
	if (rc != 0)
		report_error(wire, ERROR, NULL);
}

static void
append_int(StringInfo buf, uint64 value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		appendStringInfoCharMacro(buf, (char) (value >> (8 * i)));
}

/* Length-prefixed by one byte, cut to what that holds. */
static void
append_short_string(StringInfo buf, const char *text)
{
	int			len = Min(strlen(text), 60);

	append_int(buf, len, 1);
	appendBinaryStringInfo(buf, text, len);
}

/*
 * Ask for the binlog from a GTID position.  The handshake is the one a
 * MariaDB replica makes (sql/slave.cc get_master_version_and_clock,
 * register_slave_on_master, request_dump).  After this the connection carries
 * the stream and nothing else.
 */
void
ms_wire_start_stream(MsWire *wire, const MsStreamStart *start)
{
	StringInfoData buf;

	ms_wire_exec(wire, psprintf("SET @master_heartbeat_period = " INT64_FORMAT,
								(int64) start->heartbeat_period * 1000000));
	ms_wire_exec(wire, "SET @master_binlog_checksum = @@global.binlog_checksum");
	ms_wire_exec(wire, "SET @mariadb_slave_capability = 4");
	ms_wire_exec(wire, psprintf("SET @slave_connect_state = %s",
								ms_wire_quote_literal(start->gtid_position)));
	ms_wire_exec(wire, "SET @slave_gtid_strict_mode = 1");
	ms_wire_exec(wire, "SET @slave_gtid_ignore_duplicates = 0");

	initStringInfo(&buf);
	append_int(&buf, start->server_id, 4);
	append_short_string(&buf, start->report_host);
	append_short_string(&buf, "");	/* user */
	append_short_string(&buf, "");	/* password */
	append_int(&buf, 0, 2);		/* port */
	append_int(&buf, 0, 4);		/* rank */
	append_int(&buf, 0, 4);		/* master id */
	send_command(wire, WIRE_COM_REGISTER_SLAVE, &buf, true);

	resetStringInfo(&buf);
	append_int(&buf, 4, 4);		/* position: not used with GTIDs */
	append_int(&buf, 0, 2);		/* flags: wait for more, no annotations */
	append_int(&buf, start->server_id, 4);
	send_command(wire, WIRE_COM_BINLOG_DUMP, &buf, false);
	pfree(buf.data);

	wire->streaming = true;
	wire->wait_set = create_wait_event_set_compat(wire->cxt, 3);
	AddWaitEventToSet(wire->wait_set, WL_SOCKET_READABLE,
					  mysql_get_socket(wire->mysql), NULL, NULL);
	AddWaitEventToSet(wire->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch,
					  NULL);
	AddWaitEventToSet(wire->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET,
					  NULL, NULL);
}

/*
 * The next event, where libmariadb left it: valid until the next call.
 * Blocks until there is one.  Raises 08006 when the connection is lost or
 * silent for read_timeout, and MariaDB's own errors.
 */
MsReceiveStatus
ms_wire_receive(MsWire *wire, const uint8 **data, size_t *length)
{
	unsigned long len;
	const uint8 *packet;

	call_begin(wire);
	len = mysql_net_read_packet(wire->mysql);
	call_end(wire);
	if (len == WIRE_PACKET_ERROR)
		report_error(wire, ERROR, NULL);

	packet = (const uint8 *) wire->mysql->net.read_pos;
	if (packet[0] == 0xFE && len < 9)
		return MS_RECEIVE_END;
	if (packet[0] != 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("unexpected packet in the binlog stream"),
				 errdetail("The status byte is %d.", packet[0])));
	*data = packet + 1;
	*length = len - 1;
	return MS_RECEIVE_EVENT;
}
