/*
 * server_options.c - how to reach a MariaDB server: the options of our foreign
 * data wrapper's servers and user mappings.
 *
 * One table says everything.  The validator checks with it what is written,
 * ms_server_options_load() reads with it what is stored.  Secrets stay in the
 * user mapping: nothing here puts a password in a message.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>
#include <sys/stat.h>

#include "access/reloptions.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "mariadb_sync.h"
#include "options.h"

PG_FUNCTION_INFO_V1(ms_fdw_validator);

typedef enum FdwOptionType
{
	FDW_STRING,
	FDW_FILE,					/* a string; the server reads this file */
	FDW_BOOL,
	FDW_NUMBER,
	FDW_SECONDS,				/* kept as whole seconds */
	FDW_MILLISECONDS,			/* written in seconds, kept as milliseconds */
	FDW_SSL_MODE
} FdwOptionType;

typedef struct FdwOption
{
	const char *name;
	Oid			context;		/* catalog of the object that has it */
	FdwOptionType type;
	int64		min;			/* of what is kept */
	int64		max;
	size_t		offset;			/* in MsServerOptions */
	size_t		size;			/* 0 = not kept */
} FdwOption;

#define FIELD(field) \
	offsetof(MsServerOptions, field), sizeof(((MsServerOptions *) 0)->field)
#define NO_FIELD 0, 0

#define DEFAULT_HOST				"127.0.0.1"
#define DEFAULT_PORT				3306
#define DEFAULT_CONNECT_TIMEOUT		10
#define DEFAULT_READ_TIMEOUT		30
#define DEFAULT_HEARTBEAT_PERIOD	5000

/* a day, in seconds */
#define MAX_TIMEOUT	86400

#define SERVER			ForeignServerRelationId
#define USER_MAPPING	UserMappingRelationId

static const FdwOption fdw_options[] = {
	{"host", SERVER, FDW_STRING, 0, 0, FIELD(host)},
	{"port", SERVER, FDW_NUMBER, 1, 65535, FIELD(port)},
	{"unix_socket", SERVER, FDW_STRING, 0, 0, FIELD(unix_socket)},
	{"ssl_mode", SERVER, FDW_SSL_MODE, 0, 0, FIELD(ssl_mode)},
	{"ssl_ca", SERVER, FDW_STRING, 0, 0, FIELD(ssl_ca)},
	{"ssl_cert", SERVER, FDW_FILE, 0, 0, FIELD(ssl_cert)},
	{"ssl_key", SERVER, FDW_FILE, 0, 0, FIELD(ssl_key)},
	{"ssl_cipher", SERVER, FDW_STRING, 0, 0, FIELD(ssl_cipher)},
	{"connect_timeout", SERVER, FDW_SECONDS, 1, MAX_TIMEOUT, FIELD(connect_timeout)},
	{"read_timeout", SERVER, FDW_SECONDS, 1, MAX_TIMEOUT, FIELD(read_timeout)},
	{"heartbeat_period", SERVER, FDW_MILLISECONDS, 100, MAX_TIMEOUT * 1000,
	FIELD(heartbeat_period)},
	{"compress", SERVER, FDW_BOOL, 0, 0, FIELD(compress)},
	{"server_id", SERVER, FDW_NUMBER, 1, PG_UINT32_MAX, FIELD(server_id)},
	{"default_file", SERVER, FDW_FILE, 0, 0, FIELD(default_file)},
	{"username", USER_MAPPING, FDW_STRING, 0, 0, FIELD(username)},
	{"password", USER_MAPPING, FDW_STRING, 0, 0, FIELD(password)},
	{"password_file", USER_MAPPING, FDW_FILE, 0, 0, NO_FIELD}
};

static const struct
{
	const char *word;
	MsSslMode	mode;
}			ssl_modes[] =

{
	{"disable", MS_SSL_DISABLE},
	{"prefer", MS_SSL_PREFER},
	{"require", MS_SSL_REQUIRE},
	{"verify-ca", MS_SSL_VERIFY_CA},
	{"verify-full", MS_SSL_VERIFY_FULL},
};

