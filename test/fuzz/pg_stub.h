/*
 * pg_stub.h - what a fuzz target needs beside the decoders.
 */
#ifndef PG_STUB_H
#define PG_STUB_H

/* type OIDs that stand for types of an extension or a user */
#define STUB_ENUM_OID		70001
#define STUB_STRING_OID		70002
#define STUB_GEOMETRY_OID	70003
#define STUB_VECTOR_OID		70004

/* what a type's OID and this make is a domain over the type */
#define STUB_DOMAIN_OFFSET	100000

extern bool stub_run(void (*body) (void *arg), void *arg, size_t input_len);
extern void *stub_copy(const void *data, size_t len);
extern void stub_touch(const void *data, size_t len);
extern void stub_set_encoding(int encoding);
extern void stub_set_extensions(bool installed);
extern void stub_finding(const char *fmt,...) pg_attribute_printf(1, 2);

#endif							/* PG_STUB_H */
