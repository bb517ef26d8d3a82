/*
 * options.h - subscription options, and server and user mapping options.
 */
#ifndef MS_OPTIONS_H
#define MS_OPTIONS_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "value.h"

typedef enum MsDdlPolicy
{
	MS_DDL_APPLY,
	MS_DDL_STOP,
	MS_DDL_IGNORE
} MsDdlPolicy;

typedef enum MsErrorPolicy
{
	MS_ON_ERROR_STOP,
	MS_ON_ERROR_RETRY,
	MS_ON_ERROR_QUARANTINE_ROW,
	MS_ON_ERROR_DISABLE_TABLE
} MsErrorPolicy;

typedef enum MsConflictPolicy
{
	MS_ON_CONFLICT_ERROR,
	MS_ON_CONFLICT_APPLY,
	MS_ON_CONFLICT_SKIP
} MsConflictPolicy;

#define MS_PUBLISH_INSERT	0x01
#define MS_PUBLISH_UPDATE	0x02
#define MS_PUBLISH_DELETE	0x04
#define MS_PUBLISH_TRUNCATE	0x08

typedef struct MsSchemaMapEntry
{
	char	   *db;
	char	   *schema;
} MsSchemaMapEntry;

/*
 * What becomes of a column's values.  The subscription has them for all
 * columns, add_table() for single ones.
 */
typedef struct MsColumnOptions
{
	MsValuePolicies policies;
	bool		tinyint1_as_boolean;
	bool		enum_as_enum;
	bool		json_as_jsonb;
	bool		unsigned_bigint_as_bigint;
	/* of single columns only */
	bool		omitted;		/* left out of the target */
	char	   *name;			/* the target's, NULL = the source's */
	char	   *zone;			/* whose clock a DATETIME is of, or NULL */
} MsColumnOptions;

/* The options column of mariadb_sync.subscription, with defaults filled in. */
typedef struct MsSubscriptionOptions
{
	bool		enabled;		/* create_subscription only */
	bool		copy_data;
	char	   *start_gtid;		/* NULL = the source's current position */
	bool		create_tables;
	int			fillfactor;		/* 0 = PostgreSQL's default */
	List	   *schema_map;		/* of MsSchemaMapEntry * */
	MsDdlPolicy ddl;
	MsErrorPolicy on_error;
	MsConflictPolicy on_conflict;
	int			publish;		/* MS_PUBLISH_ bits */
	int			snapshot_workers;
	int			snapshot_chunk_rows;
	int			snapshot_max_age;	/* of a read view, ms; 0 = no limit */
	int			snapshot_max_rate;	/* rows per second; negative: kilobytes; 0
									 * = no limit */
	int			apply_workers;	/* 0 = the apply worker does it alone */
	bool		synchronous_commit;
	int			commit_max_transactions;
	int			commit_max_rows;
	int			commit_max_delay;	/* milliseconds */
	bool		run_as_owner;
	bool		versioned_history;	/* of system-versioned tables */
	MsColumnOptions columns;
} MsSubscriptionOptions;

extern void ms_options_parse(Jsonb *json, MsSubscriptionOptions *options);
extern Jsonb *ms_options_merge(Jsonb *old, Jsonb *changes);
extern const char *ms_options_schema(const MsSubscriptionOptions *options,
									 const char *db);
extern void ms_options_bind_columns(List *source_columns, Jsonb *columns,
									const MsSubscriptionOptions *options);

/* Valid names for a message, and the one that was meant, if any. */
typedef struct MsNameMatch
{
	const char *wanted;
	StringInfoData valid;		/* "a, b, c" */
	const char *best;			/* or NULL */
	int			distance;
} MsNameMatch;

extern void ms_name_match_init(MsNameMatch *match, const char *wanted);
extern void ms_name_match_add(MsNameMatch *match, const char *candidate);

typedef enum MsSslMode
{
	MS_SSL_DISABLE,
	MS_SSL_PREFER,
	MS_SSL_REQUIRE,
	MS_SSL_VERIFY_CA,
	MS_SSL_VERIFY_FULL
} MsSslMode;

/* Server and user mapping options with defaults filled in. */
typedef struct MsServerOptions
{
	char	   *server_name;
	char	   *host;			/* one, or several to be tried in order */
	int			port;			/* of those that name none */
	char	   *unix_socket;	/* NULL = TCP */
	MsSslMode	ssl_mode;
	char	   *ssl_ca;
	char	   *ssl_cert;
	char	   *ssl_key;
	char	   *ssl_cipher;
	int			connect_timeout;	/* seconds */
	int			read_timeout;	/* seconds */
	int			heartbeat_period;	/* milliseconds */
	bool		compress;
	uint32		server_id;		/* 0 = chosen by create_subscription */
	char	   *default_file;
	char	   *username;
	char	   *password;
} MsServerOptions;

/* One of the hosts that a server's option names. */
typedef struct MsHost
{
	char	   *name;
	int			port;
} MsHost;

extern List *ms_server_options_hosts(const MsServerOptions *options);
extern bool ms_server_options_equal(const MsServerOptions *a,
									const MsServerOptions *b);
extern void ms_server_options_load(Oid serverid, Oid userid,
								   MsServerOptions *options);

#endif							/* MS_OPTIONS_H */
