/*
 * Facts, which are what a step found, and their comparison with what the vector expects. Knows nothing of libtrip.
 */
#ifndef CONTRACT_EXPECT_H
#define CONTRACT_EXPECT_H

#include "place.h"

#include <stdbool.h>
#include <stdint.h>

#define FACTS_MAX 24

typedef struct fact {
    const char *key;
    const char *text; /* NULL: a number */
    size_t len;
    uint64_t number;
    bool is_signed; /* the number is one of int64_t */
} fact;

/* The texts belong to whoever states them and must live until the comparison. */
typedef struct facts {
    fact list[FACTS_MAX];
    size_t count;
} facts;

void state_number(facts *found, const char *key, uint64_t number);
void state_signed(facts *found, const char *key, int64_t number);
void state_text(facts *found, const char *key, const char *text, size_t len);
void state_name(facts *found, const char *key, const char *name);

/* Every expectation must meet a fact, and "status" must be among them. */
void compare(const place *where, const json_t *expected, const facts *found);

#endif