static void
unknown_option(const char *name, Oid context)
{
	MsNameMatch match;

	ms_name_match_init(&match, name);
	for (int i = 0; i < (int) lengthof(fdw_options); i++)
		if (fdw_options[i].context == context)
			ms_name_match_add(&match, fdw_options[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 match.best ?
			 errhint("Perhaps you meant the option \"%s\". Valid options in this context are: %s.",
					 match.best, match.valid.data) :
			 match.valid.len > 0 ?
			 errhint("Valid options in this context are: %s.",
					 match.valid.data) :
			 errhint("There are no valid options in this context.")));
}

static void
invalid_value(const FdwOption *option, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name,
					value),
			 option->type == FDW_BOOL ?
			 errhint("Valid values are: true, false.") :
			 option->type == FDW_SSL_MODE ?
			 errhint("Valid values are: disable, prefer, require, verify-ca, verify-full.") :
			 option->type == FDW_SECONDS ?
			 errhint("Valid values are times from %lld s to %lld s; without a unit they are seconds.",
					 (long long) option->min, (long long) option->max) :
			 option->type == FDW_MILLISECONDS ?
			 errhint("Valid values are times from %lld ms to %lld s; without a unit they are seconds.",
					 (long long) option->min,
					 (long long) option->max / 1000) :
			 errhint("Valid values are whole numbers from %lld to %lld.",
					 (long long) option->min, (long long) option->max)));
}

/*
 * Parse a value that is not kept as a string; an error if it is not valid.
 */
static int64
parse_value(const FdwOption *option, const char *value)
{
	int64		number = 0;
	bool		valid = false;

	switch (option->type)
	{
		case FDW_STRING:
		case FDW_FILE:
			Assert(false);
			break;
		case FDW_BOOL:
			{
				bool		flag;

				if (!parse_bool(value, &flag))
					invalid_value(option, value);
				return flag;
			}
		case FDW_NUMBER:
			{
				char	   *end;

				errno = 0;
				number = strtoll(value, &end, 10);
				valid = errno == 0 && end != value && *end == '\0' &&
					isdigit((unsigned char) *value);
			}
			break;
		case FDW_SECONDS:
		case FDW_MILLISECONDS:
			{
				double		seconds;

				valid = parse_real(value, &seconds, GUC_UNIT_S, NULL) &&
					seconds >= 0 && seconds <= MAX_TIMEOUT;
				if (valid)
					number = (int64) rint(option->type == FDW_SECONDS ?
										  seconds : seconds * 1000);
			}
			break;
		case FDW_SSL_MODE:
			for (int i = 0; i < (int) lengthof(ssl_modes); i++)
				if (pg_strcasecmp(ssl_modes[i].word, value) == 0)
					return ssl_modes[i].mode;
			invalid_value(option, value);
			break;
	}
	if (!valid || number < option->min || number > option->max)
		invalid_value(option, value);
	return number;
}

static const FdwOption *
find_option(const char *name, Oid context)
{
	for (int i = 0; i < (int) lengthof(fdw_options); i++)
		if (fdw_options[i].context == context &&
			strcmp(fdw_options[i].name, name) == 0)
			return &fdw_options[i];
	return NULL;
}

/* Check one option and keep it. */
static void
apply_option(const FdwOption *option, char *value,
			 MsServerOptions *options)
{
	void	   *field = (char *) options + option->offset;

	if (option->type == FDW_STRING || option->type == FDW_FILE)
	{
		/* an empty password is one; an empty host is a mistake */
		if (value[0] == '\0' && strcmp(option->name, "password") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("option \"%s\" must not be empty", option->name)));
		if (option->size > 0)
			*(char **) field = value;
	}
	else
	{
		int64		number = parse_value(option, value);

		if (option->size == sizeof(bool))
			*(bool *) field = (number != 0);
		else
			*(uint32 *) field = (uint32) number;
	}
}

static void
set_server_defaults(MsServerOptions *options)
{
	memset(options, 0, sizeof(*options));
	options->host = DEFAULT_HOST;
	options->port = DEFAULT_PORT;
	options->ssl_mode = MS_SSL_PREFER;
	options->connect_timeout = DEFAULT_CONNECT_TIMEOUT;
	options->read_timeout = DEFAULT_READ_TIMEOUT;
	options->heartbeat_period = DEFAULT_HEARTBEAT_PERIOD;
}

