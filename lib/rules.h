/*
 * Rules: the policies that were set for providers, tenants and single circuits of a tracker, beside the tracker's own. The
 * most specific one holds whole. Under the mutex of the tracker's registry.
 */
#ifndef TRIP_RULES_H
#define TRIP_RULES_H

#include "trip.h"

struct trip_rule;

typedef struct trip_rules {
    struct trip_rule *by_text;
    uint32_t count;
} trip_rules;

/* What a rule is about; the texts that do not belong to the scope are empty. */
typedef struct trip_subject {
    uint32_t scope; /* TRIP_SCOPE_*; no rule is about TRIP_SCOPE_TRACKER */
    const char *tenant;
    const char *provider;
    size_t tenant_len; /* at most 255, as the other */
    size_t provider_len;
} trip_subject;

#define TRIP_RULE_NONE UINT32_MAX /* the place of no policy: as if there were no such rule */

/* Where the policy of a subject is published, to be read and changed. NULL: no rule is about it. */
uint32_t *trip_rules_find(const trip_rules *rules, const trip_subject *subject);

/* Add a rule about a subject that has none; it says TRIP_RULE_NONE. NULL: no memory. */
uint32_t *trip_rules_add(trip_rules *rules, const trip_subject *subject);

void trip_rules_remove(trip_rules *rules, const trip_subject *subject);

/* By whose rule a circuit goes, the most specific one: TRIP_SCOPE_*. Unless that is the tracker, `place` becomes where
   the policy is. */
uint32_t trip_rules_resolve(const trip_rules *rules, const char *tenant, size_t tenant_len, const char *provider,
                            size_t provider_len, uint32_t *place);

/* Remove all, and withdraw their policies. */
void trip_rules_clear(trip_rules *rules);

#endif
