/*
 * Where in the vectors a runner stands, and how a vector fails: with file, vector and step in the message. Owns the
 * wording of failures and nothing else.
 */
#ifndef CONTRACT_PLACE_H
#define CONTRACT_PLACE_H

#include <jansson.h>
#include <stdint.h>

typedef struct place {
    const char *file;
    const char *vector;
    char step[96]; /* "3", or "4#17.2": the second step within the 17th pass of the fourth; empty: the vector itself */
} place;

/* End the running test as failed. */
_Noreturn void wrong(const place *where, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whatever an object holds beside `allowed` is wrong: a key that nobody reads promises what nobody checks. */
void only_keys(const place *where, const json_t *object, const char *const *allowed, size_t count);

/* The member `key` of `object`; absent or of another type is wrong. */
const json_t *member(const place *where, const json_t *object, const char *key, json_type type);
const char *text_member(const place *where, const json_t *object, const char *key);
json_int_t number_member(const place *where, const json_t *object, const char *key);

/* The member as a text, which may also be {"repeat": text, "times": n}. A new reference. */
json_t *long_text(const place *where, const json_t *object, const char *key);

/* The same of members that may be missing: then 0, and NULL, which is the empty text. */
uint64_t number_if_any(const place *where, const json_t *object, const char *key);
json_t *text_if_any(const place *where, const json_t *object, const char *key);

#endif