static void
invalid_host(const char *entry)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"host\": \"%s\"", entry),
			 errhint("Give a host, or several with commas between them that are tried in order: \"db1,db2:3307,[::1]:3308\".")));
}

/* "name", "name:port", "[address]", "[address]:port", or an IPv6 address */
static MsHost *
parse_host(char *entry, int default_port)
{
	MsHost	   *host = palloc(sizeof(MsHost));
	char	   *name = entry;
	char	   *port = NULL;

	if (*name == '[')
	{
		char	   *end = strchr(++name, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			invalid_host(entry);
		port = end[1] == ':' ? end + 2 : NULL;
		name = pnstrdup(name, end - name);
	}
	else if (strchr(name, ':') != NULL && strchr(name, ':') == strrchr(name, ':'))
	{
		port = strchr(name, ':') + 1;
		name = pnstrdup(name, port - 1 - name);
	}
	host->name = name;
	host->port = default_port;
	if (port)
	{
		char	   *end;
		long		number = strtol(port, &end, 10);

		if (!isdigit((unsigned char) *port) || *end != '\0' || number < 1 ||
			number > 65535)
			invalid_host(entry);
		host->port = (int) number;
	}
	if (name[0] == '\0')
		invalid_host(entry);
	return host;
}

/* The hosts, in the order in which they are tried. */
List *
ms_server_options_hosts(const MsServerOptions *options)
{
	List	   *hosts = NIL;
	char	   *rest = pstrdup(options->host);

	while (rest)
	{
		char	   *entry = rest;
		int			len;

		rest = strchr(rest, ',');
		if (rest)
			*rest++ = '\0';
		entry += strspn(entry, " \t");
		for (len = strlen(entry); len > 0 && isspace((unsigned char) entry[len - 1]);)
			entry[--len] = '\0';
		hosts = lappend(hosts, parse_host(entry, options->port));
	}
	return hosts;
}

/* Would a connection made with either be the same? */
bool
ms_server_options_equal(const MsServerOptions *a, const MsServerOptions *b)
{
	const char *const texts[][2] = {
		{a->host, b->host}, {a->unix_socket, b->unix_socket},
		{a->ssl_ca, b->ssl_ca}, {a->ssl_cert, b->ssl_cert},
		{a->ssl_key, b->ssl_key}, {a->ssl_cipher, b->ssl_cipher},
		{a->default_file, b->default_file}, {a->username, b->username},
		{a->password, b->password},
	};

	for (int i = 0; i < (int) lengthof(texts); i++)
	{
		if ((texts[i][0] == NULL) != (texts[i][1] == NULL) ||
			(texts[i][0] && strcmp(texts[i][0], texts[i][1]) != 0))
			return false;
	}
	return a->port == b->port && a->ssl_mode == b->ssl_mode &&
		a->connect_timeout == b->connect_timeout &&
		a->read_timeout == b->read_timeout &&
		a->heartbeat_period == b->heartbeat_period &&
		a->compress == b->compress;
}

static void
check_may_read_files(const FdwOption *option)
{
	if (!superuser() &&
		!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"%s\"", option->name),
				 errdetail("Only superusers and members of the role pg_read_server_files may let the server read a file.")));
}

/*
 * Called by CREATE and ALTER of the foreign data wrapper, its servers and
 * their user mappings, with all options as they would be afterwards.
 */
Datum
ms_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *list = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			context = PG_GETARG_OID(1);
	MsServerOptions options;
	bool		has_password = false;
	bool		has_password_file = false;
	ListCell   *lc;

	set_server_defaults(&options);
	foreach(lc, list)
	{
		DefElem    *def = lfirst(lc);
		const FdwOption *option = find_option(def->defname, context);

		if (option == NULL)
			unknown_option(def->defname, context);
		if (option->type == FDW_FILE)
			check_may_read_files(option);
		apply_option(option, defGetString(def), &options);
		has_password |= strcmp(option->name, "password") == 0;
		has_password_file |= strcmp(option->name, "password_file") == 0;
	}

	(void) ms_server_options_hosts(&options);
	if (has_password && has_password_file)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("options \"password\" and \"password_file\" exclude each other")));
	if (options.read_timeout * 1000L <= options.heartbeat_period)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"read_timeout\" must be greater than \"heartbeat_period\""),
				 errdetail("An idle source sends nothing but a heartbeat every %g seconds; read_timeout is %d seconds.",
						   options.heartbeat_period / 1000.0,
						   options.read_timeout),
				 errhint("Two or three times \"heartbeat_period\" is a good value for \"read_timeout\".")));
	PG_RETURN_VOID();
}

/* The first line of the file, without its end. */
static char *
read_password_file(const char *path)
{
	FILE	   *file = AllocateFile(path, "r");
	struct stat st;
	char		line[1024];

	if (file == NULL || fstat(fileno(file), &st) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open password file \"%s\": %m", path)));
	if (!S_ISREG(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("password file \"%s\" is not a plain file", path)));
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("password file \"%s\" has group or world access", path),
				 errhint("Run chmod 600 \"%s\" on the server.", path)));
	if (fgets(line, sizeof(line), file) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PASSWORD),
				 errmsg("password file \"%s\" is empty", path)));
	FreeFile(file);
	line[strcspn(line, "\r\n")] = '\0';
	return pstrdup(line);
}

/* The user's own mapping or that of PUBLIC. */
static bool
has_user_mapping(Oid userid, Oid serverid)
{
	return SearchSysCacheExists2(USERMAPPINGUSERSERVER,
								 ObjectIdGetDatum(userid),
								 ObjectIdGetDatum(serverid)) ||
		SearchSysCacheExists2(USERMAPPINGUSERSERVER,
							  ObjectIdGetDatum(InvalidOid),
							  ObjectIdGetDatum(serverid));
}

static void
load_user_mapping(Oid serverid, Oid userid, MsServerOptions *options)
{
	char	   *user = GetUserNameFromId(userid, false);
	ListCell   *lc;

	if (!has_user_mapping(userid, serverid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no user mapping of server \"%s\" for user \"%s\"",
						options->server_name, user),
				 errhint("Use CREATE USER MAPPING FOR %s SERVER %s OPTIONS (username '...', password '...').",
						 quote_identifier(user),
						 quote_identifier(options->server_name))));

	foreach(lc, GetUserMapping(userid, serverid)->options)
	{
		DefElem    *def = lfirst(lc);
		const FdwOption *option = find_option(def->defname,
											  UserMappingRelationId);

		if (option)
			apply_option(option, defGetString(def), options);
		if (strcmp(def->defname, "password_file") == 0)
			options->password = read_password_file(defGetString(def));
	}

	if (options->default_file)
		return;
	if (options->username == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("the user mapping of server \"%s\" for user \"%s\" has no \"username\"",
						options->server_name, user),
				 errhint("Use ALTER USER MAPPING FOR %s SERVER %s OPTIONS (ADD username '...').",
						 quote_identifier(user),
						 quote_identifier(options->server_name))));

	/*
	 * Over a socket, MariaDB may take the operating system's user for a
	 * password.  That is PostgreSQL's own, which is not everybody's to use.
	 */
	if (options->unix_socket && !superuser_arg(userid) &&
		(options->password == NULL || options->password[0] == '\0'))
		ereport(ERROR,
				(errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
				 errmsg("password is required"),
				 errdetail("Only superusers may connect to MariaDB through a socket without a password.")));
}

/*
 * Read the options of the foreign server and of the user's mapping, with
 * defaults filled in.  Results live in the current context.
 */
void
ms_server_options_load(Oid serverid, Oid userid, MsServerOptions *options)
{
	ForeignServer *server = GetForeignServer(serverid);
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(server->fdwid);
	ListCell   *lc;

	if (strcmp(wrapper->fdwname, MS_LIBRARY) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a MariaDB server",
						server->servername),
				 errdetail("Its foreign data wrapper is \"%s\".",
						   wrapper->fdwname),
				 errhint("Use CREATE SERVER ... FOREIGN DATA WRAPPER %s.",
						 MS_LIBRARY)));

	set_server_defaults(options);
	options->server_name = server->servername;
	foreach(lc, server->options)
	{
		DefElem    *def = lfirst(lc);
		const FdwOption *option = find_option(def->defname,
											  ForeignServerRelationId);

		if (option)
			apply_option(option, defGetString(def), options);
	}
	load_user_mapping(serverid, userid, options);
}
